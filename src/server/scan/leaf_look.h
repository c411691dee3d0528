// A look at one leaf page of a B-tree when a statement is planned: the table's statistics do not tell whether an index
// comes back to the same blocks again and again, as where several sessions fill a table at once.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

// Whether it pays to fetch rows out of order (core/prefetch/block_sweep.h), as far as one page in the middle tells. The
// answer is kept by this backend until the index has grown or shrunk. The planner holds the index's lock; of `pages`
// there is one at most to be read.
bool ComesBackToBlocks(Oid index, uint32_t pages);

}  // namespace query_shaper
