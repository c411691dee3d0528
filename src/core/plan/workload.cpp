#include "core/plan/workload.h"

namespace query_shaper {

namespace {

constexpr double kTupleHeader = 24;  // of a MinimalTuple with its pointer, roughly
constexpr double kTupleCost = 0.01;  // the planner's defaults, where its prices are read back
constexpr double kIndexTupleCost = 0.005;
constexpr double kOperatorCost = 0.0025;
constexpr double kRandomPageCost = 4;

double Sane(double value) { return Workload::Sane(value); }
double Kb(double rows, double width) { return Sane(rows * (Sane(width) + kTupleHeader) / 1024); }
double Compares(double rows) { return Sane(rows * std::log2(std::max(rows, 2.0))); }

bool IsScan(Operator op) { return op >= Operator::kSeqScan && op <= Operator::kCustomScan; }

// Nothing comes out before all input is in: a LIMIT above does not shorten what is below.
bool Blocks(const PlanNode& node) {
  return node.op == Operator::kSort || node.op == Operator::kHash || node.op == Operator::kSetOp ||
         (node.op == Operator::kAgg && node.agg != AggStrategy::kSorted);
}

// Distinct blocks hit by `rows` random fetches into a heap of `pages` blocks.
double FetchedPages(double rows, double pages) {
  pages = std::max(Sane(pages), 1.0);
  return std::min(pages, 2 * pages * rows / (2 * pages + rows)) + 0.05 * std::max(rows - pages, 0.0);
}

}  // namespace

Workload::Workload(const PlanTree& plan, const Moment& moment)
    : plan_(plan), count_(std::clamp(plan.count, 0, kMaxPlanNodes)) {
  for (int i = 0; i < count_; ++i) outer_[i] = inner_[i] = -1;
  for (int i = 1; i < count_; ++i) {
    const int parent = Parent(i);
    if (parent < 0) continue;
    if (plan.nodes[i].role == ChildRole::kOuter) outer_[parent] = i;
    if (plan.nodes[i].role == ChildRole::kInner) inner_[parent] = i;
  }
  for (int i = 0; i < count_; ++i) demand_[i] = DemandOn(i);
  work_mem_kb_ = moment.work_mem_kb > 0 ? Sane(moment.work_mem_kb) : 4096;
}

void Workload::AddTo(double* work) const {
  for (int i = 0; i < count_; ++i) AddNode(i, work);
  if (count_ > 0) {
    work[feature::kOutputRows] = Sane(plan_.nodes[0].rows);
    if (plan_.to_client) work[feature::kOutputKb] = Kb(plan_.nodes[0].rows, plan_.nodes[0].width);
    work[feature::kTotalCost] = Sane(plan_.nodes[0].total_cost);
    work[feature::kStartupCost] = Sane(plan_.nodes[0].startup_cost);
  }
  work[feature::kPlanNodes] = count_ + Sane(plan_.left_out);
}

Demand Workload::DemandOn(int i) const {
  const PlanNode& node = plan_.nodes[i];
  const int above = Parent(i);
  if (above < 0) return {};
  const PlanNode& parent = plan_.nodes[above];
  Demand demand = demand_[above];
  if (Blocks(parent)) demand.share = 1;
  switch (node.role) {
    case ChildRole::kInitPlan:
      // Under a subplan it runs again with every call; a CTE or a constant runs once, at the top.
      return {demand_[above].loops, 1};
    case ChildRole::kSubPlan:
      demand = {SubplanCalls(i), 1};
      break;
    case ChildRole::kInner:
      if (parent.op == Operator::kNestLoop) {
        demand = {InnerCalls(i), 1};
        // One match ends the call; the planner's rows are those of all matches.
        if (parent.join == JoinKind::kSemi || parent.join == JoinKind::kAnti) demand.share = 1 / std::max(Rows(i), 1.0);
      } else if (node.op == Operator::kHash) {
        // A hash table is built once and kept over rescans unless its input depends on the outer row.
        demand.share = 1;
      }
      break;
    default:
      if (parent.op == Operator::kLimit) {
        // The planner prices a LIMIT as the share of its input's run cost that it uses.
        const double run = node.total_cost - node.startup_cost;
        const double used = run > 0 ? (parent.total_cost - node.startup_cost) / run : 1;
        demand.share *= used > 0 && used < 1 ? used : 1;
      } else if (parent.op == Operator::kMaterial || parent.op == Operator::kCteScan) {
        demand.loops = 1;
      } else if (parent.op == Operator::kMemoize) {
        demand.loops = MemoizeMisses(above, demand.loops);
      }
  }
  demand.loops = std::max(Sane(demand.loops), 1e-6);
  return demand;
}

double Workload::InnerCalls(int i) const {
  const int loop = Parent(i);
  const int outer = outer_[loop];
  const Demand& above = demand_[loop];
  const double rows = outer < 0 ? 1 : std::max(Rows(outer), 1.0);
  return rows * above.loops * above.share;
}

// A memoized side is priced in its nested loop by the misses expected: read them back from the cost.
double Workload::MemoizeMisses(int memoize, double calls) const {
  const int loop = Parent(memoize);
  if (loop < 0 || plan_.nodes[loop].op != Operator::kNestLoop) return calls;
  const int outer = outer_[loop];
  const double paid = Cost(loop) - Cost(outer) - kTupleCost * std::max(Rows(outer), 1.0) * std::max(Rows(memoize), 1.0);
  const double once = Cost(memoize);
  if (!(paid > 0) || !(once > 0)) return calls;
  return std::clamp(paid / once * demand_[loop].loops, 1.0, std::max(calls, 1.0));
}

// A subplan's calls hide in the cost of the node that evaluates it; never more than that node has input rows.
double Workload::SubplanCalls(int i) const {
  const int owner = Parent(i);
  if (owner < 0) return 1;
  const PlanNode& parent = plan_.nodes[owner];
  const double own = Cost(owner) - Cost(outer_[owner]) - Cost(inner_[owner]);
  const double most = std::max({Rows(owner), Rows(outer_[owner]), Sane(parent.relation_rows), 1.0});
  const double once = Cost(i);
  const double calls = once > 0 && own > 0 ? std::clamp(own / once, 1.0, most) : 1;
  return calls * demand_[owner].loops;
}

void Workload::AddScan(int i, double* work) const {
  const PlanNode& node = plan_.nodes[i];
  const Demand& demand = demand_[i];
  const double uncached = node.cached_share >= 0 && node.cached_share <= 1 ? 1 - node.cached_share : 0;
  const double flow = Flow(i);
  double input = flow;
  double pages = 0;
  switch (node.op) {
    case Operator::kSeqScan:
    case Operator::kSampleScan: {
      // Under Gather a process reads its share of the relation: rows are per process, and the filter keeps the ratio.
      const double part = node.parallel_aware ? ParallelShare(i) : 1;
      pages = Sane(node.relation_pages) * demand.loops * demand.share * part;
      input = std::max(Sane(node.relation_rows) * demand.loops * demand.share * part, flow);
      work[feature::kSeqPages] += pages;
      work[feature::kSeqRows] += input;
      break;
    }
    case Operator::kIndexScan:
    case Operator::kIndexOnlyScan:
      pages = PricedPages(i) * demand.loops * demand.share;
      work[feature::kIndexSearches] += demand.loops;
      work[node.op == Operator::kIndexScan ? feature::kIndexRows : feature::kIndexOnlyRows] += flow;
      work[feature::kIndexPages] += pages;
      break;
    case Operator::kBitmapIndexScan:
      work[feature::kIndexSearches] += demand.loops;
      work[feature::kBitmapRows] += flow;
      break;
    case Operator::kBitmapHeapScan:
      pages = FetchedPages(Rows(outer_[i]) > 0 ? Rows(outer_[i]) * demand.loops : flow, node.relation_pages);
      work[feature::kBitmapPages] += pages;
      break;
    case Operator::kCteScan:
    case Operator::kWorkTableScan:
    case Operator::kNamedTuplestoreScan:
      work[feature::kStoredRows] += flow;
      break;
    case Operator::kTidScan:
    case Operator::kTidRangeScan:
      work[feature::kIndexRows] += flow;
      break;
    case Operator::kSubqueryScan:
      input = Flow(outer_[i]);
      work[feature::kPassedRows] += flow;
      break;
    default:
      work[feature::kFunctionRows] += flow;
  }
  work[feature::kFilterChecks] += input * std::max<int>(node.quals, 0);
  if (node.quals > 0) work[feature::kFilteredRows] += flow;
  work[feature::kRelationPages] += Sane(node.relation_pages);
  work[feature::kUncachedPages] += pages * uncached;
}

// The planner knows from the index's correlation how scattered the rows lie; its price less the price of the rows
// tells.
double Workload::PricedPages(int i) const {
  const PlanNode& node = plan_.nodes[i];
  const double rows_cost =
      Rows(i) * (kTupleCost + kIndexTupleCost + kOperatorCost * (1 + std::max<int>(node.quals, 0)));
  const double pages = (Sane(node.total_cost) - Sane(node.startup_cost) - rows_cost) / kRandomPageCost;
  return std::clamp(pages, 1.0, Rows(i) + Sane(node.index_pages) + 1);
}

double Workload::ParallelShare(int i) const {
  for (int at = Parent(i); at >= 0; at = Parent(at)) {
    const PlanNode& node = plan_.nodes[at];
    if (node.op != Operator::kGather && node.op != Operator::kGatherMerge) continue;
    const double workers = std::max<int>(node.workers, 0);
    return 1 / (workers + std::max(0.0, 1 - 0.3 * workers));  // as the planner divides, leader included
  }
  return 1;
}

void Workload::Hold(double kb, double limit_kb, double times, double* work) const {
  const double limit = limit_kb > 0 ? Sane(limit_kb) : work_mem_kb_;
  work[feature::kExpectedKb] += std::min(kb, limit);
  if (kb > limit) work[feature::kSpillKb] += 2 * (kb - limit / 2) * times;
}

void Workload::AddNode(int i, double* work) const {
  if (i < 0 || i >= count_) return;
  const PlanNode& node = plan_.nodes[i];
  const double flow = Flow(i);
  const double loops = demand_[i].loops;
  const double input = outer_[i] >= 0 ? Flow(outer_[i]) : flow;
  if (node.role == ChildRole::kSubPlan) work[feature::kSubplanCalls] += loops;
  if (IsScan(node.op)) return AddScan(i, work);
  switch (node.op) {
    case Operator::kNestLoop:
      work[feature::kLoopOuterRows] += input;
      work[feature::kLoopInnerRows] += Flow(inner_[i]);
      work[feature::kFilterChecks] += Flow(inner_[i]) * std::max<int>(node.quals, 0);
      work[feature::kJoinRows] += flow;
      ++work[feature::kJoins];
      break;
    case Operator::kHashJoin:
      work[feature::kHashProbeRows] += input;
      work[feature::kFilterChecks] += flow * std::max<int>(node.quals, 0);
      work[feature::kJoinRows] += flow;
      ++work[feature::kJoins];
      break;
    case Operator::kMergeJoin:
      work[feature::kMergeRows] += input + Flow(inner_[i]);
      work[feature::kFilterChecks] += flow * std::max<int>(node.quals, 0);
      work[feature::kJoinRows] += flow;
      ++work[feature::kJoins];
      break;
    case Operator::kHash: {
      const double kb = Kb(Rows(i), node.width);
      work[feature::kHashBuildRows] += input;
      work[feature::kHashBuildKb] += kb * loops;
      Hold(kb, node.memory_limit_kb, loops, work);
      break;
    }
    case Operator::kSort:
    case Operator::kIncrementalSort: {
      const double rows = outer_[i] >= 0 ? Rows(outer_[i]) : Rows(i);
      const double kept = node.bounded ? std::min(rows, std::max(Rows(i) * demand_[i].share, 1.0)) : rows;
      const double kb = Kb(kept, node.width);
      work[feature::kSortRows] += rows * loops;
      work[feature::kSortCompares] += Sane(rows * std::log2(std::max(kept, 2.0))) * loops;
      work[feature::kSortKb] += kb * loops;
      Hold(kb, node.memory_limit_kb, loops, work);
      break;
    }
    case Operator::kGroup:
    case Operator::kAgg:
      AddAggregate(i, input, work);
      break;
    case Operator::kWindowAgg:
      work[feature::kWindowRows] += input * (1 + std::max<int>(node.aggregates, 0));
      break;
    case Operator::kModifyTable:
      work[feature::kModifiedRows] += outer_[i] >= 0 ? Flow(outer_[i]) : std::max(flow, 1.0);
      break;
    case Operator::kGather:
    case Operator::kGatherMerge:
      work[feature::kWorkers] += std::max<int>(node.workers, 0);
      work[feature::kPassedRows] += flow;
      break;
    case Operator::kMaterial:
      work[feature::kPassedRows] += flow;
      work[feature::kExpectedKb] += std::min(Kb(Rows(i), node.width), work_mem_kb_);
      break;
    case Operator::kBitmapAnd:
    case Operator::kBitmapOr:
    case Operator::kLimit:
    case Operator::kResult:
      break;
    default:
      work[feature::kPassedRows] += flow;
  }
}

void Workload::AddAggregate(int i, double input, double* work) const {
  const PlanNode& node = plan_.nodes[i];
  const double loops = demand_[i].loops;
  const double groups = std::max(Sane(node.groups), Rows(i));
  const double calls = 1 + std::max<int>(node.aggregates, 0);
  if (node.agg == AggStrategy::kHashed || node.agg == AggStrategy::kMixed) {
    const double kb = Sane(groups * (Sane(node.width) + 4 * kTupleHeader) / 1024);
    work[feature::kHashAggregateRows] += input;
    work[feature::kGroupKb] += kb * loops;
    Hold(kb, node.memory_limit_kb, loops, work);
  }
  work[feature::kAggregateCalls] += input * calls;
  work[feature::kGroups] += groups * loops;
  if (node.distinct_input)
    work[feature::kDistinctCompares] += Compares(outer_[i] >= 0 ? Rows(outer_[i]) : Rows(i)) * loops;
}

}  // namespace query_shaper
