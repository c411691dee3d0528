// What the statistics tell of the keys of joins and sorts: which sides of a join hold no join key twice, which bounds
// its rows whatever the planner expected, and how many values lead a sort.
#pragma once
#include "server/query/plan_reader.h"

extern "C" {
#include "nodes/plannodes.h"
#include "nodes/primnodes.h"
}

namespace query_shaper {

// Whether rows of the join's outer side differ in a join key, so that each row of the inner side is met once at most.
// A column counts as unique when ANALYZE found it so. For nested loops the inner side must be looked up by that key.
bool OuterKeyIsUnique(const PlannedStmt* statement, const Plan* join);

// Distinct values of the sort's first key, by the last ANALYZE; 0: not known, or there is no other key to go on with.
double LeadingValues(const PlannedStmt* statement, const struct Sort* sort);

// Distinct values of the column of that place among so many rows of the table that it comes from; 0: not known.
double ColumnValues(const PlannedStmt* statement, const Plan* plan, int place, double rows);

// What a comparison of two values takes beyond that of two numbers, in the units of core/track/work_model: measured on
// half a million values of each kind, of texts with and without a common beginning.
double CompareNs(Oid type, Oid collation);

// The same of a sort's first key.
double CompareNsOf(const struct Sort* sort);

// What min() or max() over texts takes for a row beyond the same over numbers; 0 for other aggregates.
double ExtremeNs(const Aggref* call);

}  // namespace query_shaper
