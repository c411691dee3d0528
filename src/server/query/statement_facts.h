// From a planned statement to its features and its prediction.
#pragma once
#include "core/plan/features.h"
#include "core/predict/predict.h"
#include "server/query/plan_reader.h"
extern "C" {
#include "nodes/params.h"
}

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
void DescribeStatement(const PlannedStmt* statement, PlanTree* tree, StatementFacts* facts);

// What predict() and fingerprint() call.
void PredictPlanned(PlannedStmt* statement, ParamListInfo params, PlanTree* tree, FeatureVector* features,
                    uint64_t* fingerprint, Estimate* estimate);

// Estimate from nothing but the plan's cost: for late tracking (signal context) and when prediction fails.
Estimate ColdEstimate(double total_cost, double at_least_ms);

}  // namespace query_shaper
