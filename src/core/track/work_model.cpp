#include "core/track/work_model.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {

namespace {

// Nanoseconds.
struct OperatorCost {
  double loop;   // per scan started
  double outer;  // per row of the outer input; leaves: per row tested
  double inner;
  double out;
  double page;
};

constexpr double kQualNs = 18;           // per clause and row tested
constexpr double kAggregateNs = 8;       // per aggregate call and input row
constexpr double kKeyNs = 10;            // per grouping or hash key and input row
constexpr double kCompareNs = 3;         // per comparison of a sort, first key
constexpr double kTieNs = 90;            // per comparison that the first key leaves open
constexpr double kSpillNsPerByte = 1;    // written and read back
constexpr double kWriteNsPerByte = 0.5;  // of a sort's runs
constexpr double kSortTupleBytes = 24;   // of a sort's array, per row
constexpr double kTupleHeadBytes = 32;   // of a row in memory, its header and its chunk's
constexpr double kGroupBytes = 64;       // of a hash aggregate's table, per group, beside the row
constexpr double kReadBackNs = 150;      // per row that a hash aggregate has set aside
constexpr double kReadNsPerByte = 0.5;
constexpr double kMergeNs = 20;  // per row of one merge pass, beside its comparisons
constexpr double kMergeNsPerByte = 0.2;
constexpr double kMergeBufferKb = 264;  // of every run that is being merged
constexpr double kReadPageNs = 12000;   // a page that is not in shared buffers but mostly in the kernel's cache

OperatorCost CostOf(const PlanNode& node) {
  switch (node.op) {
    case Operator::kSeqScan:
    case Operator::kSampleScan:
      return {1000, 24, 0, 18, 400};
    case Operator::kIndexScan:
      return {560, 0, 0, 150, 0};
    case Operator::kIndexOnlyScan:
      return {700, 0, 0, 32, 0};
    case Operator::kBitmapIndexScan:
      return {1500, 0, 0, 50, 0};
    case Operator::kBitmapAnd:
    case Operator::kBitmapOr:
      return {500, 0, 0, 10, 0};
    case Operator::kBitmapHeapScan:
      return {1500, 0, 0, 115, 800};
    case Operator::kTidScan:
    case Operator::kTidRangeScan:
      return {500, 0, 0, 250, 0};
    case Operator::kSubqueryScan:
      return {50, 15, 0, 15, 0};
    case Operator::kFunctionScan:
    case Operator::kTableFuncScan:
      return {500, 0, 0, 150, 0};
    case Operator::kValuesScan:
    case Operator::kNamedTuplestoreScan:
    case Operator::kWorkTableScan:
      return {100, 0, 0, 60, 0};
    case Operator::kCteScan:
      return {100, 0, 0, 90, 0};
    case Operator::kForeignScan:
      return {100000, 0, 0, 2000, 0};
    case Operator::kCustomScan:
      return {1000, 50, 0, 100, 0};
    case Operator::kNestLoop:
      return {100, 10, 10, 10, 0};
    case Operator::kMergeJoin:
      return {500, 50, 64, 24, 0};
    case Operator::kHashJoin:
      return {500, 35, 0, 64, 0};
    case Operator::kHash:
      return {500, 130, 0, 0, 0};
    case Operator::kSort:
      return {500, 115, 0, 27, 0};
    case Operator::kIncrementalSort:
      return {500, 65, 0, 33, 0};
    case Operator::kAgg:
      switch (node.agg) {
        case AggStrategy::kHashed:
        case AggStrategy::kMixed:
          return {500, 25, 0, 250, 0};
        case AggStrategy::kSorted:
          return {300, 6, 0, 350, 0};
        default:
          return {300, 4, 0, 50, 0};
      }
    case Operator::kGroup:
    case Operator::kUnique:
      return {100, 60, 0, 20, 0};
    case Operator::kWindowAgg:
      return {500, 75, 0, 110, 0};
    case Operator::kSetOp:
      return {500, 70, 0, 40, 0};
    case Operator::kMaterial:
      return {100, 70, 0, 24, 0};
    case Operator::kMemoize:
      return {180, 110, 0, 30, 0};
    case Operator::kGather:
      return {3000000, 150, 0, 50, 0};
    case Operator::kGatherMerge:
      return {3000000, 250, 0, 50, 0};
    case Operator::kModifyTable:
      return {1000, 2500, 0, 50, 0};
    case Operator::kLockRows:
      return {100, 600, 0, 10, 0};
    case Operator::kRecursiveUnion:
      return {500, 120, 120, 20, 0};
    case Operator::kProjectSet:
      return {50, 50, 0, 60, 0};
    case Operator::kAppend:
    case Operator::kResult:
    case Operator::kLimit:
      return {20, 10, 0, 10, 0};
    case Operator::kMergeAppend:
      return {300, 120, 0, 10, 0};
    default:
      return {100, 40, 0, 20, 0};
  }
}

// A sort (of a Sort node, or inside an aggregate) that does not fit into memory: it sorts a run whenever memory is
// full, while its input comes; what is left for the end is merging.
struct External {
  double run_rows = 0;  // 0: it fits
  double runs = 1;
  double order = 1;   // runs merged at once
  double passes = 0;  // over all rows before the last one, which gives them out
};

External ExternalSort(const PlanNode& node, double rows, double row_bytes) {
  External sort;
  double memory = node.memory_limit_kb * 1024;
  if (memory <= 0 || node.bounded || rows * row_bytes <= memory) return sort;
  sort.run_rows = std::max(2.0, memory / row_bytes);
  sort.runs = std::max(2.0, rows / sort.run_rows);
  double most = std::clamp(node.memory_limit_kb / kMergeBufferKb, 6.0, 500.0);
  sort.order = std::min(sort.runs, most);
  sort.passes = std::max(0.0, std::ceil(std::log(sort.runs) / std::log(most) - 1e-6) - 1);
  return sort;
}

// On average over the comparisons that sort n rows. Those among equals of the first key, log2(n / values) of log2(n),
// go on to the next one, for which the rows are taken apart.
double CompareNs(const PlanNode& node, double n) {
  double width = 1 + std::min(node.width, 200) / 100.0;
  double ns = kCompareNs * width + node.compare_ns;
  if (node.keys <= 1) return ns;
  if (node.leading_values < 1) return ns * (1 + 0.3 * (node.keys - 1));
  double depth = std::log2(std::max(n, 2.0));
  return ns + kTieNs * std::clamp(std::log2(std::max(n, 2.0) / node.leading_values) / depth, 0.0, 1.0);
}

// Of DISTINCT or ORDER BY inside an aggregate over all rows; groups are sorted one by one and mostly fit.
External SortOfInput(const PlanNode& node, double rows) {
  bool sorts = node.op == Operator::kAgg && node.distinct_input && node.agg == AggStrategy::kPlain;
  return sorts ? ExternalSort(node, rows, kSortTupleBytes) : External{};
}

External SortOf(const PlanNode& node, double rows) {
  return ExternalSort(node, rows, node.width + kTupleHeadBytes + kSortTupleBytes);
}

// Of one row in one merge pass of a Sort node.
double MergeNs(const PlanNode& node, const External& sort) {
  return kMergeNs + kMergeNsPerByte * node.width + CompareNs(node, sort.run_rows * sort.order) * std::log2(sort.order);
}

// Bytes beyond the node's memory limit go to temporary files and come back once.
double SpillNs(const PlanNode& node, double rows) {
  if (node.op != Operator::kHash || node.memory_limit_kb <= 0) return 0;
  double bytes = rows * (node.width + 24.0);
  return bytes > node.memory_limit_kb * 1024 ? bytes * kSpillNsPerByte : 0;
}

// Groups that a hash aggregate holds in memory.
double RoomOf(const PlanNode& node, const NodeFlow& flow) {
  if (flow.room > 0) return flow.room;
  return node.memory_limit_kb > 0 ? node.memory_limit_kb * 1024 / (node.width + kGroupBytes) : 1e300;
}

// Of the first `rows` that a hash aggregate takes in, those it sets aside: from when its memory is full, whatever
// belongs to no group held. Groups are taken for equally large: n rows show G (1 - exp(-n / G)) of G.
double RowsSetAside(const NodeFlow& flow, double room, double rows) {
  double groups = flow.groups;
  if (groups <= room || groups <= 0) return 0;
  double full_after = -groups * std::log1p(-room / groups);
  return std::max(0.0, rows - full_after) * (1 - room / groups);
}

double AggregateNs(const PlanNode& node) {
  return kAggregateNs * node.aggregates + node.call_ns + (node.agg == AggStrategy::kPlain ? 0 : kKeyNs * node.keys);
}

// Nanoseconds in which the rows set aside are read back and grouped, by the share of its output that is out.
double GroupSetAside(const PlanNode& node, const NodeFlow& flow) {
  double room = RoomOf(node, flow);
  double rows = RowsSetAside(flow, room, flow.outer_rows);
  if (rows <= 0) return 0;
  double held = room / flow.groups;  // come out before the first row is read back
  double share = std::clamp((flow.out_share - held) / (1 - held), 0.0, 1.0);
  double per_row =
      CostOf(node).outer + AggregateNs(node) + kReadBackNs + kReadNsPerByte * (node.width + kTupleHeadBytes);
  return share * rows * per_row;
}

}  // namespace

