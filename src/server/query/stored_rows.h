// Whose rows a plan node has stored, told without the plan: relations of a query level under all of its clauses.
#pragma once
#include "server/query/plan_note.h"

namespace query_shaper {

// Where a column of the stored rows comes from; index 0: an expression, not offered.
struct KeptColumn {
  Index index;  // in the range table of the query level; of a CTE every reference has its own
  AttrNumber attribute;
  Oid type;
  int32 type_modifier;
  Oid collation;
};

struct StoredRows {
  int level;           // see query_levels.h
  Relids relids;       // of that level; null for a CTE
  uint64_t key;        // of a level but the outermost: their name and its constants, see row_keys.h
  uint64_t constants;  // RowConstants::hash
  int column_count;
  KeptColumn* columns;
};

// Null: the entry is of a level without a number, or none.
const FlatPlace* PlaceOf(const PlanNote* note, Index flat);

// The query level whose rows the node returns; -1: not known.
int LevelOfRows(const struct Plan* plan, const PlanNote* note);

// False when the subtree's rows are not just those of a set of relations, whatever the plan. With `reader`, the level
// that reads the node, the whole result of one of its subqueries is that of the relation which the subquery is there.
bool FindStoredRows(const struct Plan* stored, const PlanNote* note, int reader, StoredRows* rows);

// A CTE's, for any reference to it: attributes are its columns.
void ReadCteColumns(const struct Plan* plan, StoredRows* rows);

}  // namespace query_shaper
