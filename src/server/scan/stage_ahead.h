// What a session reads, statement by statement, and what it will read next: when a statement has ended, the next one is
// predicted from the session's sequence of statements, what that will read from its earlier runs, and what of it is
// not in shared buffers is wanted of the stagers while the client thinks.
//
// Known of the session alone, and gone with it. Nothing of this runs while prefetch_stagers is 0.
#pragma once
#include "core/prefetch/statement_reach.h"
#include "server/scan/prefetch_state.h"

namespace query_shaper {

// Distinct blocks of one scan in the order in which it came to them, as far as they fit.
struct ReachTrace {
  int32_t count;
  uint32_t last;
  uint32_t blocks[kReachBlocks];
};

// At the scan's start: state->reach is set when it is to be followed.
void BeginReach(PrefetchScanState* state);

inline void TraceReach(ReachTrace* reach, uint32_t block) {
  if (block == reach->last || reach->count == kReachBlocks) return;
  reach->last = block;
  reach->blocks[reach->count++] = block;
}

// At the end of a scan that went well, its relation still open.
void EndReach(const PrefetchScanState* state);

// Of the blocks that the scan came to: how many lay in extents staged for statements, and in extents of this session's
// that were wanted and came too late.
struct StagedFigures {
  int64_t staged, late;
};
StagedFigures StagedOf(const PrefetchScanState* state);

// Called by _PG_init.
void InstallStageAhead();

}  // namespace query_shaper
