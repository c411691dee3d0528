// Begin(): the plan's pipelines and the rows expected before anything ran.
#include "core/track/progress.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {

namespace {

constexpr double kPriorStrength =
    0.0016;  // an estimate of log standard deviation s weighs like the share this / s^2 of the input
constexpr double kLearnedStrength = 0.018;  // the same for rows learned from earlier runs
constexpr double kRecursionGrowth = 4;      // rows of a recursive union over those it starts from
constexpr double kIterations = 10;          // of a recursive union, as the planner assumes
// Groups are overestimated the more, the nearer they are to the rows grouped: several keys or an expression without
// statistics make the planner fall back on that. Factor exp(bias sqrt(groups / rows)).
constexpr double kGroupBias = -4.8;
constexpr double kLoopedLogSd = 2.6;        // of rows per loop: the loops seen say more than the estimate
constexpr double kGroupLogSdSlope = 0.046;  // over 0.3, per share of groups in rows
constexpr double kJoinLogSd = 0.33;
constexpr double kFactorLogSd = 0.6;         // of a learned row factor between constants, before its spread is known:
constexpr double kFactorLogSdSlope = 0.094;  // this much, and this much more per log of the factor
constexpr double kFactorDoubt = 2.0;         // standard deviations of learned factors are shown wider by this

bool TakesAllInput(const PlanNode& node) {
  return node.op == Operator::kHash || node.op == Operator::kSort || node.op == Operator::kBitmapIndexScan ||
         (node.op == Operator::kAgg && (node.agg == AggStrategy::kHashed || node.agg == AggStrategy::kMixed));
}

bool Groups(const PlanNode& node) {
  return (node.op == Operator::kAgg && node.agg != AggStrategy::kPlain) || node.op == Operator::kUnique ||
         node.op == Operator::kGroup;
}

// How far planned rows err, as the standard deviation of log(actual / planned) met on real data.
double PlannedLogSd(const PlanTree& plan, int i, int outer, bool looped) {
  const PlanNode& node = plan.nodes[i];
  if (looped) return kLoopedLogSd;
  if (outer < 0) {
    if (node.relation_rows <= 0) return 0.8;
    if (node.rows >= 0.98 * node.relation_rows && node.quals == 0) return 0.02;
    return node.quals <= 1 ? 0.08 : 0.5;
  }
  if (Groups(node))
    return 0.3 + kGroupLogSdSlope * std::clamp(node.rows / std::max(1.0, plan.nodes[outer].rows), 0.0, 1.0);
  switch (node.op) {
    case Operator::kNestLoop:
    case Operator::kMergeJoin:
    case Operator::kHashJoin:
      return kJoinLogSd;
    case Operator::kRecursiveUnion:
      return 1.5;
    default:
      return node.quals > 0 ? 0.5 : 0.1;
  }
}

// The planner charges a correlated subplan's cost for every row of its owner, a hashed one's once.
double CallsOf(const PlanTree& plan, int owner, int outer) {
  const PlanNode& node = plan.nodes[outer >= 0 ? outer : owner];
  return std::max(1.0, node.rows);
}

// Rows per process that PostgreSQL plans for are the whole divided by this (cost of parallel plans, leader included).
double ParallelDivisor(int workers) { return workers + std::max(0.0, 1 - 0.3 * workers); }

}  // namespace

bool Progress::RunsPerRow(const PlanTree& plan, int owner, int subplan, const Link& link) const {
  double below = 0;
  for (int c = 0; c < count_; ++c) {
    ChildRole role = plan.nodes[c].role;
    if (plan.nodes[c].parent == owner && role != ChildRole::kSubPlan && role != ChildRole::kInitPlan) {
      below += plan.nodes[c].total_cost;
    }
  }
  double own = plan.nodes[owner].total_cost - below;
  double calls = CallsOf(plan, owner, link.outer);
  return calls > 1.5 && own > 0.4 * calls * plan.nodes[subplan].total_cost;
}

