// Plans and simulated runs for the tests of room `track`.
#pragma once
#include <algorithm>

#include "core/track/progress.h"

namespace query_shaper::track_test {

inline PlanNode& AddNode(PlanTree* plan, int parent, ChildRole role, Operator op, double rows) {
  PlanNode& node = plan->nodes[plan->count];
  node.node_id = plan->count;
  node.parent = parent;
  node.depth = static_cast<int16_t>(parent < 0 ? 0 : plan->nodes[parent].depth + 1);
  node.role = role;
  node.op = op;
  node.rows = rows;
  node.width = 16;
  ++plan->count;
  return node;
}

inline void SetRelation(PlanNode* node, double rows, double pages) {
  node->relation_rows = rows;
  node->relation_pages = pages;
}

// Aggregate over a sequential scan of a million rows.
inline PlanTree ScanPlan(double estimated_rows) {
  PlanTree plan;
  AddNode(&plan, -1, ChildRole::kRoot, Operator::kAgg, 1).agg = AggStrategy::kPlain;
  PlanNode& scan = AddNode(&plan, 0, ChildRole::kOuter, Operator::kSeqScan, estimated_rows);
  SetRelation(&scan, 1e6, 10000);
  scan.quals = 1;
  return plan;
}

// Aggregate over a hash join: 2 the probe's scan, 3 the hash, 4 its scan.
inline PlanTree JoinPlan() {
  PlanTree plan;
  AddNode(&plan, -1, ChildRole::kRoot, Operator::kAgg, 1).agg = AggStrategy::kPlain;
  AddNode(&plan, 0, ChildRole::kOuter, Operator::kHashJoin, 1e6).join = JoinKind::kInner;
  SetRelation(&AddNode(&plan, 1, ChildRole::kOuter, Operator::kSeqScan, 1e6), 1e6, 10000);
  AddNode(&plan, 1, ChildRole::kInner, Operator::kHash, 1e6);
  SetRelation(&AddNode(&plan, 3, ChildRole::kOuter, Operator::kSeqScan, 1e6), 1e6, 10000);
  return plan;
}

inline Estimate Guess(double ms, double log_sd) {
  Estimate estimate;
  estimate.targets[kTimeMs] = {ms, ms / 2, ms * 2};
  estimate.log_sd = log_sd;
  return estimate;
}

// The scan of ScanPlan read to `share`, passing `selectivity` of its rows.
inline void ScanAt(NodeCounters* counters, double share, double selectivity) {
  share = std::clamp(share, 0.0, 1.0);
  counters[0].rows = 0;
  counters[1].rows = 1e6 * share * selectivity;
  counters[1].done_units = 10000 * share;
  counters[1].total_units = 10000;
}

// JoinPlan at `share` of its time: the build takes the first half.
inline void JoinAt(NodeCounters* counters, double share) {
  double build = std::clamp(2 * share, 0.0, 1.0), probe = std::clamp(2 * share - 1, 0.0, 1.0);
  counters[0].rows = 0;
  counters[1].rows = 1e6 * probe;
  counters[1].held_rows = 1e6 * build;
  counters[1].filled = build >= 1;
  counters[1].batches = 1;
  counters[2].done_units = 10000 * probe;
  counters[2].total_units = 10000;
  counters[4].done_units = build >= 1 ? 0 : 10000 * build;
  counters[4].total_units = 10000;
}

inline Tick At(double elapsed_ms, Wait wait = Wait::kNone) {
  Tick tick;
  tick.elapsed_ms = elapsed_ms;
  if (wait == Wait::kNone) tick.cpu_ms = elapsed_ms;  // a waiting process uses none
  tick.wait = wait;
  return tick;
}

}  // namespace query_shaper::track_test
