// The prefetch scan: an index scan whose heap blocks are asked for before it comes to them.
//
// PostgreSQL's own index scan stands below and keeps its keys, filter, marks, cursors and rechecks. Only the step from
// one entry of the index to its row is ours: there the blocks that a second walk over the same leaf pages (leaf_walk.h)
// finds ahead are requested, as many as core/prefetch/look_ahead.h says.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/extensible.h"
#include "nodes/pathnodes.h"
}

namespace query_shaper {

// Parallel workers find the node by its name: in every process, before any plan is read.
void RegisterPrefetchScan();

// Under `child`, an index scan that the caller has made; takes its target list over.
CustomScan* MakePrefetchScan(PlannerInfo* root, RelOptInfo* rel, const CustomPath* path, List* target,
                             struct Plan* child);

}  // namespace query_shaper
