// The clauses behind a key in short, for people: relations by name, constants as $n. Not SQL to be run.
#pragma once
#include "server/query/row_keys.h"
#include "server/store/row_knowledge.h"

namespace query_shaper {

// clauses: what a look-up is handed down, or the GROUP BY or DISTINCT list. Null: none.
char* ClauseText(const QueryLevel* level, Relids relids, RowKind kind, const List* clauses);

}  // namespace query_shaper
