#include "core/pool/node_need.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {
namespace {

constexpr double kQuantile90 = 1.28;     // of a normal
constexpr double kAskedQuantile = 0.84;  // four in five times it is enough
constexpr double kLearnedLogSd = 0.2;
constexpr double kScanLogSd = 0.4;
constexpr double kJoinLogSd = 0.7;  // each join
constexpr double kMostLogSd = 2;
constexpr double kArgumentBytes = 64;
constexpr double kKb = 1024;

double MaxAlign(double bytes) { return std::ceil(bytes / 8) * 8; }

// An allocation set hands out powers of two up to 8 kB, behind a header.
double Chunk(double bytes) {
  constexpr double kHeader = 16;
  if (bytes > 8192) return kHeader + MaxAlign(bytes);
  return kHeader + std::exp2(std::ceil(std::log2(std::max(8.0, bytes))));
}

double PowerOfTwo(double at_least) { return std::exp2(std::ceil(std::log2(std::max(1.0, at_least)))); }

double MinimalTuple(double width) { return MaxAlign(16 + width); }

double SortBytes(double rows, double width) {
  constexpr double kSpare = 1.1;
  return kSpare * rows * SortRowBytes(width);
}

double HashBytes(double rows, double width) {
  constexpr double kLeastBuckets = 1024;
  constexpr double kSkewShare = 1.03;  // two percent of the limit are set apart for frequent keys
  return kSkewShare * (rows * HashRowBytes(width) + 8 * PowerOfTwo(std::max(rows, kLeastBuckets)));
}

double GroupBytes(double groups, double width, int aggregates) {
  constexpr double kFill = 0.9;
  constexpr double kBlocks = 1.1;  // the last block of the allocator is counted whole
  constexpr double kState = 16;
  double states = aggregates > 0 ? Chunk(kState * aggregates) : 0;
  return kBlocks * (groups * (Chunk(MinimalTuple(width)) + states) + 24 * PowerOfTwo(groups / kFill));
}

// In the units of the row that is written to a tape or file.
double SpilledKb(double rows, double width) { return rows * (10 + width) / kKb; }

bool IsJoin(Operator op) {
  return op == Operator::kNestLoop || op == Operator::kMergeJoin || op == Operator::kHashJoin;
}

double Width(const PlanTree& plan, int node) { return node < 0 ? 0 : std::max(0, plan.nodes[node].width); }
double Rows(const PlanTree& plan, int node) {
  double rows = node < 0 ? 0 : plan.nodes[node].rows;
  return std::isfinite(rows) ? std::max(0.0, rows) : 1e15;
}

double BitmapPages(const PlanTree& plan, int node, double rows) {
  double pages = plan.nodes[node].relation_pages;
  if (pages <= 0) return rows;
  // Pages met by so many rows put at random.
  return std::min(rows, pages * (1 - std::exp(-rows / pages)));
}

// Rows kept in the order in which they came.
void Store(NodeNeed* need, NeedKind kind, double rows, double width) {
  need->kind = kind;
  need->spills = true;
  need->kb = rows * StoreRowBytes(width) / kKb;
  need->spill_kb = SpilledKb(rows, width);
}

double GroupsOf(const PlanNode& node) {
  if (node.agg != AggStrategy::kSorted) return 1;
  return std::isfinite(node.groups) ? std::max({1.0, node.groups, std::isfinite(node.rows) ? node.rows : 1}) : 1e9;
}

void Interval(NodeNeed* need, double log_sd) {
  double factor = std::exp(kQuantile90 * std::min(log_sd, kMostLogSd));
  need->low_kb = need->kb / factor;
  need->high_kb = need->kb * factor;
}

// The largest of several groups: between an even share and all of the rows.
double LargestOf(double rows, double groups) { return rows / std::sqrt(groups); }
double UnevenLogSd(double groups) { return std::log(groups) / 2 / kQuantile90; }

}  // namespace

