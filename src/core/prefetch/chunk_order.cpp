#include "core/prefetch/chunk_order.h"

namespace query_shaper {

void StartChunkOrder(ChunkOrder* order, uint64_t most_bytes) {
  *order = ChunkOrder{};
  order->most_bytes = most_bytes;
}

ChunkFate BringChunk(ChunkOrder* order, uint64_t number, uint64_t bytes, void* content) {
  if (number < order->due) return ChunkFate::kTwice;
  if (number - order->due >= kChunksHeld) return ChunkFate::kWait;
  HeldChunk* const place = &order->chunks[number % kChunksHeld];
  if (place->held) return ChunkFate::kTwice;
  const uint64_t room = order->most_bytes > order->held_bytes ? order->most_bytes - order->held_bytes : 0;
  if (number != order->due && bytes > room) return ChunkFate::kWait;
  *place = {content, bytes, true};
  order->held_bytes += bytes;
  ++order->held;
  return ChunkFate::kTaken;
}

bool TakeChunk(ChunkOrder* order, void** content, uint64_t* bytes) {
  HeldChunk* const place = &order->chunks[order->due % kChunksHeld];
  if (!place->held) return false;
  *content = place->content;
  *bytes = place->bytes;
  place->held = false;
  order->held_bytes -= place->bytes;
  --order->held;
  ++order->due;
  return true;
}

}  // namespace query_shaper
