// Puts chunks that arrive out of order back in order by their sequence numbers, with bounded memory.
//
// Chunks are 0, 1, 2, ... and of any size. The one that is due is always taken, whatever is held: with it refused,
// nobody could go on. Others are taken while they fit; else their bringer waits and offers them again.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace query_shaper {

constexpr int kChunksHeld = 256;

struct HeldChunk {
  void* content;  // the caller's
  uint64_t bytes;
  bool held;
};

struct ChunkOrder {
  HeldChunk chunks[kChunksHeld];  // by number, modulo
  uint64_t due;                   // number of the chunk that is to be taken next
  uint64_t held_bytes;
  uint64_t most_bytes;
  int32_t held;
};
static_assert(std::is_trivially_copyable_v<ChunkOrder>);

enum class ChunkFate : uint8_t {
  kTaken,
  kWait,  // no room: offer it again when a chunk has been taken
  kTwice  // its number was brought before
};

void StartChunkOrder(ChunkOrder* order, uint64_t most_bytes);

ChunkFate BringChunk(ChunkOrder* order, uint64_t number, uint64_t bytes, void* content);

// The chunk that is due; false when it has not come.
bool TakeChunk(ChunkOrder* order, void** content, uint64_t* bytes);

}  // namespace query_shaper
