// 64-bit hashing that gives the same name on every server and after every restart.
#pragma once
#include <cstddef>
#include <cstdint>

namespace query_shaper {

// Finaliser of MurmurHash3 (Appleby, public domain): every input bit reaches every output bit.
constexpr uint64_t MixBits(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  x ^= x >> 33;
  return x;
}

constexpr uint64_t CombineHash(uint64_t seed, uint64_t value) {
  return MixBits(seed * 0x9e3779b97f4a7c15ULL + MixBits(value) + 0x2545f4914f6cdd1dULL);
}

// FNV-1a over bytes, then mixed; defined on bytes, so independent of the machine's byte order.
constexpr uint64_t HashBytes(const char* bytes, size_t length, uint64_t seed = 0) {
  uint64_t h = 0xcbf29ce484222325ULL ^ seed;
  for (size_t i = 0; i < length; ++i) {
    h ^= static_cast<unsigned char>(bytes[i]);
    h *= 0x100000001b3ULL;
  }
  return MixBits(h);
}

}  // namespace query_shaper
