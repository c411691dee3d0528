#include "core/pool/holding.h"

#include <algorithm>
#include <atomic>

namespace query_shaper {

namespace {

constexpr uint64_t kOpen = uint64_t{1} << 63;
constexpr int kAmountBits = 48;
constexpr uint64_t kAmountMask = (uint64_t{1} << kAmountBits) - 1;

int GenerationOf(uint64_t word) { return static_cast<int>((word >> kAmountBits) % kHoldingGenerations); }
int64_t AmountOf(uint64_t word) { return static_cast<int64_t>(word & kAmountMask); }
bool OpenUnder(uint64_t word, int generation) { return (word & kOpen) != 0 && GenerationOf(word) == generation; }
uint64_t Word(uint64_t open, int generation, int64_t amount) {
  return open | static_cast<uint64_t>(generation) << kAmountBits | (static_cast<uint64_t>(amount) & kAmountMask);
}

uint64_t Load(const uint64_t& word) { return std::atomic_ref<uint64_t>(const_cast<uint64_t&>(word)).load(); }

}  // namespace

int OpenHolding(uint64_t* word, int64_t amount) {
  std::atomic_ref<uint64_t> shared(*word);
  uint64_t now = shared.load();
  do {
    if ((now & kOpen) != 0) return -1;
  } while (!shared.compare_exchange_weak(now, Word(kOpen, (GenerationOf(now) + 1) % kHoldingGenerations, amount)));
  return (GenerationOf(now) + 1) % kHoldingGenerations;
}

int64_t CloseHolding(uint64_t* word, int generation) {
  std::atomic_ref<uint64_t> shared(*word);
  uint64_t now = shared.load();
  do {
    if (!OpenUnder(now, generation)) return -1;
  } while (!shared.compare_exchange_weak(now, Word(0, generation, 0)));
  return AmountOf(now);
}

bool AddToHolding(uint64_t* word, int generation, int64_t amount) {
  std::atomic_ref<uint64_t> shared(*word);
  uint64_t now = shared.load();
  do {
    if (!OpenUnder(now, generation)) return false;
  } while (!shared.compare_exchange_weak(now, Word(kOpen, generation, AmountOf(now) + amount)));
  return true;
}

int64_t TakeOffHolding(uint64_t* word, int generation, int64_t amount) {
  std::atomic_ref<uint64_t> shared(*word);
  uint64_t now = shared.load();
  int64_t taken = 0;
  do {
    if (!OpenUnder(now, generation)) return 0;
    taken = std::clamp<int64_t>(amount, 0, AmountOf(now));
  } while (!shared.compare_exchange_weak(now, Word(kOpen, generation, AmountOf(now) - taken)));
  return taken;
}

int64_t HoldingAmount(const uint64_t& word, int generation) {
  const uint64_t now = Load(word);
  return OpenUnder(now, generation) ? AmountOf(now) : -1;
}

int HoldingGeneration(const uint64_t& word) {
  const uint64_t now = Load(word);
  return (now & kOpen) != 0 ? GenerationOf(now) : -1;
}

}  // namespace query_shaper
