// Begin(): the plan's pipelines and the rows expected before anything ran.
#include "core/track/progress.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {

namespace {

constexpr double kPlannedStrength = 0.05;  // share of the input that the planner's estimate is worth
constexpr double kLearnedStrength = 0.25;  // the same for rows learned without spread

bool TakesAllInput(const PlanNode& node) {
  return node.op == Operator::kHash || node.op == Operator::kSort || node.op == Operator::kBitmapIndexScan ||
         (node.op == Operator::kAgg && (node.agg == AggStrategy::kHashed || node.agg == AggStrategy::kMixed));
}

// Rows per process that PostgreSQL plans for are the whole divided by this (cost of parallel plans, leader included).
double ParallelDivisor(int workers) { return workers + std::max(0.0, 1 - 0.3 * workers); }

}  // namespace

void Progress::Cut(const PlanTree& plan) {
  count_ = std::clamp(plan.count, 0, kMaxPlanNodes);
  pipelines_ = 1;
  int16_t last_child[kMaxPlanNodes];
  for (int i = 0; i < count_; ++i) {
    const PlanNode& node = plan.nodes[i];
    Link& link = links_[i];
    link = {-1, -1, -1, -1, 0, 0, -1, false};
    last_child[i] = -1;
    int parent = node.parent;
    if (parent < 0 || parent >= i) continue;
    Link& up = links_[parent];
    if (last_child[parent] < 0) {
      up.first_child = static_cast<int16_t>(i);
    } else {
      links_[last_child[parent]].next_sibling = static_cast<int16_t>(i);
    }
    last_child[parent] = static_cast<int16_t>(i);
    link.in_subplan = up.in_subplan;
    link.pipeline = up.feed;
    link.loop_source = up.loop_source;
    const PlanNode& above = plan.nodes[parent];
    switch (node.role) {
      case ChildRole::kInner:
        up.inner = static_cast<int16_t>(i);
        if (above.op == Operator::kNestLoop && up.outer >= 0 && node.op != Operator::kMaterial) {
          link.loop_source = up.outer;
        }
        break;
      case ChildRole::kInitPlan:
        link.pipeline = static_cast<int16_t>(std::min(pipelines_, kMaxPipelines - 1));
        pipelines_ = std::min(pipelines_ + 1, kMaxPipelines);
        link.loop_source = -1;
        break;
      case ChildRole::kSubPlan:
        link.in_subplan = true;
        break;
      default:
        if (up.outer < 0) up.outer = static_cast<int16_t>(i);
    }
    link.feed = link.pipeline;
    // Below a nested loop's inner side the same small pipeline would begin again and again: leave it whole.
    if (TakesAllInput(node) && node.op != Operator::kBitmapIndexScan && link.loop_source < 0 && !link.in_subplan) {
      link.feed = static_cast<int16_t>(std::min(pipelines_, kMaxPipelines - 1));
      pipelines_ = std::min(pipelines_ + 1, kMaxPipelines);
    }
  }
  if (count_ > 0 && TakesAllInput(plan.nodes[0])) {
    // The root got no turn above because it has no parent; its children were given its own pipeline, which is harmless:
    // its output phase is then accounted with its input.
    links_[0].feed = 0;
  }
  // A depth-first array read backwards meets inner before outer; loops need the outer first.
  int filled = 0;
  int16_t cursor = 0;
  bool descend = true;
  while (count_ > 0) {
    if (descend && links_[cursor].first_child >= 0) {
      cursor = links_[cursor].first_child;
      continue;
    }
    order_[filled++] = cursor;
    if (filled >= count_ || cursor == 0) break;
    descend = links_[cursor].next_sibling >= 0;
    cursor = descend ? links_[cursor].next_sibling : static_cast<int16_t>(plan.nodes[cursor].parent);
    if (cursor < 0) break;
  }
  // Nodes that a malformed tree hides from the walk still get a place, so that every state is defined.
  count_ = filled;
}

void Progress::PlanRows(const PlanTree& plan, const Pace* pace) {
  double divisor[kMaxPlanNodes];
  bool partial[kMaxPlanNodes];
  for (int i = count_ - 1; i >= 0; --i) partial[i] = plan.nodes[i].parallel_aware;
  for (int i = count_ - 1; i > 0; --i) {
    int parent = plan.nodes[i].parent;
    if (parent >= 0 && partial[i] && plan.nodes[i].role != ChildRole::kInitPlan) partial[parent] = true;
  }
  for (int i = 0; i < count_; ++i) {
    const PlanNode& node = plan.nodes[i];
    int parent = node.parent;
    bool gather =
        parent >= 0 && (plan.nodes[parent].op == Operator::kGather || plan.nodes[parent].op == Operator::kGatherMerge);
    divisor[i] = gather ? std::max<int>(1, plan.nodes[parent].workers) : (parent >= 0 ? divisor[parent] : 0);
    if (node.op == Operator::kGather || node.op == Operator::kGatherMerge) divisor[i] = 0;
  }
  for (int k = 0; k < count_; ++k) {
    int i = order_[k];
    const PlanNode& node = plan.nodes[i];
    const Link& link = links_[i];
    NodeState& state = states_[i];
    double rows = std::max(0.0, node.rows);
    if (!std::isfinite(rows)) rows = 1;
    bool looped = link.loop_source >= 0 && link.loop_source != i;
    if (looped) {
      state.planned = rows * std::max(1.0, states_[link.loop_source].planned);
    } else if (divisor[i] > 0) {
      // Every process runs a part of a partial subtree, and the whole of another.
      state.planned = rows * (partial[i] ? ParallelDivisor(static_cast<int>(divisor[i])) : divisor[i] + 1);
    } else {
      state.planned = rows;
    }
    state.planned = std::min(std::max(state.planned, 0.0), 1e15);
    state.prior = state.planned;
    state.strength = kPlannedStrength;
    state.log_sd = node.op == Operator::kSeqScan && node.quals == 0 ? 0.02 : 0.7;
    if (pace != nullptr && i < kPaceNodes && pace->row_weight[i] > 0) {
      double factor = std::clamp<double>(pace->row_factor[i], -20, 20);
      // A run or two says little about the spread between constants.
      double spread = (pace->row_spread[i] * pace->row_weight[i] + 0.35) / (pace->row_weight[i] + 1);
      state.prior = std::max(state.planned, 0.5) * std::exp(factor);
      state.strength = kLearnedStrength / (1 + 4 * spread);
      state.log_sd = std::min(state.log_sd, 0.05 + 1.2 * spread);
    }
    state.total = state.prior;
  }
}

}  // namespace query_shaper