double InputWork(const PlanNode& node, const NodeFlow& flow) {
  OperatorCost cost = CostOf(node);
  double per_row = cost.outer;
  if (node.op == Operator::kAgg || node.op == Operator::kWindowAgg) {
    per_row += AggregateNs(node);
    External sort = SortOfInput(node, flow.outer_rows);
    if (sort.run_rows > 0)
      per_row += (kCompareNs + node.compare_ns) * std::log2(sort.run_rows) * std::max<int>(1, node.sorted_inputs);
  } else if (node.op == Operator::kHash) {
    per_row += 0.4 * node.width;
  } else if (node.op == Operator::kSort) {
    per_row += 0.5 * node.width;
    External sort = SortOf(node, flow.outer_rows / std::max(1.0, flow.loops));
    if (sort.run_rows > 0) {
      per_row +=
          CompareNs(node, sort.run_rows) * std::log2(sort.run_rows) + kWriteNsPerByte * (node.width + kTupleHeadBytes);
    }
  }
  double page = cost.page;
  if (page > 0 && node.cached_share >= 0) page += (1 - node.cached_share) * kReadPageNs;
  double tested = node.op == Operator::kSeqScan || node.op == Operator::kSampleScan ? flow.outer_rows : 0;
  double ns = cost.loop * flow.loops + per_row * flow.outer_rows + cost.inner * flow.inner_rows + page * flow.pages +
              kQualNs * node.quals * tested + SpillNs(node, flow.outer_rows);
  if (flow.groups > 0)
    ns += RowsSetAside(flow, RoomOf(node, flow), flow.outer_rows) * kWriteNsPerByte * (node.width + kTupleHeadBytes);
  return ns * 1e-6;
}

