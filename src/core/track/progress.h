// How far a running plan is and how long it will still take: pipelines, refined cardinalities, learned pace, Kalman
// filter.
//
// Update() runs in a signal handler: no allocation, no exception, no lock, bounded time, O(nodes).
//
// Method. The plan is cut at its blocking operators into pipelines (Chaudhuri, Narasayya, Ramamurthy 2004; Luo et al.
// 2004). Every tick the rows so far and the fraction read of each pipeline's drivers refine the expected rows of every
// node: with n rows seen at fraction f and an estimate E,  N = n + (1 - f) (n + s E) / (f + s),  a Gamma-Poisson
// posterior whose prior weighs like a share s of the input. Rows become nominal work (work_model.h), nominal work
// becomes expected milliseconds by the learned pace, and a Kalman filter follows what is left of it.
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/plan/plan_tree.h"
#include "core/predict/predict.h"
#include "core/track/kalman.h"
#include "core/predict/pace.h"
#include "core/track/work_model.h"

namespace query_shaper {

// What a tick reads of one node, summed over leader and workers.
struct NodeCounters {
  double rows = -1;        // rows returned, all loops; -1: nobody counts this node
  double loops = 0;        // scans started, as far as known; 0 unknown
  double done_units = 0;   // position of a driver: heap blocks read by a sequential scan
  double total_units = 0;  // 0: no position known
  double held_rows = 0;    // rows in the node's hash table or groups in its aggregate
  double memory_kb = 0;
  double batches = 0;    // hash join: batches now; hash aggregate: batches used
  double to_read = 0;    // hash aggregate: batches that are not read back yet
  double room = 0;       // hash aggregate: groups that memory holds by its limits of now, 0: not known
  double batch_now = 0;  // hash join: batch in work
  double walked = -1;    // hash aggregate: share of its table that has been looked at for rows; -1: not known
  bool sorted = false;   // sort: sorting is over, rows are coming out
  bool filled = false;   // hash table built, hash aggregate's input read to its end
  bool spilled = false;  // hash aggregate: rows of groups that it does not hold went to files
  bool ended = false;    // returned its last row at least once
};
static_assert(std::is_trivially_copyable_v<NodeCounters>);

enum class Wait : uint8_t { kNone = 0, kIo = 1, kLock = 2, kClient = 3, kOther = 4 };

struct Tick {
  double elapsed_ms = 0;   // wall time of the statement without pauses
  double cpu_ms = 0;       // CPU of the leader since start
  double temp_blocks = 0;  // temporary blocks read and written
  double read_blocks = 0;  // shared and local blocks read or hit
  double rows_sent = 0;    // es_processed
  Wait wait = Wait::kNone;
};

struct TimeLeft {
  double progress = 0;  // 0..1, share of the time believed over
  double eta_ms = 0;    // time left
  double low_ms = 0;    // 80 % band of it
  double high_ms = 0;
  double discrepancy = 0;  // standard deviations between predicted and tracked total
  bool stalled = false;
};

struct NodeProgress {
  float refined_rows;    // expected total rows of the node, all loops
  float progress;        // 0..1
  float refined_log_sd;  // of log(refined_rows)
  float believed_rows;   // expected before the run, with what earlier runs taught
  float believed_log_sd;
};

// One statement's progress; trivially copyable, fixed size, no heap: it lives in static memory.
class Progress {
 public:
  // Splits the plan into pipelines and seeds time left from the estimate. Async-signal-safe too: late tracking begins
  // in a tick. pace and band may be null (nothing known).
  void Begin(const PlanTree& plan, const Estimate& estimate, const Pace* pace, const BandScale* band);

  // counters[i] belongs to plan.nodes[i] of the same plan given to Begin().
  TimeLeft Update(const PlanTree& plan, const NodeCounters* counters, const Tick& tick);

  // What a sample beside the run tells of the nodes' rows in all; rows[i] < 0: nothing, the node goes with its input.
  // Async-signal-safe.
  void Believe(const PlanTree& plan, const double* rows, const double* log_sd);

  // Figures for Revise(): refined over planned work, observed over expected speed, share of work seen.
  double work_ratio() const { return work_ratio_; }
  double speed_ratio() const { return speed_ratio_; }
  double work_share() const { return work_share_; }
  double stalled_ms() const { return stall_ms_; }  // in which something else held the statement
  const NodeProgress* nodes() const { return nodes_; }

  // Share of all work done so far that was done in the subtrees below the marked nodes, these included. 1: nothing to
  // tell it by.
  double ShareOfWorkDone(const PlanTree& plan, const bool* marked) const;

  // At the end: what this run teaches. total_ms is the statement's full time; counters are final.
  void Finish(const PlanTree& plan, const NodeCounters* counters, double total_ms, PaceSample* sample) const;

  // Trace of what was shown, thinned to at most kTracePoints evenly spread points.
  static constexpr int kTracePoints = 64;
  struct TracePoint {
    float elapsed_ms, progress, eta_ms, low_ms, high_ms, raw_progress;  // raw: of the drivers
  };
  int trace_count() const { return trace_count_; }
  const TracePoint* trace() const { return trace_; }

 private:
  // Position of a node in the tree and among the pipelines; fixed at Begin().
  struct Link {
    int16_t outer, inner;               // children by role, -1 none; members count as outer
    int16_t first_child, next_sibling;  // every child
    int16_t pipeline;                   // where its rows come out
    int16_t feed;                       // where its input is taken in: another one for blocking nodes
    int16_t blind;                      // phase of its own for work with no counter moving, else feed
    int16_t loop_source;                // node whose rows are this node's loops, -1: scanned once
    int16_t cte;                        // CTE scan: the plan whose rows it reads, -1 unknown
    int16_t recursion;                  // recursive union whose rounds run this node, -1 none
    int16_t once;                       // node that returns the same rows once: below a merge join's rewound inner side
    bool in_subplan;
    bool met_once;  // its loops ask for another key each: no row comes twice
  };

