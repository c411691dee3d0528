#include "core/decide/plan_doubt.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace query_shaper {

namespace {

constexpr double kAskShare = 0.05;  // of the running time may go into planning
constexpr double kExploded = 3;     // times the prediction, beside its own doubt
constexpr double kWorthMs = 50;     // time left that is worth a look
constexpr double kMaxRatio = 1e6;
constexpr double kMaterialRow = 0.005;  // planner's cost of returning a kept row again: 2 cpu_operator_cost
constexpr double kJoinedRow = 0.01;     // and of making a row of a join: cpu_tuple_cost

double Ratio(double now, double then) {
  return std::clamp(std::max(now, 1.0) / std::max(then, 1.0), 1 / kMaxRatio, kMaxRatio);
}

bool IsJoin(Operator op) {
  return op == Operator::kNestLoop || op == Operator::kHashJoin || op == Operator::kMergeJoin;
}

bool CostsByRow(Operator op) {
  return op == Operator::kIndexScan || op == Operator::kIndexOnlyScan || op == Operator::kBitmapHeapScan ||
         op == Operator::kCteScan || op == Operator::kFunctionScan;
}

// Sums over the children of each node, gathered in one pass from the leaves up: a parent stands before its children.
struct Sums {
  double outer_cost = 0, outer_now = 0, outer_then = 0, outer_cost_then = 0;
  double inner_cost = 0, inner_now = 0, inner_then = 0, inner_cost_then = 0;
  double init_cost = 0, init_cost_then = 0;
  Operator inner_op = Operator::kOther;
  bool any = false, inner = false;
};

// The planner's own costs of hash and merge joins go by a count of pairs that knows nothing of the rows put into the
// relation (approx_tuple_count() in costsize.c): a join of many rows can stand there for nothing. And what a nested
// loop costs beside its inner scans is lost among them.
double LeastOwnCost(double rows) { return kJoinedRow * rows; }

double NestLoopCost(const PlanNode& node, const Sums& sums, double now) {
  double outer_ratio = Ratio(sums.outer_now, sums.outer_then);
  double pairs_ratio = outer_ratio * Ratio(sums.inner_now, sums.inner_then);
  double planned_loops = std::max(1.0, sums.outer_then);
  double loop_cost = node.total_cost - sums.outer_cost_then - sums.init_cost_then;
  if (sums.inner_op == Operator::kMaterial) {
    double again = kMaterialRow * sums.inner_then;
    double own = std::max(0.0, loop_cost - sums.inner_cost_then - (planned_loops - 1) * again);
    double loops = std::max(1.0, planned_loops * outer_ratio);
    return sums.outer_cost + sums.inner_cost + (loops - 1) * kMaterialRow * sums.inner_now +
           std::max(own * pairs_ratio, LeastOwnCost(now));
  }
  // Scans of the inner side as they were paid for: fewer than loops where a cache answers.
  double scans = sums.inner_cost_then > 0 ? std::clamp(loop_cost / sums.inner_cost_then, 1.0, planned_loops) : 1.0;
  double own = std::max(0.0, loop_cost - scans * sums.inner_cost_then);
  return sums.outer_cost + scans * outer_ratio * sums.inner_cost + std::max(own * pairs_ratio, LeastOwnCost(now));
}

double NodeCost(const PlanNode& node, const Sums& sums, double now) {
  if (!sums.any) {
    if (!CostsByRow(node.op)) return node.total_cost;
    // The way down an index is paid for once.
    double start = std::clamp(node.startup_cost, 0.0, node.total_cost);
    return start + (node.total_cost - start) * std::max(1.0, Ratio(now, node.rows));
  }
  double init_growth = sums.init_cost - sums.init_cost_then;
  if (node.op == Operator::kNestLoop && sums.inner) return NestLoopCost(node, sums, now) + sums.init_cost;
  double children_then = sums.outer_cost_then + sums.inner_cost_then;
  double own = std::max(0.0, node.total_cost - children_then - sums.init_cost_then);
  double now_rows = now + sums.outer_now + sums.inner_now;
  double then_rows = node.rows + sums.outer_then + sums.inner_then;
  own *= Ratio(now_rows, then_rows);
  if (IsJoin(node.op)) own = std::max(own, LeastOwnCost(now));
  return own + sums.outer_cost + sums.inner_cost + sums.init_cost_then + init_growth;
}

}  // namespace

uint64_t RowLimit(double planned_rows, double factor) {
  double limit = std::max(planned_rows, 1.0) * std::max(factor, 1.0);
  return limit < 1e18 ? static_cast<uint64_t>(limit) + 1 : std::numeric_limits<uint64_t>::max();
}

uint64_t RaisedRowLimit(uint64_t rows, double factor) {
  return RowLimit(static_cast<double>(rows), std::max(factor, 2.0));
}

double CostUnder(const PlanTree& plan, const double* known) {
  Sums sums[kMaxPlanNodes];
  double total = 0;
  for (int i = plan.count - 1; i >= 0; --i) {
    const PlanNode& node = plan.nodes[i];
    const Sums& below = sums[i];
    double now = known == nullptr ? -1 : known[i];
    if (now < 0) {
      double ratio = below.any ? Ratio(below.outer_now, below.outer_then) : 1.0;
      if (IsJoin(node.op) && below.inner) ratio *= Ratio(below.inner_now, below.inner_then);
      now = node.rows * std::min(ratio, kMaxRatio);
    }
    double cost = NodeCost(node, below, now);
    if (node.parent < 0) {
      total += cost;
      continue;
    }
    Sums& above = sums[node.parent];
    switch (node.role) {
      case ChildRole::kSubPlan:
        break;  // paid for per call, inside what its parent costs by itself
      case ChildRole::kInitPlan:
        above.init_cost += cost;
        above.init_cost_then += node.total_cost;
        above.any = true;
        break;
      case ChildRole::kInner:
        above.inner_cost += cost;
        above.inner_cost_then += node.total_cost;
        above.inner_now += now;
        above.inner_then += node.rows;
        above.inner_op = node.op;
        above.any = above.inner = true;
        break;
      default:
        above.outer_cost += cost;
        above.outer_cost_then += node.total_cost;
        above.outer_now += now;
        above.outer_then += node.rows;
        above.any = true;
        break;
    }
  }
  return total;
}

void ShareBeliefs(const PlanTree& running, const SetName* running_names, const PlanTree& fresh,
                  const SetName* fresh_names, double* believed) {
  for (int i = 0; i < running.count; ++i) {
    if (running_names[i].key == 0) continue;
    for (int j = 0; j < fresh.count; ++j) {
      const SetName& other = fresh_names[j];
      if (other.key != running_names[i].key || other.constants != running_names[i].constants) continue;
      believed[i] = fresh.nodes[j].rows;
      break;
    }
  }
}

bool MayAsk(double elapsed_ms, double asking_ms, double min_ms) {
  return elapsed_ms >= min_ms && asking_ms <= kAskShare * elapsed_ms + 1;
}

bool TimeExploded(const TimeQuestion& question) {
  if (!MayAsk(question.elapsed_ms, question.asking_ms, question.min_ms)) return false;
  if (question.asked_ms > 0 && question.elapsed_ms < 2 * question.asked_ms) return false;
  if (question.eta_ms < std::max(kWorthMs, 0.2 * question.elapsed_ms)) return false;
  double doubt = question.predicted ? std::exp(1.28 * std::clamp(question.predicted_log_sd, 0.0, 2.0)) : 1;
  return question.elapsed_ms + question.eta_ms > kExploded * doubt * std::max(question.predicted_ms, 1.0);
}

}  // namespace query_shaper