double OutputWork(const PlanNode& node, const NodeFlow& flow) {
  double per_row = CostOf(node).out;
  if (node.op != Operator::kSeqScan && node.op != Operator::kSampleScan) per_row += kQualNs * node.quals;
  if (node.op == Operator::kSort) {
    External sort = SortOf(node, flow.outer_rows / std::max(1.0, flow.loops));
    if (sort.run_rows > 0) per_row += MergeNs(node, sort);
  }
  return (per_row * flow.out_rows + (flow.groups > 0 ? GroupSetAside(node, flow) : 0)) * 1e-6;
}

double BlindWork(const PlanNode& node, double input_rows) {
  double n = std::max(2.0, input_rows);
  if (node.op == Operator::kSort) {
    External sort = SortOf(node, n);
    if (sort.run_rows > 0) {
      // The last run is sorted at the end of the input, too.
      double last = CompareNs(node, sort.run_rows) * sort.run_rows * std::log2(sort.run_rows);
      return (last + sort.passes * n * MergeNs(node, sort)) * 1e-6;
    }
    // A bounded sort keeps a heap of the rows wanted and compares once for most rows.
    double depth = node.bounded ? 1 : std::log2(n);
    return CompareNs(node, n) * n * depth * 1e-6;
  }
  if (node.op == Operator::kAgg && node.distinct_input) {
    double sorts = std::max<int>(1, node.sorted_inputs);
    External sort = SortOfInput(node, n);
    double compare = kCompareNs + node.compare_ns;
    if (sort.run_rows <= 0) return compare * n * std::log2(n) * sorts * 1e-6;
    return n * (1 + sort.passes) * (kMergeNs + compare * std::log2(sort.order)) * sorts * 1e-6;
  }
  return 0;
}

}  // namespace query_shaper
