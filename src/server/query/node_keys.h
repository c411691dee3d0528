// From the planner's view of a finished plan to the keys of its nodes.
#pragma once
#include "server/query/plan_note.h"
#include "server/query/row_estimates.h"

namespace query_shaper {

// Fills keys, clauses, places and levels of the note; the planner's memory must still be there.
void FillNodeKeys(Planning* planning, const PlannedStmt* statement, PlanNote* note);

// One more than the largest plan_node_id.
int NodeIdLimit(const PlannedStmt* statement);

// The tables below a set of relations, the first kRowRelations of them.
void AddRelations(NodeKey* key, PlannerInfo* root, Relids relids, int depth);

}  // namespace query_shaper
