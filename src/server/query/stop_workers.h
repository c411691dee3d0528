// The orderly end of the workers of a parallel plan that is given up: as under a LIMIT their rows are not wanted any
// more, but they need not come to their next row to notice. The leader says which plan it is in its slot; each worker's
// tick puts a function that returns no row in place of every node, so that hashes, sorts and joins end at once, and the
// worker leaves as if it had done its work: no error, nothing in the log.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "executor/execParallel.h"
}

namespace query_shaper {

// In the leader: returns when no worker of the plan is left, so that what they share can be freed. Workers that do not
// end in time are terminated. May raise, a cancel while it waits; what is left then ends with the transaction.
void StopWorkers(ParallelExecutorInfo* parallel, double elapsed_ms);

// In a worker: whether its leader has given its plan up. Signal context, too.
bool LeaderGaveUp();

// In a worker, signal context: its outermost statement ends at its next row.
void EndPlanEarly();

}  // namespace query_shaper
