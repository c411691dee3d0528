// Parts of a query that can be run alone, and where in them a sample may be drawn.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/parsenodes.h"
}

namespace query_shaper {

Query* CopyQuery(const Query* query);

// The query itself and every subquery, CTE or member of a set operation in it that the planner plans apart and that
// refers to nothing outside itself; the innermost first. Pointers into `query`.
List* FindBlocks(const Query* query);

// A copy without anything above its joins: grouping, windows, sorting, limits, the select list.
Query* JoinsOnly(const Query* block);

// Tables in the block's joins from which a sample may be drawn: RangeTblEntry pointers into `block`.
List* FindSampleable(Query* block);

}  // namespace query_shaper
