// Test builds only: the true rows of every set of relations that the planner looks at, so that benches can tell what
// plans made of them would take.
//
// A set is counted by running what the planner would have run for it: at the last stage of planning its cheapest path
// takes the place of the whole query's. So joins of every kind, implied clauses, CTEs and subqueries are what they are
// in the query.
#pragma once
#include "pg/pg.h"

#ifdef QUERY_SHAPER_FAULT_POINTS
extern "C" {
#include "nodes/parsenodes.h"
}

namespace query_shaper {

void InstallTrueRows();

// Number of sets of the query's own level: its relations, then its joins, the smaller first. Raises what the planner
// raises.
int CountSets(const Query* query, const char* text);

// Runs one set and learns its rows. -1: it cannot be run alone. Raises what the planner and the executor raise.
double LearnTrueRows(const Query* query, const char* text, int set);

}  // namespace query_shaper
#else
namespace query_shaper {
inline void InstallTrueRows() {}
}  // namespace query_shaper
#endif
