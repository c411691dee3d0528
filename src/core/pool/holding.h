// What one reservation holds of one resource: amount, whether it is open, and a number that tells it from those that
// stood in the same place before, in one word.
//
// One word, so that a signal handler or another process that grows a reservation while its owner closes it either comes
// first, and what it added is given back with the rest, or finds it closed. Amounts below 2^48.
#pragma once
#include <cstdint>

namespace query_shaper {

constexpr int kHoldingGenerations = 1024;

// Opens a closed one under the next generation, which is returned; below 0: it is open.
int OpenHolding(uint64_t* word, int64_t amount);
// The amount that it held, which its account gets back; below 0: it is not open under this generation.
int64_t CloseHolding(uint64_t* word, int generation);
// False when it is not open under this generation.
bool AddToHolding(uint64_t* word, int generation, int64_t amount);
// What was taken off it, at most what it held.
int64_t TakeOffHolding(uint64_t* word, int generation, int64_t amount);

// -1: not open under this generation.
int64_t HoldingAmount(const uint64_t& word, int generation);
// Its generation; below 0: not open.
int HoldingGeneration(const uint64_t& word);

}  // namespace query_shaper
