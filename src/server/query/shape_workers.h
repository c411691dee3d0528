// How many workers the Gathers of a statement start: fewer than planned where the pool has no more, or where its
// predicted time is not worth their start; more where it is long and workers are free, within
// max_parallel_workers_per_gather.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

struct Tracker;
struct PoolClaim;

// What the plan would start at the same time, as the prediction has it.
void ReadWorkers(Tracker* tracker, PoolClaim* claim);

// At the statement's first call: each Gather gets a copy of its plan node with its number, so that a cached plan stays
// as it is.
void ShapeWorkers(Tracker* tracker);

}  // namespace query_shaper
