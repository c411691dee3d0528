#include "core/prefetch/partitioner.h"

#include <algorithm>

namespace query_shaper {

namespace {

struct Grain {
  uint32_t most;  // blocks of an extent
  uint32_t hole;  // blocks between neighbours that are read along
};

Grain GrainOf(Pattern pattern, uint32_t extent_blocks) {
  switch (pattern) {
    case Pattern::kSequential:
      return {std::clamp(extent_blocks, kNearBlocks, kExtentMost), kNearBlocks};
    case Pattern::kClustered: {
      const uint32_t most = std::clamp(extent_blocks, 1U, kExtentMost);
      return {most, most / 4};
    }
    default:
      // A run that came by chance is read at once, whatever the pattern.
      return {std::clamp(extent_blocks, kScatteredExtentMost, kExtentMost), 0};
  }
}

bool Likelier(const Extent& a, const Extent& b) {
  return a.likelihood != b.likelihood ? a.likelihood > b.likelihood : a.first < b.first;
}

// extents: a heap with the least likely on top once it is full.
int Keep(const Extent& extent, Extent* extents, int count, int capacity) {
  if (count < capacity) {
    extents[count++] = extent;
    std::push_heap(extents, extents + count, Likelier);
  } else if (capacity > 0 && Likelier(extent, extents[0])) {
    std::pop_heap(extents, extents + count, Likelier);
    extents[count - 1] = extent;
    std::push_heap(extents, extents + count, Likelier);
  }
  return count;
}

}  // namespace

int CutExtents(const ExpectedBlock* expected, int count, Pattern pattern, uint32_t extent_blocks,
               uint32_t relation_blocks, Extent* extents, int capacity) {
  const Grain grain = GrainOf(pattern, extent_blocks);
  int cut = 0;
  int i = 0;
  while (i < count && expected[i].block < relation_blocks) {
    Extent extent = {expected[i].block, 1, 0};
    float weight = expected[i].likelihood;
    for (++i; i < count && expected[i].block < relation_blocks; ++i) {
      const uint32_t blocks = expected[i].block - extent.first + 1;
      const uint32_t hole = blocks - extent.blocks - 1;
      if (blocks > grain.most || hole > grain.hole) break;
      extent.blocks = blocks;
      weight += expected[i].likelihood;
    }
    extent.likelihood = weight / static_cast<float>(extent.blocks);
    cut = Keep(extent, extents, cut, capacity);
  }
  std::sort(extents, extents + cut, Likelier);
  return cut;
}

}  // namespace query_shaper
