// Plans made for more memory than the server's settings give a node.
//
// The planner prefers sorts and merges where a hash table would not fit under work_mem. Where the plan that it made is
// expected to spill so much that planning again costs next to nothing of it, and the pool has room, it is asked again
// with as much work_mem as the pool would give; another shape that is cheaper is taken, on trial where a plan of the
// statement is known. Its note carries the modest plan: a plan that was made for memory (a cached one above all) is
// only run where the pool has that memory when it starts.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "executor/execdesc.h"
#include "nodes/params.h"
#include "nodes/plannodes.h"
}

namespace query_shaper {

// Returns `statement`, or a plan for more memory.
PlannedStmt* PlanForMemory(PlannedStmt* statement, const char* source_text, ParamListInfo parameters,
                           double planning_ms);

// Before ExecutorStart.
void ChooseForMemory(QueryDesc* query);

}  // namespace query_shaper
