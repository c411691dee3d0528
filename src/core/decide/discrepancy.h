// Whether a running statement does what was predicted, and where it began to differ: a statistical test, per node and
// for the whole.
//
// Every quantity is compared on the log scale,
//   z = (log tracked - log predicted) / sqrt(sd_predicted^2 + sd_tracked^2)
// which is standard normal while the prediction holds. Tracked are: the time in all (Kalman filter), rows of the nodes
// (refined cardinalities), CPU, blocks, temporary space and memory (so far: a lower bound; extrapolated by progress).
//
// The threshold is no constant. A level of significance is divided among the time, the other quantities and
// (Bonferroni) the nodes of the plan; a planned row count is the less certain the more inputs it was multiplied from.
// The normal quantile is widened to Student's t by how few runs the prediction rests on, and the predicted spread by
// what the history shows and by how much more is running than there are processors. Repeated looks cost nothing: what
// errs is the prediction, which is the same at every look.
//
// A node's gap is its own as far as its inputs do not explain it. One origin: local, that stage is to be blamed.
// Several, or a whole that is late while rows are as expected: widespread.
//
// Begin() and Update() allocate nothing, throw nothing and take O(nodes): they are called in signal context.
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/plan/plan_tree.h"
#include "core/predict/predict.h"
#include "core/track/progress.h"

namespace query_shaper {

enum class GapExtent : uint8_t { kNone = 0, kLocal = 1, kWidespread = 2 };

enum GapQuantity { kGapTime = 0, kGapCpu = 1, kGapBlocks = 2, kGapTemp = 3, kGapMemory = 4, kGapQuantities = 5 };
const char* GapQuantityName(GapQuantity quantity);  // static storage

struct DiscrepancyContext {
  double runs = 0;             // earlier runs that the prediction rests on, decayed
  double history_log_sd = -1;  // of log(time) over them, -1 unknown
  double load = 0;             // running statements per processor
};

// What the statement has taken so far; negative: not known.
struct Consumption {
  double elapsed_ms = 0;
  double cpu_ms = -1;
  double blocks = -1;
  double temp_kb = -1;
  double memory_kb = -1;
};

struct Gap {
  float z = 0;          // 0: as predicted
  float log_ratio = 0;  // tracked over predicted
};

struct Discrepancy {
  GapExtent extent = GapExtent::kNone;
  int32_t node = -1;          // index of the node that is most to blame, -1: none
  int32_t origins = 0;        // nodes whose own gap is significant
  float node_z = 0;           // of that node,
  float node_log_ratio = 0;   // tracked over believed rows: all of it
  float own_log_ratio = 0;    // and what its inputs do not explain
  float threshold = 0;        // for the time, in standard deviations
  float other_threshold = 0;  // for the other quantities
  float node_threshold = 0;   // for one node
  bool late = false;          // the time in all is significantly beyond the prediction
  double total_ms = 0;        // tracked time in all
  double total_log_sd = 0;
  Gap whole[kGapQuantities];
};
static_assert(std::is_trivially_copyable_v<Discrepancy>);

class DiscrepancyTest {
 public:
  // After Progress::Begin() with the same plan and estimate; nodes as of then.
  void Begin(const PlanTree& plan, const Estimate& estimate, const NodeProgress* nodes,
             const DiscrepancyContext& context);

  // After each Progress::Update(); counters and nodes of the same plan.
  Discrepancy Update(const PlanTree& plan, const NodeCounters* counters, const NodeProgress* nodes,
                     const TimeLeft& left, const Consumption& consumption);

 private:
  void CompareWhole(const TimeLeft& left, const Consumption& consumption, Discrepancy* found) const;
  void CompareNodes(const PlanTree& plan, const NodeCounters* counters, const NodeProgress* nodes,
                    Discrepancy* found) const;
  double Explained(const PlanTree& plan, int i, const float* log_ratio) const;

  int16_t loop_source_[kMaxPlanNodes];  // node whose rows are this node's loops, -1: none
  int16_t inputs_[kMaxPlanNodes][2];    // children that it takes rows from, -1: none
  float believed_log_[kMaxPlanNodes];   // of rows before the run
  float believed_sd_[kMaxPlanNodes];    // of it, with that of all inputs
  float predicted_log_[kGapQuantities];
  float predicted_sd_[kGapQuantities];  // < 0: not predicted
  float time_threshold_, other_threshold_, node_threshold_;
};
static_assert(std::is_trivially_copyable_v<DiscrepancyTest>);

// Least log standard deviation of a tracked time in all of a plan that never ran: its end is extrapolated from rows
// that showed and rows that are the planner's guess, the worse the further. total_ms / elapsed_ms = e^d gives 0.4 d; on
// joins of many to many, ends tracked from a thousandth were wrong by factors of 50 to 5000.
double ExtrapolatedLogSd(double total_ms, double elapsed_ms);

// Log standard deviation of the time in all, out of the 80 % band of what is left.
double TotalLogSd(const TimeLeft& left, double elapsed_ms);

// Threshold in standard deviations, two-sided: `level` divided among `tests` tests, widened for a prediction that rests
// on `runs` runs.
double GapThreshold(double level, int tests, double runs);

}  // namespace query_shaper