double MergeKb(double sorted_kb) {
  constexpr double kBufferKb = 272;  // of a run
  constexpr double kLeastRuns = 6, kMostRuns = 500;
  constexpr double kMargin = 1.25;  // rows come in uneven, and more of them than expected
  if (!(sorted_kb > 0)) return 0;
  double runs = std::max(kLeastRuns, std::sqrt(kMargin * sorted_kb / kBufferKb));
  return runs > kMostRuns ? 0 : std::max(runs * kBufferKb, kMargin * sorted_kb / runs);
}

double SortRowBytes(double width) { return 24 + 24 + MinimalTuple(width); }
double HashRowBytes(double width) { return 16 + 16 + MaxAlign(width); }
double StoreRowBytes(double width) { return 8 + Chunk(MinimalTuple(width)); }

double NodeNeed::wanted_kb() const {
  if (!(kb > 0) || !(high_kb > 0)) return 0;
  return kb * std::exp(std::log(high_kb / kb) * kAskedQuantile / kQuantile90);
}

int ChildIn(const PlanTree& plan, int parent, ChildRole role) {
  for (int child = parent + 1; child < plan.count; ++child)
    if (plan.nodes[child].parent == parent && plan.nodes[child].role == role) return child;
  return -1;
}

int HeldRowsOf(const PlanTree& plan, int node) {
  switch (plan.nodes[node].op) {
    case Operator::kAgg:
      return plan.nodes[node].agg == AggStrategy::kHashed || plan.nodes[node].agg == AggStrategy::kMixed
                 ? node
                 : ChildIn(plan, node, ChildRole::kOuter);
    case Operator::kCteScan:
    case Operator::kBitmapHeapScan:
    case Operator::kBitmapIndexScan:
    case Operator::kRecursiveUnion:
      return node;
    default:
      return ChildIn(plan, node, ChildRole::kOuter);
  }
}

double RowsLogSd(const PlanTree& plan, int node, bool learned) {
  if (learned || node < 0) return kLearnedLogSd;
  double variance = kScanLogSd * kScanLogSd;
  // A node stands before all of those below it.
  for (int i = node; i < plan.count; ++i) {
    if (i > node && plan.nodes[i].depth <= plan.nodes[node].depth) break;
    if (IsJoin(plan.nodes[i].op) || plan.nodes[i].op == Operator::kAgg) variance += kJoinLogSd * kJoinLogSd;
  }
  return std::min(std::sqrt(variance), kMostLogSd);
}

