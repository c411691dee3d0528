// Query levels (one SELECT each) that are known again when a copy of the query is planned.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/parsenodes.h"
#include "nodes/pathnodes.h"
}

namespace query_shaper {

// Numbers the subqueries of FROM and the queries of WITH, each after the one around it, in their Query::queryId, which
// the planner does not read and copyObject() copies. The outermost has number 0 and keeps its queryId.
void NumberLevels(Query* query);

// -1: not numbered (subqueries of expressions, of functions that the planner put in), or not planned as it stands
// (min() and max() by an index).
int LevelNumber(const PlannerInfo* root);

}  // namespace query_shaper
