// From a planned statement to its features and its prediction.
#pragma once
#include "core/plan/features.h"
#include "core/predict/predict.h"
#include "server/query/plan_reader.h"

namespace query_shaper {

struct StatementFacts {
  uint64_t fingerprint;
  FeatureVector features;
  Estimate estimate;
  Pace pace;
  bool has_pace;
  BandScale band;
};

// Reads the plan, names its shape, extracts features at this moment and predicts. Needs a transaction. A failure of the
// models is logged and leaves a cold estimate from the plan's cost.
// A statement without a query identifier is named by its source text, which may be null.
// every_member: models are asked even where their answers weigh nothing.
void DescribeStatement(const PlannedStmt* statement, const char* source_text, PlanTree* tree, StatementFacts* facts,
                       bool every_member = false);

// PostgreSQL gives none to the query inside DECLARE CURSOR, CREATE TABLE AS and COPY, nor to any when compute_query_id
// is off: the same text but for its constants has the same name. 0 without a text.
int64_t NameByText(const PlannedStmt* statement, const char* source_text);

// Estimate from nothing but the plan's cost: for late tracking (signal context) and when prediction fails.
Estimate ColdEstimate(double total_cost, double at_least_ms);

}  // namespace query_shaper
