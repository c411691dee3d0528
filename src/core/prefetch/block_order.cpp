#include "core/prefetch/block_order.h"

#include <utility>

namespace query_shaper {

namespace {

constexpr int kDigitBits = 11;
constexpr int kDigits = 1 << kDigitBits;
constexpr int kBlockShift = 16;

}  // namespace

uint64_t* SortByBlock(uint64_t* entries, uint64_t* spare, int count) {
  uint64_t differing = 0;
  for (int i = 1; i < count; ++i) differing |= entries[i] ^ entries[0];
  for (int shift = kBlockShift; shift < 48; shift += kDigitBits) {
    if ((differing >> shift & (kDigits - 1)) == 0) continue;
    int32_t start[kDigits] = {};
    for (int i = 0; i < count; ++i) ++start[entries[i] >> shift & (kDigits - 1)];
    int32_t before = 0;
    for (int32_t& digit : start) before += std::exchange(digit, before);
    for (int i = 0; i < count; ++i) spare[start[entries[i] >> shift & (kDigits - 1)]++] = entries[i];
    std::swap(entries, spare);
  }
  return entries;
}

}  // namespace query_shaper
