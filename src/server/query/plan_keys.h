// Which sides of a join hold no join key twice: what bounds its rows whatever the planner expected.
#pragma once
#include "server/query/plan_reader.h"

extern "C" {
#include "nodes/plannodes.h"
}

namespace query_shaper {

// Whether rows of the join's outer side differ in a join key, so that each row of the inner side is met once at most.
// A column counts as unique when ANALYZE found it so. For nested loops the inner side must be looked up by that key.
bool OuterKeyIsUnique(const PlannedStmt* statement, const Plan* join);

}  // namespace query_shaper
