#include "core/prefetch/staging_window.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {

namespace {

constexpr double kExpiresS = 10 * kStagedHalfLifeS;

double Worth(const StagedExtent& entry, double now_s) {
  if (entry.state == StageState::kFailed) return 0;
  return entry.extent.likelihood * std::exp2(-std::max(now_s - entry.predicted_s, 0.0) / kStagedHalfLifeS);
}

bool Covers(const StagedExtent& entry, uint64_t relation, const Extent& extent) {
  if (entry.state == StageState::kFree || entry.relation != relation) return false;
  const uint64_t end = static_cast<uint64_t>(extent.first) + extent.blocks;
  const uint64_t entry_end = static_cast<uint64_t>(entry.extent.first) + entry.extent.blocks;
  return entry.extent.first <= extent.first && entry_end >= end;
}

// The one that is worth least and may go; below 0: none.
int LeastWorth(const StagingWindow& window, double now_s) {
  int least = -1;
  double least_worth = 0;
  for (int i = 0; i < kStagedExtents; ++i) {
    const StagedExtent& entry = window.extents[i];
    if (entry.state == StageState::kFree || entry.state == StageState::kReading) continue;
    const double worth = Worth(entry, now_s);
    if (least >= 0 && worth >= least_worth) continue;
    least = i;
    least_worth = worth;
  }
  return least;
}

int FreePlace(const StagingWindow& window) {
  for (int i = 0; i < kStagedExtents; ++i)
    if (window.extents[i].state == StageState::kFree) return i;
  return -1;
}

}  // namespace

const char* StageStateName(StageState state) {
  constexpr const char* kNames[] = {"free", "wanted", "reading", "staged", "failed"};
  return kNames[static_cast<int>(state)];
}

uint64_t BlocksStaged(const StagingWindow& window) {
  uint64_t blocks = 0;
  for (const StagedExtent& entry : window.extents)
    if (entry.state != StageState::kFree) blocks += entry.extent.blocks;
  return blocks;
}

int WantExtent(StagingWindow* window, uint64_t relation, const Extent& extent, double now_s, uint64_t most_blocks,
               int* dropped) {
  for (int i = 0; i < kStagedExtents; ++i) {
    StagedExtent& entry = window->extents[i];
    if (!Covers(entry, relation, extent)) continue;
    entry.extent.likelihood = std::max(extent.likelihood, static_cast<float>(Worth(entry, now_s)));
    entry.predicted_s = now_s;
    if (entry.state != StageState::kReading) entry.state = StageState::kWanted;
    return i;
  }
  if (extent.blocks > most_blocks) return -1;
  uint64_t blocks = BlocksStaged(*window);
  int place = FreePlace(*window);
  while (place < 0 || blocks + extent.blocks > most_blocks) {
    const int least = LeastWorth(*window, now_s);
    if (least < 0 || Worth(window->extents[least], now_s) >= extent.likelihood) return -1;
    blocks -= window->extents[least].extent.blocks;
    window->extents[least] = StagedExtent{};
    place = least;
    if (dropped != nullptr) ++*dropped;
  }
  window->extents[place] = {relation, extent, StageState::kWanted, now_s, 0};
  return place;
}

void ExpireExtents(StagingWindow* window, double now_s) {
  for (StagedExtent& entry : window->extents)
    if (entry.state != StageState::kReading && now_s - entry.predicted_s > kExpiresS) entry = StagedExtent{};
}

int BlocksInside(const Extent& extent, const uint32_t* blocks, int count) {
  const uint32_t* const from = std::lower_bound(blocks, blocks + count, extent.first);
  const uint32_t* to = from;
  while (to < blocks + count && *to - extent.first < extent.blocks) ++to;
  return static_cast<int>(to - from);
}

int64_t NoteHits(StagingWindow* window, uint64_t relation, const uint32_t* blocks, int count) {
  int64_t hits = 0;
  for (StagedExtent& entry : window->extents) {
    if (entry.state != StageState::kStaged || entry.relation != relation) continue;
    const int inside = BlocksInside(entry.extent, blocks, count);
    entry.hits += inside;
    hits += inside;
  }
  return hits;
}

int64_t HitsOf(const StagingWindow& window, uint64_t relation, const uint32_t* blocks, int count) {
  int64_t hits = 0;
  for (const StagedExtent& entry : window.extents)
    if (entry.state == StageState::kStaged && entry.relation == relation)
      hits += BlocksInside(entry.extent, blocks, count);
  return hits;
}

}  // namespace query_shaper
