// Another plan for a statement that is running, when its own turns out wrong: the same QueryDesc, the same snapshot,
// nothing of it seen by anybody yet.
//
//   trigger    a node has delivered more rows than its limit (counting), or the tracked end lies far beyond the
//              prediction (a tick arms the nodes): ConsiderReplan(), between two rows
//   observe    rows of complete nodes and lower bounds for the others       replan_observe.cpp
//   judge      plans again under them; the new plan against what is left of the old one        replan.cpp
//   swap       an error of our own unwinds to the frame of ExecutorRun, which ends the old nodes, starts the new plan
//              in the same QueryDesc and runs it                            replan_swap.cpp
//
// The old EState stays until ExecutorEnd: portals point into it.
#pragma once
#include "server/query/plan_note.h"
#include "server/query/tracker.h"
extern "C" {
#include "tcop/dest.h"
}

namespace query_shaper {

// Signal context, when the tracker looks at a plan for the first time: whether it may be replaced.
void PrepareReplan(Tracker* tracker);

// Signal context: rows above which node i is a surprise.
uint64_t FirstRowLimit(const Tracker* tracker, int i);

// Signal context, once per tick.
bool PlanInDoubt(Tracker* tracker, double elapsed_ms);

// Between two rows. node: that has reached its row limit; null: the time is in doubt. Returns when the plan stays,
// raises what RunFramed() takes for a swap otherwise.
void ConsiderReplan(Tracker* tracker, TrackedNode* node);

// Between two rows: null when the running plan can be replaced here and now, else why not. *for_good (may be null): the
// reason will not go away in this run.
const char* ObstacleToSwap(const Tracker* tracker, bool* for_good);

// Nothing of the statement has been sent or read yet.
bool RowsUnseen(const Tracker* tracker);

// Gives the running plan up for another one of the same query, which lives in ChangedPlanContext(). Call it between two
// rows, after ObstacleToSwap() and PlanFits(). Raises.
[[noreturn]] void SwapTo(Tracker* tracker, PlannedStmt* plan, const PlanTree& tree, const StatementFacts& facts);

// Where a plan is made that may be swapped to; lives until the statement ends unless deleted before.
MemoryContext NewPlanContext(const Tracker* tracker);

// Plans the statement again; a failure that is not a cancel leaves null and the statement as it was, where a
// subtransaction can be used (not in parallel mode: then it is raised).
PlannedStmt* PlanAnew(const Tracker* tracker, const PlanNote* note, const PlanningOrder& order);

// Whether the statement's receivers and cursor will not see a difference. Null: yes, else why not.
const char* PlanMisfit(const Tracker* tracker, const PlannedStmt* plan);

// What is known of the rows of the running plan. believed: by node index, per loop, negative where nothing is known.
int ObserveRows(Tracker* tracker, RowOverride* overrides, int capacity, double* believed);

// At ExecutorStart of any statement: under whose rights it was started. A cursor may be read under others, and starting
// another plan for it would check those. The tracker takes it over when it begins, in signal context too.
void RememberStarter(const QueryDesc* query);
void FindStarter(Tracker* tracker);

// --- for executor_hooks ---

// In a catch block: true when the error is a swap asked for by this frame's tracker; it is then taken off the stack.
bool TakeSwap(Frame* frame);

// A receiver that was started already; forwards everything else.
struct StartedReceiver {
  DestReceiver receiver;
  DestReceiver* real;
};
void ForwardTo(StartedReceiver* started, DestReceiver* real);

// Ends the old plan's nodes and starts the new plan. May raise: the statement fails then.
void SwapPlan(Frame* frame);

// replan_explain.cpp: at ExecutorEnd, for the line that EXPLAIN (ANALYZE) adds.
void NoteGivenUp(const Tracker* tracker);
bool ExplainedHere();
void InstallReplanExplain();

// At ExecutorEnd, around it: the states of plans given up live until then.
struct EndedPlans {
  PlannedStmt* first_plan;
  KeptSet* kept;
  int count;
  EState* states[kMaxSwaps];
};
void TakeEndedPlans(Tracker* tracker, EndedPlans* ended);
void FreeEndedPlans(QueryDesc* query, const EndedPlans& ended);

}  // namespace query_shaper
