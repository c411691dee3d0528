// An operator as EXPLAIN titles it, join kind and aggregate strategy included.
#pragma once
#include "core/plan/plan_tree.h"

namespace query_shaper {

// "Hash Left Join", "Nested Loop Anti Join", "HashAggregate"; static storage.
const char* OperatorTitle(Operator op, JoinKind join, AggStrategy agg);

}  // namespace query_shaper
