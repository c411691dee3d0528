// What the planner, left alone, expects of every set of relations that it looks at while it plans a query.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
}

namespace query_shaper {

struct SetEstimate {
  Relids relids;  // indexes in the planned query's range table
  double rows;
  uint64 key, constants;  // as RowOverride; key 0: has no name
  Oid relation;           // of a single table, else InvalidOid
  const char* alias;      // of a single relation, else null
};

struct WholeEstimates {
  PlannedStmt* planned;
  int count, capacity;
  SetEstimate* sets;
};

// Plans a copy of the query. Sets of the query's own level alone, those of subqueries that are not pulled up are not
// among them. Raises what the planner raises.
WholeEstimates* EstimateWhole(const Query* query, const char* text, ParamListInfo parameters);

// Null: the planner did not look at this set.
const SetEstimate* FindSet(const WholeEstimates* whole, const Bitmapset* relids);
const SetEstimate* FindRelation(const WholeEstimates* whole, Oid relation, const char* alias);

void InstallWholeEstimates();

}  // namespace query_shaper