  struct NodeState {
    double planned;          // planned rows, all loops and processes
    double prior;            // the same with what earlier runs taught
    double strength;         // weight of the prior, as a share of the input
    double rows;             // so far
    double total;            // refined
    double fraction;         // share of its input that it has taken
    double given;            // share of its output that has come out, by rows where they are counted
    double log_sd;           // of total
    double processes;        // that share its work
    double seen_units;       // furthest position of a driver
    double groups;           // hash aggregate: before HAVING, 0 not refined yet
    double room;             // groups that it holds, 0: as many as its limit lets it
    double full_after;       // input rows after which it held no more, 0: it holds all
    double work_done, work;  // nominal
    bool started, finished, input_over;
    bool at_bound;  // total is what it cannot exceed
    bool told;      // prior was counted on a sample of this very join: what its inputs turn out to be is in it
  };

  struct PipelineState {
    double rate;  // expected ms per nominal work, learned or 1
    double done;  // nominal work
    double total;
    double uncertain;  // standard deviation of what is left
    double blind;      // part of what is left that goes on now with no counter moving
    double last_done;  // at the tick before
    double ms;         // wall time while it was the running one
  };

  // pipelines.cpp
  void Cut(const PlanTree& plan);
  bool RunsPerRow(const PlanTree& plan, int owner, int subplan, const Link& link) const;
  void PlanRows(const PlanTree& plan, const Pace* pace);

  // refine.cpp
  void MarkFinished(const PlanTree& plan, const NodeCounters* counters);
  void RefineNode(const PlanTree& plan, const NodeCounters* counters, int i);
  void RefineLeaf(const PlanNode& node, const NodeCounters& counters, const Link& link, NodeState* state);
  // How far the rows that node takes in are from what was thought of them: of `now` over `then` of its children, or of
  // the rows that loop it.
  double InputRatio(const PlanNode& node, const Link& link, double NodeState::*now, double NodeState::*then) const;
  double InputFraction(const PlanTree& plan, int i, double joined) const;
  // Whether duplicate keys have a merge join's inner side read again and again.
  bool MeetsMany(int i, double joined) const;
  // Share of the inner side that a merge join has come to.
  double InnerPosition(const PlanTree& plan, int i) const;
  // Share of its leading side that a merge join has read: it ends with that side.
  double LeadingShare(const PlanTree& plan, int i) const;
  // All groups of a hash aggregate as they look now, before HAVING.
  double SeenGroups(const NodeCounters& counters, const NodeState& outer, NodeState* state) const;
  // What a join's rows cannot exceed, from its keys; huge where nothing bounds them.
  double JoinBound(const PlanNode& node, const Link& link, double NodeState::*rows) const;
  void CutShort(const PlanTree& plan);
  void Refine(const PlanTree& plan, const NodeCounters* counters);

  // account.cpp
  double RowsLogSd(int i) const;
  void Account(const PlanTree& plan, const NodeCounters* counters);
  NodeFlow FlowOf(const PlanTree& plan, int i, bool total) const;

  // progress.cpp
  void Remember(const TimeLeft& left, double elapsed_ms, double raw);
  double DriverProgress() const;
  // Expected ms of the work with the rows as planned, nothing known of keys and groups.
  double PlannedWork(const PlanTree& plan);
  double SilentWork(double stuck_ms) const;

  double work_ratio_ = 1;
  double speed_ratio_ = 1;
  double work_share_ = 0;
  int32_t trace_count_ = 0;
  NodeProgress nodes_[kMaxPlanNodes];
  TracePoint trace_[kTracePoints];

  int32_t count_ = 0;
  int32_t pipelines_ = 0;
  int16_t order_[kMaxPlanNodes];  // children before parents, outer before inner
  Link links_[kMaxPlanNodes];
  NodeState states_[kMaxPlanNodes];
  PipelineState pipes_[kMaxPipelines];
  KalmanFilter filter_;
  Pace pace_;
  BandScale band_;
  bool repeated_ = false;
  bool stalled_ = false;
  bool compiled_ = false;
  double predicted_ms_ = 0, predicted_log_sd_ = 1;  // the estimate at Begin()
  double prior_speed_ = 1, prior_speed_sd_ = 1;     // expected ms per ms, and log standard deviation
  double startup_ms_ = 0;                           // expected of JIT compilation, during which nothing moves
  double planned_work_ = 0;                         // expected ms before anything ran
  double done_ = 0;                                 // expected ms of work done
  double last_ms_ = 0;                              // elapsed at the last tick
  double measured_ms_ = 0;                          // elapsed at the filter's last measurement
  double moved_ms_ = 0;                             // elapsed when a counter last moved
  double alive_ms_ = 0;                             // elapsed when it last showed any sign of work
  double temp_blocks_ = 0;
  double read_blocks_ = 0;
  Wait wait_ = Wait::kNone;  // at the last tick
  double cpu_ms_ = 0;
  double stall_ms_ = 0;                 // total time stalled
  double opaque_ms_ = 0;                // in functions, before their first row
  int32_t functions_ = 0;               // function scans that have given rows
  double eta_ms_ = 0, eta_log_sd_ = 1;  // as last shown, before a stall
  int16_t current_ = 0;                 // pipeline that moved last
  double trace_step_ms_ = 0;
  float trace_log_sd_[kTracePoints];
};
static_assert(std::is_trivially_copyable_v<Progress>);

}  // namespace query_shaper
