// Learned row counts and known plans in shared memory, as planning and the end of a statement use them. What is learned
// counts at once; the learner writes it to the tables later.
#pragma once
#include "server/shared_rows.h"
#include "server/shared_state.h"

namespace query_shaper {

// One complete node as it is learned.
struct RowFact {
  uint64_t key;
  RowKind kind;
  RowConstants constants;
  double natural_rows, planner_rows, actual_rows;
  double relation_rows;
  int32_t relation_count;         // of all; 0: no table
  Oid relations[kRowRelations];   // the first of them, InvalidOid: not a table
  char clauses[kRowClauseBytes];  // constants shown as $n; may be empty
};

// Lock-free: false when nothing was ever learned about the relation in this database (may err towards true).
// InvalidOid: about what has no table at all. Names the relation: inside a transaction.
bool RowsKnownOf(Oid relation);

// The same of a join of all of these, with whatever clauses. Too many relations to be told apart: true.
bool JoinKnownOf(const Oid* relations, int count);

// Never raises; kNone before the database's knowledge is loaded.
RowGuess RecallRows(uint64_t key, const RowConstants& constants, double natural_rows, double relation_rows);

// Inside a transaction; raises only what naming the relations may raise. Full table: the least worthy are evicted.
void LearnRowFacts(const RowFact* facts, int count);

// Tells the database's learner that learned rows, plans or access models changed, or the launcher when none runs.
void NoteKnowledgeChange();

// True when the key has a row with its text, which then need not be made again.
bool RowKeyKnown(uint64_t key);

// Known plans of a statement, see core/decide/plan_guard.h. False: none.
bool RecallPlans(int64_t query_id, KnownPlans* plans);
// Calls change() on the statement's record (created when absent) under the lock; change must not raise.
void ChangePlans(int64_t query_id, void (*change)(KnownPlans* plans, void* context), void* context);

}  // namespace query_shaper
