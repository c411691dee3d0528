// Cuts what is expected to be read of a relation into extents of variable size, the most likely ones first.
//
// Scattered blocks make small extents, so that nothing is read for nothing; neighbours are joined over holes as large
// as the pattern makes it likely that they are read along: none where reads are random or strided, a quarter of an
// extent where they cluster, the kernel's readahead where they go in order.
#pragma once
#include <cstdint>

#include "core/prefetch/access_pattern.h"

namespace query_shaper {

struct ExpectedBlock {
  uint32_t block;
  float likelihood;  // that it will be read, 0..1
};

struct Extent {
  uint32_t first;
  uint32_t blocks;
  float likelihood;  // mean over its blocks; those of holes count as 0
};

constexpr uint32_t kScatteredExtentMost = 32;  // blocks
constexpr uint32_t kExtentMost = 1024;

// expected: ascending, distinct. extent_blocks: as advised for that pattern (AdvisedExtentBlocks). Extents end below
// relation_blocks. Returns how many were written, at most `capacity`: where there are more, the likeliest.
int CutExtents(const ExpectedBlock* expected, int count, Pattern pattern, uint32_t extent_blocks,
               uint32_t relation_blocks, Extent* extents, int capacity);

}  // namespace query_shaper
