// The record of one tracked statement in its backend, from ExecutorStart to its end however it comes.
#pragma once
#include "core/predict/predict.h"
#include "core/decide/discrepancy.h"
#include "core/decide/plan_guard.h"
#include "core/decide/replan_policy.h"
#include "core/track/progress.h"
#include "server/pool/shared_pool.h"
#include "server/query/grow_memory.h"
#include "server/query/runaway.h"
#include "server/query/shape_memory.h"
#include "server/query/statement_facts.h"
#include "server/shared_state.h"

#include <csignal>

extern "C" {
#include "executor/execdesc.h"
#include "executor/instrument.h"
#include "nodes/execnodes.h"
}

namespace query_shaper {

constexpr int kNodeIds = 512;
constexpr int kTrackers = 8;  // statements tracked at once in one process: nested ones and open cursors

struct StatementMemos;

// What a node has done: rows given out, and times that it said there are no more; and meanwhile: rows and ends of the
// outer side of its join, for which it is called, and processor time of the statement.
struct NodeWork {
  uint64_t rows, ends, calls;
  double cpu_ms;
};

// Of a node that is counted in a share of the ticks, see ChooseSampled().
struct CountSample {
  short node;          // index in Tracker::nodes
  short outer;         // of the outer side of the join: once that has ended, the node is counted throughout
  bool laid_off;       // it is not counted now
  bool end_missed;     // it may have ended while it was not counted
  NodeWork in_a_tick;  // in the tick that was counted last, which stands for the others
  NodeWork so_far;     // up to the last look
};

constexpr int kCountSamples = 2;

struct TrackedNode {
  PlanState* state;  // null: this node of the plan was pruned or not reached
  short wrapper;     // -1: none
  bool heap_scan;    // sequential, of a heap: its block is a position
  double furthest;   // block that it was last seen at
  ExecProcNodeMtd before_armed;
  short subplan;          // index of the top of the correlated subplan that it lies below, -1: none
  uint64_t unseen_calls;  // of that top while this node was not counted
  uint64_t laid_off_at;   // calls of that top when counting was laid off last, 0: it is counted
};

struct KeptSet;
struct PlanNote;

constexpr int kMaxSwaps = 128;  // of the plan of one run; more than replan_limit and probation together can ask for

// What became of the plans of one run, see replan.h.
struct PlanChanges {
  const PlanNote* note;     // of the running plan; null: it is not to be replaced
  PlannedStmt* first_plan;  // null: it still runs
  MemoryContext home;       // lives as long as the statement; of the first plan
  int swaps;
  EState* ended[kMaxSwaps];  // states of the plans before, kept until the statement ends
  int asked;
  double asked_ms;       // of the running plan's time, when it was last in doubt
  TimeSeen judged;       // when the running plan was last held against another one
  double asking_ms;      // spent on looking for better plans
  double swapped_ms;     // ElapsedMs() when the running plan began
  double kept_rows;      // of finished work that new plans took over
  double carried_ms;     // what the finished work of plans before that the running one may read has taken
  Probation next_trial;  // of the plan that takes over; known_ms 0: none
  KeptSet* kept;         // finished work of plans given up; in `home`, null: none
  bool starter_known;
  Oid starter;  // under whose rights the statement was started
  int starter_security;
};

struct Tracker {
  volatile sig_atomic_t used;
  volatile sig_atomic_t busy;     // between two plans or being judged: ticks leave it alone
  volatile sig_atomic_t errands;  // see carry_out.h
  bool late;
  bool worker;     // in a parallel worker: counters only
  bool predicted;  // the estimate was made before the run
  bool outcomes_wanted;
  bool revised;
  bool has_gather;
  bool published;
  bool attached;  // nodes and wrappers are in place
  bool counted;   // in SharedState::running
  bool complete;  // ran to its end
  bool sent;
  int nest_level;
  int slot_level;  // index in BackendSlot::statements_running, -1: not published
  int error_sqlstate;
  uint32 generation;  // grows with each use, so that a late callback knows its own
  QueryDesc* query;
  StatementMemos* memos;  // in the query's memory, null: none
  TimestampTz started;
  double next_revision_ms;
  uint64 rows_before;  // rows of finished calls
  int64_t run_ns;      // time inside the executor in finished calls
  int64_t entered_ns;  // start of the current call, 0 outside
  int64_t paused_ns;   // within run_ns and the current call
  int64_t cpu_start_ns;
  int64_t cpu_ns;
  BufferUsage buffers_start;
  BufferUsage buffers;  // gathered in finished calls
  int64_t peak_memory_kb;
  PoolClaim claim;  // of the pool
  PoolGrant grant;
  int reservation;  // kNoReservation: none
  uint64_t fingerprint;
  PlanChanges changes;
  bool comparing;      // discrepancy_test has begun with the running plan
  PlanOrigin origin;   // of the running plan
  bool trial_over;     // it was given up, or cannot be
  Probation trial;     // of the running plan; known_ms 0: none
  uint32 shadow_seen;  // version of the shadow's rows and plan that the tracker goes by, 0: none
  RunawayState runaway;
  GrowthState growth;
  MemoryShape memory;
  FeatureVector features;
  Estimate estimate;  // as made at the start, of the running plan
  Estimate shown;     // as revised
  PlanTree plan;
  short by_id[kNodeIds];  // index of a plan_node_id in plan.nodes, -1 none
  TrackedNode nodes[kMaxPlanNodes];
  int sampled_count;
  CountSample sampled[kCountSamples];
  NodeCounters counters[kMaxPlanNodes];
  Progress progress;
  TimeLeft time_left;
  DiscrepancyTest discrepancy_test;
  Discrepancy discrepancy;  // as of the last tick
  float memory_before_kb[kMaxPlanNodes];
  Estimate compared;  // what it is held against: the prediction, or the plan's cost
};

// A call of the executor on this process's stack; every executing statement has one, tracked or not.
struct Frame {
  Frame* outer;
  QueryDesc* query;
  Tracker* volatile tracker;
  TimestampTz entered;  // as known by the ticks, 0: none has come yet
  int level;
  bool watched;  // to be tracked late if it runs long
  bool first;    // the statement's first call, forward: nothing of it has been seen by anybody
};

extern Frame* volatile innermost_frame;

// The statement at ExecutorStart: reads, predicts, wraps, publishes. Null when all trackers are in use (counted).
Tracker* StartTracking(QueryDesc* query, int nest_level);

// The same in a parallel worker, for its leader's eyes: counters only.
Tracker* StartTrackingWorker(QueryDesc* query);

// Begins in a tick, while the statement runs: memory only, no allocation, no error. Null when nothing is free.
Tracker* StartTrackingLate(QueryDesc* query, int nest_level, double running_ms);

Tracker* FindTracker(const QueryDesc* query);

// Bracket each call of the executor.
void EnterExecutor(Tracker* tracker);
void LeaveExecutor(Tracker* tracker);

// Ends tracking and frees the tracker; the statement's nodes are not looked at any more.
void ReleaseTracker(Tracker* tracker);

// Ends the tracker with the query's memory, whatever way that ends; not in signal context.
void TieToQueryMemory(Tracker* tracker);

double ElapsedMs(const Tracker* tracker);      // time in the executor without pauses
double PlanElapsedMs(const Tracker* tracker);  // the same since the running plan began

// Around a change of plan: the nodes of the old one are not looked at any more; those of the new one are. facts and
// plan describe the new one.
void DetachNodes(Tracker* tracker);
void FollowNewPlan(Tracker* tracker, const PlanTree& plan, const StatementFacts& facts);

// Signal context. Returns the number of parallel workers at work for this statement.
int ReadCounters(Tracker* tracker);
// Signal context. Nodes of subplans that run very often are counted in a share of the ticks only: what they did
// meanwhile stands in proportion to the runs of the subplan, which are counted throughout.
void SpareCounting(Tracker* tracker);
// The last join of a statement that aggregates what it joins, and the inner side of a nested loop there, have nothing
// but their rows to tell of them, and give out most of them all. Where they are many they are counted in one tick of
// four and taken to come as fast in the others (systematic sampling): their sums are estimates within some percent.
void ChooseSampled(Tracker* tracker);
void SampleCounts(Tracker* tracker, double cpu_ms);  // signal context
void SettleCounts(Tracker* tracker, double cpu_ms);  // when the executor is left
// Whether the node has ended, though its wrapper may not have seen it.
bool EndMissed(const Tracker* tracker, int node);
// Signal context: reads every counter; updates progress and publishes.
void TickTracker(Tracker* tracker);

void PublishState(Tracker* tracker, StatementState state);

// The nodes' limits have changed.
void PublishLimits(Tracker* tracker);

// Calls visit for the nodes of every statement that is executing here.
void ForEachRunningNode(void (*visit)(TrackedNode* node));
void AddPausedTime(int64_t ns);

int64_t NowNs();
int64_t CpuNs();

}  // namespace query_shaper
