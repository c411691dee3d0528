// Finished work of a plan that is given up, offered to the new planning as relations with exact rows and next to no
// cost: built hash tables, finished sorts, materialised nodes and CTEs.
//
//   CollectKeptWork()   at the trigger: what is finished now, and which relations' rows it is
//   OfferKeptWork()     while planning again: a custom path for the relation or join that it is
//   SettleKeptWork()    when the new plan is taken: what it reads changes hands before the old nodes end
//   kept_scan.cpp       reads it
//
// Work is only kept of subtrees of plain scans, joins and what merely passes rows on, that depend on no parameter: the
// rows of such a subtree are those of its set of relations, whatever the plan. It belongs to one execution and ends
// with it.
#pragma once
#include "server/query/stored_rows.h"
#include "server/query/tracker.h"
extern "C" {
#include "executor/hashjoin.h"
#include "nodes/extensible.h"
#include "nodes/pathnodes.h"
#include "utils/tuplesort.h"
#include "utils/tuplestore.h"
}

namespace query_shaper {

enum class KeptKind : uint8_t { kHash, kSort, kMaterial, kCte };

struct KeptWork {
  KeptWork* next;
  int id;
  KeptKind kind;
  bool taken;         // ours; else still the node's
  PlanState* source;  // hash join, sort, material, leading CTE scan; null when taken
  StoredRows stored;
  const char* cte;
  double rows;
  bool counted;  // rows is exact
  int width;
  const struct Sort* order;  // of a sort: in the plan that is given up, which stays in memory
  HashJoinTable table;
  Tuplesortstate* sort;
  Tuplestorestate* store;
};

struct KeptSet {
  MemoryContext memory;
  KeptSet* next;  // of all executions of this process
  KeptWork* works;
};

void CollectKeptWork(Tracker* tracker);
bool AnyKeptWork(const Tracker* tracker);

// PlanningOrder::offer; context: the tracker.
void OfferKeptWork(Planning* planning, PlannerInfo* root, RelOptInfo* rel, void* tracker);

// Cost of subplans that the plan was charged for and never runs, because it reads their rows from kept work.
double CostNotRun(const PlannedStmt* plan);

// Rows of finished work that the plan reads.
double KeptRows(const Tracker* tracker, const PlannedStmt* plan);

// Rows that stand in finished nodes of the running plan which block a pipeline, kept or not; of nodes in one another
// only the topmost: what is below it is not needed again.
double FinishedRows(const Tracker* tracker);

void SettleKeptWork(Tracker* tracker, const PlannedStmt* plan);

// Closes the files of what was taken over; memory goes with the statement's.
void EndKeptWork(KeptSet* set);

// Sorts that fit into memory are kept readable from their beginning, which costs nothing there. Before their first row.
void KeepSortsReadable(Tracker* tracker);

// kept_scan.cpp
KeptWork* FindKeptWork(int id);
CustomPath* MakeKeptPath(PlannerInfo* root, RelOptInfo* rel, const KeptWork* work);
int KeptWorkOf(const struct Plan* plan);  // its id when the plan node reads kept work, else -1

}  // namespace query_shaper
