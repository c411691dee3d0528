// Plans made for more memory than the server's settings give a node.
//
// The planner prefers sorts, merges and scans in an index's order where a hash table would not fit under work_mem: a
// plan that holds nothing may be the answer to too little memory. So it is not the plan's own wants that decide whether
// the planner is asked again, but whether planning costs next to nothing of what would be spilled or of what the
// statement takes at all, where more than fits goes from node to node. It is asked with as much work_mem as the pool
// would give a node, and with a quarter of that; another shape that is cheaper is taken, on trial where a plan of the
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

// Returns `statement`, or a plan for more memory. query: before planning; it is kept.
PlannedStmt* PlanForMemory(PlannedStmt* statement, Query* query, const char* source_text, ParamListInfo parameters,
                           double planning_ms);

// Before ExecutorStart.
void ChooseForMemory(QueryDesc* query);

}  // namespace query_shaper
