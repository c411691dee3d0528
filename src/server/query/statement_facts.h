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
// The source text may be null: see NameOf().
// every_member: models are asked even where their answers weigh nothing.
void DescribeStatement(const PlannedStmt* statement, const char* source_text, PlanTree* tree, StatementFacts* facts,
                       bool every_member = false);

// Estimate from nothing but the plan's cost: for late tracking (signal context) and when prediction fails.
Estimate ColdEstimate(double total_cost, double at_least_ms);

}  // namespace query_shaper
