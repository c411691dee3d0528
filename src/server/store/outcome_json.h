// Outcomes as the JSON that stands in the extension's tables. Run inside a transaction: names of relations are looked
// up.
#pragma once
#include "server/shared_state.h"
extern "C" {
#include "lib/stringinfo.h"
}

namespace query_shaper {

// {"name": value, ...}, one member per feature.
void AppendFeaturesJson(const FeatureVector& features, StringInfo out);

// The run as report() shows it: nodes with estimate, refinement and truth, and what was shown while it ran.
void AppendRunJson(const OutcomeRecord& outcome, StringInfo out);

// What each member of the blend predicted.
void AppendPredictionJson(const OutcomeRecord& outcome, StringInfo out);

// Details of an event: a JSON object as it is, anything else as {"text": ...}.
void AppendDetailsJson(const char* details, StringInfo out);

// The text without bytes that the database's encoding does not allow.
const char* ValidText(const char* text);

}  // namespace query_shaper
