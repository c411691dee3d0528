// Gathers blocks that are asked for one after another into ranges, so that a run costs one request.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

struct BlockRange {
  uint32_t first = 0;
  uint32_t blocks = 0;  // 0: empty
};

// A run goes up or down by one block, or over a hole of at most `hole` blocks, which are read along: that is cheaper
// than a request of its own. A block already in the range is dropped.
struct RequestRuns {
  BlockRange pending;
  uint32_t max_blocks = 32;
  uint32_t hole = 0;
};
static_assert(std::is_trivially_copyable_v<RequestRuns>);

// True when *ready holds a range that is complete: the one before `block`, or the one that it filled.
bool AddRequest(RequestRuns* runs, uint32_t block, BlockRange* ready);

// What is left, at the end of a batch; false when nothing is.
bool TakeRequest(RequestRuns* runs, BlockRange* ready);

// The part of *range before the next multiple of `segment_blocks`; *range keeps the rest. False when it is empty.
bool SplitAtSegment(BlockRange* range, uint32_t segment_blocks, BlockRange* part);

}  // namespace query_shaper
