// The sampling method block_runs(fraction): many short runs of blocks, one at a random place of each of as many equal
// stretches of the table, so that clustered data does not fall through as it does with few large pieces.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/execnodes.h"
#include "storage/block.h"
}

namespace query_shaper {

// How a table is cut: `runs` stretches of equal length, `length` blocks read in each.
struct BlockRuns {
  BlockNumber blocks;  // of the table
  BlockNumber runs;
  BlockNumber length;
};

// fraction in (0, 1]; seed decides whether a table smaller than one block per fraction is looked at.
BlockRuns CutBlockRuns(BlockNumber blocks, double fraction, uint32 seed);

// Where run `run` begins; it goes on at the start of its stretch when it meets the end.
struct BlockRun {
  BlockNumber stretch, stretch_end, begin, length;
};
BlockRun PlaceBlockRun(const BlockRuns& cut, BlockNumber run, uint32 seed);

// Handler of the method in this database, InvalidOid where the extension is not installed.
Oid BlockRunsHandler();

// Share of the blocks that this scan has read or will read; -1 before it began or with another method.
double SharePlanned(const SampleScanState* scan);

}  // namespace query_shaper
