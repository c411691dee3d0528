// Asks the operating system for blocks of a relation that will be read soon.
#pragma once
#include "core/prefetch/request_runs.h"
#include "pg/pg.h"
extern "C" {
#include "utils/rel.h"
}

namespace query_shaper {

// Whether the block is in shared buffers now; it may be gone a moment later.
bool InSharedBuffers(Relation relation, uint32_t block);
bool FileBlockInSharedBuffers(const RelFileNode& file, uint32_t block);

// One request for each segment file that the range touches. The blocks exist. Returns how many requests failed: those
// blocks are read in the ordinary way when their turn comes.
int RequestBlocks(Relation relation, BlockRange range);

}  // namespace query_shaper
