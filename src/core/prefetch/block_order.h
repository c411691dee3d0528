// Entries of an index gone through block by block, where nobody asked for the index's order: what comes back to a block
// after thousands of entries does so in one visit.
#pragma once
#include <cstdint>

namespace query_shaper {

constexpr int kOrderedMost = 32768;  // entries at once: 256 kB, and as much to sort them

// A row's address in one word.
inline uint64_t PackEntry(uint32_t block, uint16_t item) { return static_cast<uint64_t>(block) << 16 | item; }
inline uint32_t BlockOf(uint64_t entry) { return static_cast<uint32_t>(entry >> 16); }
inline uint16_t ItemOf(uint64_t entry) { return static_cast<uint16_t>(entry); }

// Sorts by block; entries of a block stay in the order that they came in. `spare` has room for as many. The result is
// in one of the two: which is returned.
uint64_t* SortByBlock(uint64_t* entries, uint64_t* spare, int count);

}  // namespace query_shaper
