// Which extents are staged: a bounded number of extents and of blocks, kept by predicted use and recency, each extent
// worth its likelihood, halved with every kStagedHalfLife since it was last predicted.
//
// Plain memory of fixed size: it may live in shared memory, under its owner's lock.
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/prefetch/partitioner.h"

namespace query_shaper {

constexpr int kStagedExtents = 256;
constexpr double kStagedHalfLifeS = 30;

enum class StageState : uint8_t { kFree = 0, kWanted, kReading, kStaged, kFailed };

// "wanted" and so on; "free".
const char* StageStateName(StageState state);

struct StagedExtent {
  uint64_t relation;  // the caller's name of a relation and of the file that holds it
  Extent extent;
  StageState state;
  double predicted_s;  // when it was predicted last
  int64_t hits;        // blocks of it that were read after it was staged
};

struct StagingWindow {
  StagedExtent extents[kStagedExtents];
};
static_assert(std::is_trivially_copyable_v<StagingWindow>);

uint64_t BlocksStaged(const StagingWindow& window);

// Where the extent stands now, wanted; one that begins at the same block, or covers it, is taken for it and staged
// again, as its blocks may have left memory. Makes room by dropping what is worth less and not being read; below 0:
// everything else is worth more. *dropped, when not null, gets how many made room.
int WantExtent(StagingWindow* window, uint64_t relation, const Extent& extent, double now_s, uint64_t most_blocks,
               int* dropped);

// The likeliest of those wanted for which of(index) holds; below 0: none.
template <typename Of>
int NextWanted(const StagingWindow& window, Of of) {
  int best = -1;
  for (int i = 0; i < kStagedExtents; ++i) {
    const StagedExtent& entry = window.extents[i];
    if (entry.state != StageState::kWanted || !of(i)) continue;
    if (best < 0 || entry.extent.likelihood > window.extents[best].extent.likelihood) best = i;
  }
  return best;
}

// The statement that they were predicted for has come or not: those for which of(index) holds are worth a quarter, and
// what nobody has begun to read is not wanted any more.
template <typename Of>
void FadeExtents(StagingWindow* window, Of of) {
  constexpr float kPassed = 0.25F;
  for (int i = 0; i < kStagedExtents; ++i) {
    StagedExtent& entry = window->extents[i];
    if (entry.state == StageState::kFree || !of(i)) continue;
    if (entry.state == StageState::kWanted)
      entry = StagedExtent{};
    else
      entry.extent.likelihood *= kPassed;
  }
}

// Drops what was not predicted for ten half-lives and is not being read.
void ExpireExtents(StagingWindow* window, double now_s);

// How many of the blocks (ascending, distinct) lie in it.
int BlocksInside(const Extent& extent, const uint32_t* blocks, int count);

// Counts the blocks (ascending, distinct) that fell into staged extents of the relation. Returns how many.
int64_t NoteHits(StagingWindow* window, uint64_t relation, const uint32_t* blocks, int count);

// The same without counting them.
int64_t HitsOf(const StagingWindow& window, uint64_t relation, const uint32_t* blocks, int count);

// How many of the blocks (ascending, distinct) fell into extents of the relation that were wanted, and are not staged
// yet, where of(index) holds.
template <typename Of>
int64_t LateBlocks(const StagingWindow& window, uint64_t relation, const uint32_t* blocks, int count, Of of) {
  int64_t late = 0;
  for (int i = 0; i < kStagedExtents; ++i) {
    const StagedExtent& entry = window.extents[i];
    const bool open = entry.state == StageState::kWanted || entry.state == StageState::kReading;
    if (open && entry.relation == relation && of(i)) late += BlocksInside(entry.extent, blocks, count);
  }
  return late;
}

}  // namespace query_shaper
