// What a tick decides about its statement: the discrepancy between prediction and run, and what follows from it.
#pragma once
#include "server/query/tracker.h"

namespace query_shaper {

// Signal context, after progress was updated.
void DecideInTick(Tracker* tracker, const Tick& tick, double memory_kb);

// The plan is given up for another one: what was decided about it is told and forgotten. Not in signal context.
void EndDecisions(Tracker* tracker);

}  // namespace query_shaper
