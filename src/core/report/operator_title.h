// An operator as people read it: titled as by EXPLAIN, join kind and aggregate strategy included, its rows where
// counted.
#pragma once
#include "core/plan/plan_tree.h"

namespace query_shaper {

// "Hash Left Join", "Nested Loop Anti Join", "HashAggregate"; static storage.
const char* OperatorTitle(Operator op, JoinKind join, AggStrategy agg);

// Rows a node returned, -1 when that cannot be told: hashes and bitmaps are handed over whole, so that nobody counts
// them.
double CountedRows(Operator op, double rows);

}  // namespace query_shaper
