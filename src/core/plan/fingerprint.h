// 64-bit name of a plan's shape: the same across constants, restarts and servers.
#pragma once
#include <cstdint>

#include "core/plan/plan_tree.h"

namespace query_shaper {

// Hashes operators, join kinds, aggregate strategies, roles, relation and index names (never OIDs), depth-first.
// Costs, row counts, constants, worker counts and node ids do not enter. Never 0.
uint64_t PlanFingerprint(const PlanTree& plan);

}  // namespace query_shaper
