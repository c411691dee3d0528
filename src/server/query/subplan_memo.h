// Memoised subplans: a correlated subquery that is run again and again has its results kept by the values of its
// parameters, as Memoize does for joins.
//
// A memo is a plan state that takes the place of the subplan's top node in its SubPlanStates. At first it only counts
// runs; then it looks whether the subplan may be answered from memory, keeps results, and is judged every so many runs
// (core/decide/memo_worth). While it rests the SubPlanStates run the subplan themselves, at no cost, until a tick puts
// it back. Correlated subplans never run in parallel workers.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "executor/execdesc.h"
}

namespace query_shaper {

struct Tracker;
struct StatementMemos;

// Puts memos over the correlated subplans of a statement whose nodes are ready; its state lives in the query's memory
// and is found by tracker->memos. Between nodes or before the first.
void InstallMemos(Tracker* tracker);

// Signal context: ends the rest of memos that are due.
void TickMemos(Tracker* tracker);

// After the last run: takes memos out but for those that EXPLAIN is to show.
void FinishMemos(Tracker* tracker);

// Takes every memo out and frees what it holds, reported. Whoever ends a statement's nodes before ExecutorEnd calls it
// first, also when they were cut off in the middle of a run; InstallMemos() serves the nodes that come after them.
void RemoveMemos(Tracker* tracker);

// Counts what the memos did and, unless the statement failed, says so in events. Once.
void ReportMemos(Tracker* tracker, bool failed);

}  // namespace query_shaper
