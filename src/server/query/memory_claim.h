// A statement and the pool: what it reserves, and whether it waits for it.
#pragma once
#include "server/query/tracker.h"

namespace query_shaper {

// What the statement needs by prediction.
void BuildClaim(Tracker* tracker, PoolClaim* claim);

// At ExecutorStart: reserves what is free of what the statement needs. Below mode `shape` nothing; with the setting
// memory off what the server's own settings let it use.
void ClaimMemory(Tracker* tracker);

// At the first call of the executor: where admission is on and less was free than the statement needs, waits in line
// until it is free, the time limit, or until somebody waits for this process; then tracker->grant is what it has.
// Statements predicted short, nested ones and those with open cursors do not wait. Raises when cancelled, and at the
// time limit with admission_refuse.
void WaitForMemory(Tracker* tracker);

}  // namespace query_shaper
