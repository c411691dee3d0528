#include "core/decide/discrepancy.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace query_shaper {

namespace {

constexpr double kLevel = 0.005;         // of false alarms per statement, in all
constexpr double kTimeShare = 0.5;       // of the level for the time in all,
constexpr double kNodeShare = 0.25;      // for the nodes, and what is left for the other quantities
constexpr double kColdFreedom = 30;      // degrees of freedom of a prediction without any history
constexpr double kLoadLogSd = 0.5;       // log standard deviation per factor e of overload
constexpr double kLeastLogSd = 0.1;      // no prediction is better than this
constexpr double kLeastRowsLogSd = 0.2;  // of any row count that was not seen
constexpr double kMostRowsLogSd = 3;     // of the product of many
constexpr double kBandZ = 1.2816;        // half width of the 80 % band
constexpr double kIntervalZ = 1.6449;    // of the 90 % interval
constexpr double kExtrapolatedSd = 1.0;  // log standard deviation of a quantity extrapolated from nothing
constexpr double kLeastProgress = 0.05;  // below which nothing is extrapolated
constexpr double kOwnShare = 0.5;        // of its gap that must be a node's own to call it an origin
constexpr double kLeastOwn = 0.69;       // log 2: a smaller one leads nowhere
constexpr double kChiefShare = 2.0 / 3;  // of all own gaps that one node must have to call it local
constexpr double kLeastRows = 100;       // more than believed by fewer rows is of no consequence

// Acklam's rational approximation of the upper normal quantile, relative error below 1.2e-9.
double NormalQuantile(double p) {
  constexpr double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                          1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01,
                          -1.328068155288572e+01};
  constexpr double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                          -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  constexpr double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00};
  p = std::clamp(p, 1e-15, 0.5);
  if (p < 0.02425) {
    double q = std::sqrt(-2 * std::log(p));
    return -(((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
           ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
  }
  double q = p - 0.5, r = q * q;
  return -(((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
         (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

// Upper quantile of Student's t by the expansion of Cornish and Fisher.
double StudentQuantile(double p, double freedom) {
  double z = NormalQuantile(p), z2 = z * z;
  double g1 = z * (z2 + 1) / 4;
  double g2 = z * ((5 * z2 + 16) * z2 + 3) / 96;
  double g3 = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
  return z + (g1 + (g2 + g3 / freedom) / freedom) / freedom;
}

bool IsJoin(Operator op) {
  return op == Operator::kNestLoop || op == Operator::kMergeJoin || op == Operator::kHashJoin;
}

// Of log(actual / planned rows) of one node whose inputs are known, as planners err (Leis et al. 2015), loops apart.
double PlannersLogSd(const PlanNode& node) {
  if (IsJoin(node.op)) return 0.7;
  if (node.op == Operator::kRecursiveUnion) return 2;
  if (node.groups > 0 || node.op == Operator::kGroup || node.op == Operator::kUnique) return 0.7;
  if (node.op == Operator::kFunctionScan || node.op == Operator::kTableFuncScan || node.op == Operator::kForeignScan)
    return 1.5;
  if (node.relation_rows > 0) return node.quals == 0 ? 0.25 : (node.quals == 1 ? 0.5 : 0.8);
  return node.quals > 0 ? 0.8 : 0.1;
}

double LogRows(double rows) { return std::log1p(std::isfinite(rows) ? std::clamp(rows, 0.0, 1e15) : 0); }

}  // namespace

const char* GapQuantityName(GapQuantity quantity) {
  switch (quantity) {
    case kGapTime:
      return "time";
    case kGapCpu:
      return "cpu";
    case kGapBlocks:
      return "blocks";
    case kGapTemp:
      return "temp";
    case kGapMemory:
      return "memory";
    default:
      return "unknown";
  }
}

double GapThreshold(double level, int tests, double runs) {
  return StudentQuantile(level / std::max(1, tests) / 2, kColdFreedom + std::max(0.0, runs));
}

double ExtrapolatedLogSd(double total_ms, double elapsed_ms) {
  constexpr double kPerFold = 0.4;
  double fold = std::log(total_ms / std::max(elapsed_ms, 1e-3));
  return std::isfinite(fold) ? kPerFold * std::clamp(fold, 0.0, 50.0) : 0;
}

double TotalLogSd(const TimeLeft& left, double elapsed_ms) {
  double low = std::max(0.1, elapsed_ms + std::max(0.0, left.low_ms));
  double high = std::max(low, elapsed_ms + std::max(0.0, left.high_ms));
  double sd = std::log(high / low) / (2 * kBandZ);
  return std::isfinite(sd) ? std::clamp(sd, 0.0, 5.0) : 5;
}

void DiscrepancyTest::Begin(const PlanTree& plan, const Estimate& estimate, const NodeProgress* nodes,
                            const DiscrepancyContext& context) {
  std::memset(static_cast<void*>(this), 0, sizeof(*this));
  double runs = std::isfinite(context.runs) ? std::max(0.0, context.runs) : 0;
  double overload = kLoadLogSd * std::log(std::max(1.0, std::isfinite(context.load) ? context.load : 1));

  constexpr Target kTargetOf[kGapQuantities] = {kTimeMs, kTimeMs, kBlocks, kTempKb, kMemoryKb};
  for (int q = 0; q < kGapQuantities; ++q) {
    const Quantity& predicted = estimate.targets[kTargetOf[q]];
    bool of_time = kTargetOf[q] == kTimeMs;
    predicted_sd_[q] = -1;
    if (!std::isfinite(predicted.value) || predicted.value < 0 || (!of_time && predicted.value <= 0)) continue;
    double sd = of_time ? estimate.log_sd
                        : std::log((predicted.high + 1) / (std::max(0.0, predicted.low) + 1)) / (2 * kIntervalZ);
    if (!std::isfinite(sd) || sd < 0) sd = 2;
    if (of_time) {
      // What the statement has shown before says how far it strays by itself.
      if (context.history_log_sd > 0 && runs > 0) sd = std::max(sd, context.history_log_sd);
      sd = std::hypot(sd, overload);
    }
    predicted_log_[q] = static_cast<float>(std::log(std::max(predicted.value, 0.1)));
    predicted_sd_[q] = static_cast<float>(std::max(kLeastLogSd, sd));
  }

  int count = std::clamp(plan.count, 0, kMaxPlanNodes);
  time_threshold_ = static_cast<float>(GapThreshold(kLevel * kTimeShare, 1, runs));
  node_threshold_ = static_cast<float>(GapThreshold(kLevel * kNodeShare, count, runs));
  other_threshold_ = static_cast<float>(GapThreshold(kLevel * (1 - kTimeShare - kNodeShare), kGapQuantities - 1, runs));
  for (int i = 0; i < count; ++i) {
    const PlanNode& node = plan.nodes[i];
    inputs_[i][0] = inputs_[i][1] = -1;
    int parent = node.parent;
    if (parent < 0) {
      loop_source_[i] = -1;
      continue;
    }
    loop_source_[i] = loop_source_[parent];
    bool inner = node.role == ChildRole::kInner;
    if (inner && plan.nodes[parent].op == Operator::kNestLoop && inputs_[parent][0] >= 0)
      loop_source_[i] = inputs_[parent][0];
    if (node.role == ChildRole::kSubPlan) loop_source_[i] = static_cast<int16_t>(parent);
    if (node.role == ChildRole::kInitPlan) loop_source_[i] = -1;
    if (node.role == ChildRole::kOuter || node.role == ChildRole::kMember) {
      // Of an append's members the first stands for all: their sum is compared at the node itself.
      if (inputs_[parent][0] < 0) inputs_[parent][0] = static_cast<int16_t>(i);
    } else if (inner) {
      inputs_[parent][1] = static_cast<int16_t>(i);
    }
  }
  // Children stand behind their parents, but a loop's source stands before what it loops.
  for (int i = count - 1; i >= 0; --i) {
    believed_log_[i] = static_cast<float>(LogRows(nodes[i].believed_rows));
    // Earlier runs may have made it better known than planners know it.
    double own = PlannersLogSd(plan.nodes[i]), learned = nodes[i].believed_log_sd;
    if (learned < own) own = std::max(learned, kLeastRowsLogSd);
    double variance = own * own;
    for (int input : inputs_[i])
      if (input >= 0) variance += believed_sd_[input] * believed_sd_[input];
    int source = loop_source_[i];
    if (source >= 0 && inputs_[i][0] < 0) {
      double of_source = PlannersLogSd(plan.nodes[source]);
      variance += of_source * of_source;
    }
    believed_sd_[i] = static_cast<float>(std::min(std::sqrt(variance), kMostRowsLogSd));
  }
}

void DiscrepancyTest::CompareWhole(const TimeLeft& left, const Consumption& consumption, Discrepancy* found) const {
  double elapsed_ms = std::isfinite(consumption.elapsed_ms) ? std::max(0.1, consumption.elapsed_ms) : 0.1;
  double eta_ms = std::isfinite(left.eta_ms) ? std::max(0.0, left.eta_ms) : 0;
  found->total_ms = elapsed_ms + eta_ms;
  found->total_log_sd = TotalLogSd(left, elapsed_ms);
  // What was waited for (a lock, a client) says nothing of the statement.
  double so_far[kGapQuantities] = {elapsed_ms, consumption.cpu_ms, consumption.blocks, consumption.temp_kb,
                                   consumption.memory_kb};
  double progress = std::isfinite(left.progress) ? std::clamp(left.progress, 0.0, 1.0) : 0;
  for (int q = 0; q < kGapQuantities; ++q) {
    if (predicted_sd_[q] < 0 || !(so_far[q] >= 0) || !std::isfinite(so_far[q])) continue;
    double predicted = predicted_log_[q], sd = predicted_sd_[q];
    double least = std::log(std::max(so_far[q], 0.1));
    double log_ratio = least - predicted, z = 0;
    // Used up already: no doubt about it.
    if (log_ratio > 0) z = log_ratio / sd;
    double total = 0, total_sd = -1;
    if (q == kGapTime) {
      total = std::log(found->total_ms);
      total_sd = found->total_log_sd;
    } else if (progress >= kLeastProgress && q != kGapMemory && q != kGapTemp) {
      total = least - std::log(progress);
      total_sd = kExtrapolatedSd * (1 - progress) + found->total_log_sd;
    }
    if (total_sd >= 0) {
      double tracked_z = (total - predicted) / std::hypot(sd, total_sd);
      log_ratio = std::max(log_ratio, total - predicted);
      if (std::fabs(tracked_z) > z) z = tracked_z;
    }
    // The processor's time cannot be more than was predicted for all, but less of it is no discrepancy.
    if (q == kGapCpu) z = std::max(z, 0.0);
    found->whole[q] = {static_cast<float>(std::clamp(z, -1e3, 1e3)), static_cast<float>(log_ratio)};
  }
}

// The part of a node's gap that its inputs and its loops bring along.
double DiscrepancyTest::Explained(const PlanTree& plan, int i, const float* log_ratio) const {
  int outer = inputs_[i][0], inner = inputs_[i][1], source = loop_source_[i];
  double explained = 0;
  if (outer >= 0) explained = log_ratio[outer];
  if (inner >= 0) {
    // Rows of both sides multiply; below a nested loop the inner side's total has the outer's in it already.
    if (plan.nodes[i].op == Operator::kNestLoop) {
      explained = std::fabs(log_ratio[inner]) > std::fabs(explained) ? log_ratio[inner] : explained;
    } else {
      explained += log_ratio[inner];
    }
  }
  if (outer < 0 && inner < 0 && source >= 0) explained = log_ratio[source];
  return explained;
}

void DiscrepancyTest::CompareNodes(const PlanTree& plan, const NodeCounters* counters, const NodeProgress* nodes,
                                   Discrepancy* found) const {
  float log_ratio[kMaxPlanNodes];
  float z[kMaxPlanNodes];
  int count = std::clamp(plan.count, 0, kMaxPlanNodes);
  for (int i = 0; i < count; ++i) {
    const NodeProgress& node = nodes[i];
    double believed = believed_log_[i], refined = LogRows(node.refined_rows);
    double believed_sd = believed_sd_[i];
    log_ratio[i] = static_cast<float>(refined - believed);
    z[i] = static_cast<float>((refined - believed) / std::hypot(believed_sd, std::max(0.0F, node.refined_log_sd)));
    // Rows that are there already are no extrapolation.
    double seen = LogRows(std::max(counters[i].rows, counters[i].held_rows));
    if (seen > believed) z[i] = std::max(z[i], static_cast<float>((seen - believed) / believed_sd));
    if (!std::isfinite(z[i])) z[i] = log_ratio[i] = 0;
    // A few rows more or less change nothing.
    if (std::fabs(node.refined_rows - node.believed_rows) < kLeastRows) z[i] = 0;
  }
  double own_sum = 0, chief_own = 0;
  for (int i = 0; i < count; ++i) {
    if (std::fabs(z[i]) < node_threshold_) continue;
    double own = log_ratio[i] - Explained(plan, i, log_ratio);
    // Explained by more than all of it: the inputs erred the other way, and this node hides it.
    if (std::fabs(own) < kLeastOwn || std::fabs(own) < kOwnShare * std::fabs(log_ratio[i])) continue;
    if (own * log_ratio[i] < 0) continue;
    ++found->origins;
    own_sum += std::fabs(own);
    // Among equals the deepest: a join that errs is met again in everything above it.
    if (std::fabs(own) < chief_own) continue;
    chief_own = std::fabs(own);
    found->node = i;
    found->node_z = z[i];
    found->node_log_ratio = log_ratio[i];
    found->own_log_ratio = static_cast<float>(own);
  }
  if (found->origins == 0) return;
  found->extent = chief_own >= kChiefShare * own_sum ? GapExtent::kLocal : GapExtent::kWidespread;
}

Discrepancy DiscrepancyTest::Update(const PlanTree& plan, const NodeCounters* counters, const NodeProgress* nodes,
                                    const TimeLeft& left, const Consumption& consumption) {
  Discrepancy found;
  found.threshold = time_threshold_;
  found.other_threshold = other_threshold_;
  found.node_threshold = node_threshold_;
  CompareWhole(left, consumption, &found);
  CompareNodes(plan, counters, nodes, &found);
  found.late = !left.stalled && found.whole[kGapTime].z > found.threshold;
  bool beyond = found.late;
  for (int q = kGapTime + 1; q < kGapQuantities; ++q) beyond = beyond || found.whole[q].z > other_threshold_;
  if (found.origins == 0 && beyond) found.extent = GapExtent::kWidespread;
  return found;
}

}  // namespace query_shaper