void Progress::Cut(const PlanTree& plan) {
  count_ = std::clamp(plan.count, 0, kMaxPlanNodes);
  pipelines_ = 1;
  int16_t last_child[kMaxPlanNodes];
  for (int i = 0; i < count_; ++i) {
    const PlanNode& node = plan.nodes[i];
    Link& link = links_[i];
    link = {-1, -1, -1, -1, 0, 0, 0, -1, -1, -1, static_cast<int16_t>(i), false, false};
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
    link.met_once = up.met_once;
    // A hash table inside a recursion is built in the first round and kept.
    link.recursion = plan.nodes[parent].op == Operator::kHash ? int16_t{-1} : up.recursion;
    const PlanNode& above = plan.nodes[parent];
    switch (node.role) {
      case ChildRole::kInner:
        up.inner = static_cast<int16_t>(i);
        if (above.op == Operator::kNestLoop && up.outer >= 0) {
          link.loop_source = up.outer;
          link.met_once = above.outer_unique;
        }
        if (above.op == Operator::kRecursiveUnion) link.recursion = static_cast<int16_t>(parent);
        break;
      case ChildRole::kInitPlan:
        link.pipeline = static_cast<int16_t>(std::min(pipelines_, kMaxPipelines - 1));
        pipelines_ = std::min(pipelines_ + 1, kMaxPipelines);
        link.loop_source = -1;
        break;
      case ChildRole::kSubPlan:
        link.in_subplan = true;
        if (RunsPerRow(plan, parent, i, up)) link.loop_source = up.outer >= 0 ? up.outer : static_cast<int16_t>(parent);
        break;
      default:
        if (up.outer < 0) up.outer = static_cast<int16_t>(i);
    }
    // A Material below a nested loop gives its rows out in every loop, but takes them in once.
    if (above.op == Operator::kMaterial && above.role == ChildRole::kInner && above.parent >= 0 &&
        plan.nodes[above.parent].op == Operator::kNestLoop) {
      link.loop_source = links_[above.parent].loop_source;
    }
    link.feed = link.pipeline;
    // Below a nested loop's inner side the same small pipeline would begin again and again: leave it whole.
    if (TakesAllInput(node) && node.op != Operator::kBitmapIndexScan && link.loop_source < 0 && !link.in_subplan &&
        (link.recursion < 0 || node.op == Operator::kHash)) {
      link.feed = static_cast<int16_t>(std::min(pipelines_, kMaxPipelines - 1));
      pipelines_ = std::min(pipelines_ + 1, kMaxPipelines);
    }
  }
  for (int i = 0; i < count_; ++i) {
    const PlanNode& node = plan.nodes[i];
    Link& link = links_[i];
    // Duplicate keys of the outer side have the inner side's read again: what it returns is more than there is.
    bool rewound = node.role == ChildRole::kInner && plan.nodes[node.parent].op == Operator::kMergeJoin;
    if (rewound && link.outer >= 0 && (node.op == Operator::kMaterial || node.op == Operator::kSort))
      link.once = link.outer;
    link.blind = link.feed;
    bool once = link.loop_source < 0 && !link.in_subplan && link.recursion < 0;
    bool sorts = node.op == Operator::kSort ||
                 (node.op == Operator::kAgg && node.distinct_input && node.agg == AggStrategy::kPlain);
    if (once && sorts && pipelines_ < kMaxPipelines) link.blind = static_cast<int16_t>(pipelines_++);
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
  for (int i = 0; i < count_; ++i) {
    if (plan.nodes[i].op != Operator::kCteScan || plan.nodes[i].quals > 0) continue;
    for (int c = 0; c < count_; ++c) {
      bool same = plan.nodes[c].role == ChildRole::kInitPlan && plan.nodes[c].rows == plan.nodes[i].rows;
      if (same) links_[i].cte = static_cast<int16_t>(c);
    }
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
    // Every process runs a part of a partial subtree, and the whole of another.
    state.processes =
        divisor[i] > 0 ? (partial[i] ? ParallelDivisor(static_cast<int>(divisor[i])) : divisor[i] + 1) : 1;
    if (looped) {
      // A subplan's owner comes after it in the order.
      const PlanNode& source = plan.nodes[link.loop_source];
      bool owner = false;
      for (int up = node.parent; up >= 0; up = plan.nodes[up].parent) owner = owner || up == link.loop_source;
      double loops = owner ? source.rows : states_[link.loop_source].planned;
      state.planned = rows * std::max(1.0, loops);
      if (owner) states_[link.loop_source].prior = states_[link.loop_source].total = std::max(1.0, source.rows);
    } else if (divisor[i] > 0) {
      state.planned = rows * state.processes;
    } else {
      state.planned = link.recursion >= 0 && node.op != Operator::kHash ? rows * kIterations : rows;
    }
    state.planned = std::min(std::max(state.planned, 0.0), 1e15);
    state.prior = state.planned * InputRatio(node, link, &NodeState::prior, &NodeState::planned);
    state.prior = std::min(state.prior, JoinBound(node, link, &NodeState::prior));
    if (link.outer < 0 && link.met_once && node.relation_rows > 0) {
      state.prior = std::min(state.prior, node.relation_rows);
    }
    double through = state.prior, learned_strength = 0;
    state.log_sd = PlannedLogSd(plan, i, link.outer, looped);
    // Planned growth of a recursion is a guess far too high as a rule: it ends after a few rounds.
    if (node.op == Operator::kRecursiveUnion && link.outer >= 0) {
      state.prior = std::min(state.prior, kRecursionGrowth * states_[link.outer].planned);
    }
    if (Groups(node) && link.outer >= 0) {
      double share = std::clamp(node.rows / std::max(1.0, plan.nodes[link.outer].rows), 0.0, 1.0);
      state.prior *= std::exp(kGroupBias * std::sqrt(share));
    }
    if (pace != nullptr && i < kPaceNodes && pace->row_weight[i] > 0) {
      double factor = std::clamp<double>(pace->row_factor[i], -20, 20);
      // Between constants a factor varies the more the further it is from one; a run or two does not show how much.
      double runs = pace->row_weight[i];
      double guess = kFactorLogSd + kFactorLogSdSlope * std::fabs(factor), seen = 1.25 * pace->row_spread[i];
      double spread = std::sqrt((guess * guess + runs * seen * seen) / (runs + 1));
      factor *= runs / (runs + spread * spread);
      state.prior = std::max(through, 0.5) * std::exp(factor);
      learned_strength = kLearnedStrength / ((0.05 + spread) * (0.05 + spread));
      state.log_sd = std::min(state.log_sd, 0.05 + kFactorDoubt * spread);
    }
    state.strength = std::clamp(std::max(learned_strength, kPriorStrength / (state.log_sd * state.log_sd)), 0.005, 2.0);
    state.total = state.prior;
  }
  for (int i = 0; i < count_; ++i) {
    int rounds = links_[i].recursion;
    if (rounds < 0 || plan.nodes[i].op == Operator::kHash || states_[rounds].planned <= 0) continue;
    states_[i].prior *= std::min(1.0, states_[rounds].prior / states_[rounds].planned);
    states_[i].total = states_[i].prior;
  }
}

void Progress::Believe(const PlanTree& plan, const double* rows, const double* log_sd) {
  double ratio[kMaxPlanNodes];  // of what is believed now to what was before
  for (int k = 0; k < count_; ++k) {
    const int i = order_[k];
    NodeState& state = states_[i];
    const Link& link = links_[i];
    ratio[i] = 1;
    if (link.outer >= 0) {
      ratio[i] = ratio[link.outer];
    } else if (link.loop_source >= 0 && link.loop_source != i && !link.in_subplan) {
      ratio[i] = ratio[link.loop_source];
    }
    if (state.finished) {
      ratio[i] = 1;
    } else if (rows[i] >= 0) {
      ratio[i] = (rows[i] + 0.5) / (state.prior + 0.5);
      state.told = true;
      state.log_sd = std::max(log_sd[i], 0.02);
      state.strength = std::clamp(kPriorStrength / (state.log_sd * state.log_sd), 0.005, 2.0);
    } else if (Groups(plan.nodes[i])) {
      ratio[i] = std::min(ratio[i], 1.0);
    }
    state.prior *= ratio[i];
    // What is looked up for each outer row comes out of the join: where the sample knew the join alone, that tells of
    // the look-ups, too.
    const bool loops = plan.nodes[i].op == Operator::kNestLoop && link.inner >= 0 && rows[i] >= 0 &&
                       links_[link.inner].loop_source == link.outer && rows[link.inner] < 0;
    if (!loops || state.finished) continue;
    const double more = ratio[i] / std::max(ratio[link.inner], 1e-12);
    for (int below = 0; below < k; ++below) {
      const int j = order_[below];
      if (links_[j].loop_source == link.outer && !links_[j].in_subplan && !states_[j].finished) {
        states_[j].prior *= more;
      }
    }
  }
}

}  // namespace query_shaper
