// The batch reader: reads the outer rows of a nested loop ahead and asks for what its inner index scan will read.
//
// The nested loop and its inner scan are PostgreSQL's own, so that predicate locks, hints for dead entries, rechecks
// and every kind of join are too. This node is the outer plan: it hands the same rows on in the same order, but knows
// some that the join has yet to come to. First the leaf page of each is asked for, half the way later, when that is
// there, the blocks of its matches. How many rows are read ahead is core/prefetch/look_ahead.h's to say, a row's probe
// standing for one block: none while nothing is waited for, and then rows pass through uncopied.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/execnodes.h"
#include "nodes/extensible.h"
#include "nodes/pathnodes.h"
}

namespace query_shaper {

// Once the join's nodes are all there: its inner scan can be given what is found (scan/entry_feed).
void FeedInner(NestLoopState* join);

// Parallel workers find the node by its name: in every process, before any plan is read.
void RegisterBatchReader();

// Over `child`, the outer plan. description and values as DescribeProbe() made them; single: the join wants no more
// than one match of each row.
CustomScan* MakeBatchReader(const CustomPath* path, List* target, struct Plan* child);

// What a CustomPath carries to MakeBatchReader().
List* BatchPrivate(List* description, List* values, bool single);

}  // namespace query_shaper
