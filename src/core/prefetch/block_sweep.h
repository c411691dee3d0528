// In what order rows are fetched that an index has in an order of its own, coming back to the same blocks again and
// again: those of a block together, so that it is looked up, pinned and locked once and not at every turn.
//
// Entries have sequence numbers, by which their rows are put back in order. A chunk is the rows of one block.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

constexpr int kSweepMost = 1024;  // entries

enum class ChunkOrder : uint8_t {
  kAscending,  // as the kernel reads ahead
  kFirstMet    // as blocks were asked for
};

struct BlockTurns {
  int32_t entries;
  int32_t blocks;  // distinct
  int32_t turns;   // entries whose block is not that of the one before
};

constexpr int kTurnsMost = 128;  // entries: those that follow are taken to be like them

// count 0..kTurnsMost.
BlockTurns CountTurns(const uint32_t* blocks, int count);

// Whether the turns that are saved are worth more than holding the rows until they are due.
bool WorthSweeping(const BlockTurns& turns);

struct BlockSweep {
  int32_t entries;
  uint16_t sequence[kSweepMost];  // numbers of the entries, chunk after chunk, within a chunk in their order
};
static_assert(std::is_trivially_copyable_v<BlockSweep>);

// count 0..kSweepMost.
void SweepBlocks(const uint32_t* blocks, int count, ChunkOrder order, BlockSweep* sweep);

// How many entries are taken at once, and when it is tried: few at first, since nobody may ask for the rest.
struct SweepPace {
  int32_t entries = 32;
  int32_t until = 16;  // turns until it is tried
  int32_t wait = 16;
};
static_assert(std::is_trivially_copyable_v<SweepPace>);

void NoteSwept(SweepPace* pace);
void NoteNotWorth(SweepPace* pace);
// What was held is gone; `unused` of its rows nobody asked for.
void NoteSpent(SweepPace* pace, int unused);

}  // namespace query_shaper