NodeNeed PredictNeedOf(const PlanTree& plan, int i, double rows, double rows_log_sd) {
  NodeNeed need;
  const PlanNode& node = plan.nodes[i];
  int input = ChildIn(plan, i, ChildRole::kOuter);
  if (!std::isfinite(rows) || rows < 0) rows = 0;
  rows = std::min(rows, 1e15);
  need.rows = rows;
  double width = Width(plan, input);
  switch (node.op) {
    case Operator::kSort:
    case Operator::kIncrementalSort:
      need.kind = NeedKind::kSort;
      need.spills = true;
      // A heap of the first n holds twice as many until it is trimmed.
      if (node.bounded && node.limit_rows >= 0) need.rows = rows = std::min(rows, 2 * node.limit_rows);
      if (node.bounded && node.parent >= 0 && plan.nodes[node.parent].limit_rows >= 0)
        need.rows = rows = std::min(rows, 2 * plan.nodes[node.parent].limit_rows);
      need.kb = SortBytes(rows, width) / kKb;
      need.spill_kb = SpilledKb(rows, width);
      break;
    case Operator::kHash: {
      need.kind = NeedKind::kHash;
      need.hash_limit = need.spills = need.gradual = true;
      need.kb = HashBytes(rows, width) / kKb;
      int join = node.parent;
      int outer = join >= 0 ? ChildIn(plan, join, ChildRole::kOuter) : -1;
      need.spill_kb = SpilledKb(rows, width) + SpilledKb(Rows(plan, outer), Width(plan, outer));
      need.probes = Rows(plan, outer);
      break;
    }
    case Operator::kAgg:
      if (node.agg == AggStrategy::kHashed || node.agg == AggStrategy::kMixed) {
        need.kind = NeedKind::kGroups;
        need.hash_limit = need.spills = need.gradual = true;
        double kept = std::max(4.0, std::min(width, std::max(0, node.width) - 8.0 * node.aggregates));
        need.kb = GroupBytes(rows, kept, node.aggregates) / kKb;
        // Rows of groups that have no place are written, whole.
        need.spill_kb = SpilledKb(Rows(plan, input), width);
        need.probes = Rows(plan, input);
      } else if (node.sorted_inputs > 0 && (node.agg == AggStrategy::kPlain || node.agg == AggStrategy::kSorted)) {
        need.kind = NeedKind::kDistinct;
        need.spills = true;
        // Each sorts its own arguments, of the input's columns, one group after the other.
        double argument = std::min(width, kArgumentBytes);
        need.rows = LargestOf(rows, GroupsOf(node));
        need.kb = node.sorted_inputs * SortBytes(need.rows, argument) / kKb;
        need.spill_kb = node.sorted_inputs * SpilledKb(rows, argument);
      }
      break;
    case Operator::kMaterial:
      Store(&need, NeedKind::kStore, rows, width);
      break;
    case Operator::kCteScan:
      Store(&need, NeedKind::kCte, rows, Width(plan, i));
      break;
    case Operator::kWindowAgg:
      Store(&need, NeedKind::kWindow, rows, width);
      break;
    case Operator::kBitmapHeapScan:
      need.kind = NeedKind::kBitmap;
      need.kb = 64 * BitmapPages(plan, i, rows) / kKb;
      break;
    case Operator::kMemoize:
      need.kind = NeedKind::kCache;
      need.hash_limit = true;
      need.kb = rows * (StoreRowBytes(width) + 96) / kKb;
      break;
    case Operator::kSetOp:
      if (node.agg == AggStrategy::kHashed) {
        need.kind = NeedKind::kSetOp;
        need.hash_limit = true;
        need.kb = GroupBytes(rows, width, 1) / kKb;
      }
      break;
    case Operator::kRecursiveUnion:
      Store(&need, NeedKind::kRecursive, rows, Width(plan, i));
      break;
    default:
      break;
  }
  if (need.kind == NeedKind::kDistinct) rows_log_sd = std::hypot(rows_log_sd, UnevenLogSd(GroupsOf(node)));
  Interval(&need, rows_log_sd);
  return need;
}

NodeNeed PredictNeed(const PlanTree& plan, int i, double rows_log_sd, double processes) {
  const PlanNode& node = plan.nodes[i];
  int held = HeldRowsOf(plan, i);
  double rows = Rows(plan, held);
  if (node.op == Operator::kAgg && held == i && node.groups > 0) rows = std::max(rows, node.groups);
  // One table for all of them.
  if (node.op == Operator::kHash && node.parallel_aware) rows *= std::max(1.0, processes);
  return PredictNeedOf(plan, i, rows, rows_log_sd);
}

NodeNeed PredictWindowNeed(const PlanTree& plan, int i, double pieces, bool whole, double rows_log_sd) {
  constexpr double kFewRows = 100;
  int input = ChildIn(plan, i, ChildRole::kOuter);
  double rows = Rows(plan, input);
  if (!whole) return PredictNeedOf(plan, i, std::min(rows, kFewRows), rows_log_sd);
  pieces = pieces >= 1 ? std::min(pieces, std::max(1.0, rows)) : 1;
  NodeNeed need = PredictNeedOf(plan, i, LargestOf(rows, pieces), std::hypot(rows_log_sd, UnevenLogSd(pieces)));
  need.spill_kb = SpilledKb(rows, Width(plan, input));
  return need;
}

}  // namespace query_shaper
