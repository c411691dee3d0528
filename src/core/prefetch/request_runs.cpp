#include "core/prefetch/request_runs.h"

#include <algorithm>

namespace query_shaper {

namespace {

// Last block + 1, without overflow at the end of the largest relation.
uint64_t EndOf(const BlockRange& range) { return static_cast<uint64_t>(range.first) + range.blocks; }

bool Extend(RequestRuns* runs, uint32_t block) {
  BlockRange& range = runs->pending;
  if (block >= range.first && block < EndOf(range)) return true;
  const uint64_t first = std::min<uint64_t>(range.first, block);
  const uint64_t end = std::max<uint64_t>(EndOf(range), static_cast<uint64_t>(block) + 1);
  const uint64_t skipped = end - first - range.blocks - 1;
  if (skipped > runs->hole || end - first > runs->max_blocks) return false;
  range = {static_cast<uint32_t>(first), static_cast<uint32_t>(end - first)};
  return true;
}

}  // namespace

bool AddRequest(RequestRuns* runs, uint32_t block, BlockRange* ready) {
  if (runs->pending.blocks == 0) {
    runs->pending = {block, 1};
  } else if (!Extend(runs, block)) {
    *ready = runs->pending;
    runs->pending = {block, 1};
    return true;
  }
  if (runs->pending.blocks < runs->max_blocks) return false;
  return TakeRequest(runs, ready);
}

bool TakeRequest(RequestRuns* runs, BlockRange* ready) {
  if (runs->pending.blocks == 0) return false;
  *ready = runs->pending;
  runs->pending = {};
  return true;
}

bool SplitAtSegment(BlockRange* range, uint32_t segment_blocks, BlockRange* part) {
  if (range->blocks == 0) return false;
  const uint32_t left = segment_blocks - range->first % segment_blocks;
  *part = {range->first, std::min(range->blocks, left)};
  *range = {range->first + part->blocks, range->blocks - part->blocks};
  return true;
}

}  // namespace query_shaper
