#include "core/prefetch/block_sweep.h"

#include <algorithm>
#include <cstring>

namespace query_shaper {

namespace {

constexpr int kWaitMost = 4096;
constexpr uint16_t kNobody = 0xFFFF;

template <int kMost>
struct Chunks {
  int32_t count = 0;
  uint32_t block[kMost];
  uint16_t size[kMost];
  uint16_t of_entry[kMost];
};

template <int kMost>
void Gather(const uint32_t* blocks, int count, Chunks<kMost>* chunks) {
  static_assert((kMost & (kMost - 1)) == 0);
  uint16_t places[2 * kMost];
  uint32_t used = 16;
  while (used < 2 * static_cast<uint32_t>(count)) used *= 2;
  std::memset(places, 0xFF, sizeof(uint16_t) * used);
  for (int i = 0; i < count; ++i) {
    uint32_t at = (blocks[i] * 0x9E3779B1U >> 16) & (used - 1);
    while (places[at] != kNobody && chunks->block[places[at]] != blocks[i]) at = (at + 1) & (used - 1);
    if (places[at] == kNobody) {
      places[at] = static_cast<uint16_t>(chunks->count);
      chunks->block[chunks->count] = blocks[i];
      chunks->size[chunks->count++] = 0;
    }
    chunks->of_entry[i] = places[at];
    ++chunks->size[places[at]];
  }
}

}  // namespace

BlockTurns CountTurns(const uint32_t* blocks, int count) {
  Chunks<kTurnsMost> chunks;
  Gather(blocks, count, &chunks);
  BlockTurns turns = {count, chunks.count, 0};
  for (int i = 0; i < count; ++i) turns.turns += i == 0 || blocks[i] != blocks[i - 1];
  return turns;
}

// A turn saved is a look-up, a pin and a lock; a row held is copied and freed, which costs less than half of that.
bool WorthSweeping(const BlockTurns& turns) { return (turns.turns - turns.blocks) * 2 >= turns.entries; }

void SweepBlocks(const uint32_t* blocks, int count, ChunkOrder order, BlockSweep* sweep) {
  Chunks<kSweepMost> chunks;
  Gather(blocks, count, &chunks);
  sweep->entries = count;
  uint16_t turn[kSweepMost];
  for (int i = 0; i < chunks.count; ++i) turn[i] = static_cast<uint16_t>(i);
  if (order == ChunkOrder::kAscending)
    std::sort(turn, turn + chunks.count, [&](uint16_t a, uint16_t b) { return chunks.block[a] < chunks.block[b]; });
  uint16_t next[kSweepMost];
  uint16_t start = 0;
  for (int i = 0; i < chunks.count; ++i) {
    next[turn[i]] = start;
    start = static_cast<uint16_t>(start + chunks.size[turn[i]]);
  }
  for (int i = 0; i < count; ++i) sweep->sequence[next[chunks.of_entry[i]]++] = static_cast<uint16_t>(i);
}

void NoteSwept(SweepPace* pace) {
  pace->until = 1;
  pace->wait = SweepPace().wait;
}

void NoteNotWorth(SweepPace* pace) {
  pace->until = pace->wait;
  pace->wait = std::min(pace->wait * 2, kWaitMost);
}

void NoteSpent(SweepPace* pace, int unused) {
  pace->entries = unused > 0 ? SweepPace().entries : std::min(pace->entries * 2, kSweepMost);
}

}  // namespace query_shaper
