// Statements made up for the tests: a plan with known work, and the time that known operator rates give it.
#pragma once
#include <cmath>
#include <memory>
#include <random>

#include "core/plan/features.h"
#include "core/predict/plan_sequence.h"
#include "core/predict/predict.h"

namespace query_shaper {

// Kinds 0..5 differ in shape; scale moves rows like another constant would.
struct MadeRun {
  FeatureVector features;
  PlanSequence sequence;
  Actual actual;
};

inline PlanNode& AddNode(PlanTree* plan, int parent, ChildRole role, Operator op, double rows, double cost) {
  PlanNode& node = plan->nodes[plan->count];
  node.node_id = plan->count++;
  node.parent = parent;
  node.role = role;
  node.op = op;
  node.rows = rows;
  node.total_cost = cost;
  node.width = 16;
  return node;
}

// speed: of the server; noise: standard deviation of log time.
inline MadeRun MakeRun(int kind, double scale, double speed, double noise, std::mt19937* random) {
  auto plan = std::make_unique<PlanTree>();
  const double rows = 50000 * scale;
  double ms = 0;
  switch (kind % 6) {
    case 0: {
      PlanNode& scan = AddNode(plan.get(), -1, ChildRole::kRoot, Operator::kSeqScan, rows / 10, rows * 0.02);
      scan.relation_rows = rows;
      scan.relation_pages = rows / 100;
      scan.quals = 1;
      ms = rows * 1.0e-4;
      break;
    }
    case 1: {
      AddNode(plan.get(), -1, ChildRole::kRoot, Operator::kSort, rows, rows * 0.15);
      AddNode(plan.get(), 0, ChildRole::kOuter, Operator::kSeqScan, rows, rows * 0.015).relation_rows = rows;
      ms = rows * (8e-5 + 4e-5 * std::log2(rows));
      break;
    }
    case 2: {
      AddNode(plan.get(), -1, ChildRole::kRoot, Operator::kNestLoop, rows, rows * 0.4).join = JoinKind::kInner;
      AddNode(plan.get(), 0, ChildRole::kOuter, Operator::kSeqScan, rows / 5, rows * 0.01).relation_rows = rows / 5;
      AddNode(plan.get(), 0, ChildRole::kInner, Operator::kIndexScan, 5, 0.4);
      ms = rows / 5 * 2.5e-3 + rows * 2e-4;
      break;
    }
    case 3: {
      PlanNode& agg = AddNode(plan.get(), -1, ChildRole::kRoot, Operator::kAgg, 500, rows * 0.05);
      agg.agg = AggStrategy::kHashed;
      agg.groups = 500;
      agg.aggregates = 1;
      AddNode(plan.get(), 0, ChildRole::kOuter, Operator::kSeqScan, rows, rows * 0.02).relation_rows = rows;
      ms = rows * 2.5e-4;
      break;
    }
    case 4: {
      AddNode(plan.get(), -1, ChildRole::kRoot, Operator::kHashJoin, rows, rows * 0.06).join = JoinKind::kInner;
      AddNode(plan.get(), 0, ChildRole::kOuter, Operator::kSeqScan, rows, rows * 0.02).relation_rows = rows;
      AddNode(plan.get(), 0, ChildRole::kInner, Operator::kHash, rows / 4, rows * 0.005);
      AddNode(plan.get(), 2, ChildRole::kOuter, Operator::kSeqScan, rows / 4, rows * 0.005).relation_rows = rows / 4;
      ms = rows * 3.2e-4;
      break;
    }
    default: {
      AddNode(plan.get(), -1, ChildRole::kRoot, Operator::kWindowAgg, rows, rows * 0.17).aggregates = 1;
      AddNode(plan.get(), 0, ChildRole::kOuter, Operator::kSort, rows, rows * 0.14);
      AddNode(plan.get(), 1, ChildRole::kOuter, Operator::kSeqScan, rows, rows * 0.015).relation_rows = rows;
      ms = rows * (4e-4 + 4e-5 * std::log2(rows));
    }
  }
  MadeRun run;
  run.features = ExtractFeatures(*plan, Moment{});
  ExtractSequence(*plan, Moment{}, &run.sequence);
  std::normal_distribution<double> normal(0, 1);
  run.actual.complete = true;
  run.actual.targets[kTimeMs] = ms / speed * std::exp(noise * normal(*random));
  run.actual.targets[kMemoryKb] = rows * 0.05;
  run.actual.targets[kRows] = plan->nodes[0].rows;
  run.actual.targets[kTempKb] = 0;
  run.actual.targets[kBlocks] = rows / 100;
  run.actual.targets[kCpuMs] = 0.9 * run.actual.targets[kTimeMs];
  return run;
}

inline double QError(double predicted, double actual) {
  const double ratio = std::max(predicted, 1e-3) / std::max(actual, 1e-3);
  return std::max(ratio, 1 / ratio);
}

constexpr double kHalfLife = 30 * 86400.0;

}  // namespace query_shaper
