#include "core/prefetch/access_pattern.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace query_shaper {

namespace {

constexpr const char* kPatternNames[kPatterns] = {"unknown", "sequential", "strided", "clustered", "cyclic", "random"};
constexpr int kJudgedEvery = 16;
constexpr int kLongestStepPeriod = 8;
constexpr double kDominates = 0.75;
constexpr double kRepeats = 0.85;
constexpr double kNearShare = 0.5;
constexpr double kDenseShare = 0.75;
constexpr int64_t kDenseGap = 2;  // every other block still lets the kernel's readahead work

struct Steps {
  uint32_t blocks[kWindow];
  int64_t steps[kWindow];
  int count;  // of blocks; one step less
};

Steps Unroll(const AccessWindow& window) {
  Steps order;
  order.count = window.filled;
  const int first = window.filled < kWindow ? 0 : window.next;
  for (int i = 0; i < order.count; ++i) order.blocks[i] = window.blocks[(first + i) % kWindow];
  for (int i = 0; i + 1 < order.count; ++i)
    order.steps[i] = static_cast<int64_t>(order.blocks[i + 1]) - static_cast<int64_t>(order.blocks[i]);
  return order;
}

// Share of values equal to the one `period` before.
template <typename Value>
double Repetition(const Value* values, int count, int period) {
  int same = 0;
  for (int i = period; i < count; ++i) same += values[i] == values[i - period];
  return static_cast<double>(same) / (count - period);
}

bool Cycles(const Steps& order, int distinct) {
  if (distinct * 4 > order.count * 3) return false;
  for (int period = 2; period <= order.count / 2; ++period)
    if (Repetition(order.blocks, order.count, period) >= kRepeats) return true;
  return false;
}

bool Strides(const Steps& order) {
  const int count = order.count - 1;
  int64_t sorted[kWindow];
  std::copy(order.steps, order.steps + count, sorted);
  std::sort(sorted, sorted + count);
  int best = 0;
  int64_t step = 0;
  for (int i = 0, same = 0; i < count; ++i) {
    same = i > 0 && sorted[i] == sorted[i - 1] ? same + 1 : 1;
    if (same > best) {
      best = same;
      step = sorted[i];
    }
  }
  if (best >= kDominates * count) return step != 1;
  for (int period = 2; period <= std::min(kLongestStepPeriod, count / 3); ++period)
    if (Repetition(order.steps, count, period) >= kRepeats) return true;
  return false;
}

Pattern Judge(const Steps& order, float* run_blocks) {
  const int count = order.count - 1;
  int jumps = 0, near = 0;
  for (int i = 0; i < count; ++i) {
    const int64_t step = order.steps[i];
    const bool is_near = std::llabs(step) <= kNearBlocks;
    near += is_near;
    jumps += !is_near;
  }
  *run_blocks = static_cast<float>(order.count) / static_cast<float>(jumps + 1);
  uint32_t sorted[kWindow];
  std::copy(order.blocks, order.blocks + order.count, sorted);
  std::sort(sorted, sorted + order.count);
  const int distinct = static_cast<int>(std::unique(sorted, sorted + order.count) - sorted);
  if (Cycles(order, distinct)) return Pattern::kCyclic;
  int dense = 0;
  for (int i = 1; i < distinct; ++i) dense += static_cast<int64_t>(sorted[i]) - sorted[i - 1] <= kDenseGap;
  // Backwards the kernel does not read ahead. Jitter hides the direction of single steps.
  double halves = 0;
  for (int i = 0; i < order.count / 2; ++i)
    halves += static_cast<double>(order.blocks[order.count - 1 - i]) - static_cast<double>(order.blocks[i]);
  if (dense >= kDenseShare * (distinct - 1) && jumps * kRunForKernel <= order.count && halves > 0)
    return Pattern::kSequential;
  if (Strides(order)) return Pattern::kStrided;
  if (near >= kNearShare * count) return Pattern::kClustered;
  return Pattern::kRandom;
}

}  // namespace

const char* PatternName(Pattern pattern) {
  const int index = static_cast<int>(pattern);
  return kPatternNames[index < kPatterns ? index : 0];
}

Pattern PatternOf(const char* name) {
  for (int i = 1; i < kPatterns; ++i)
    if (std::strcmp(name, kPatternNames[i]) == 0) return static_cast<Pattern>(i);
  return Pattern::kUnknown;
}

bool ComeInOrder(const uint32_t* blocks, int count) {
  count = std::min(count, kJudgedBlocks);
  if (count < 2) return true;
  int jumps = 0;
  double rise = 0;
  for (int first = 0, i = 1; i <= count; ++i) {
    const bool jump = i < count && IsJump(blocks[i - 1], blocks[i]);
    jumps += jump;
    if (!jump && i < count) continue;
    for (int low = first, high = i - 1; low < high; ++low, --high)
      rise += static_cast<double>(blocks[high]) - static_cast<double>(blocks[low]);
    first = i;
  }
  if (jumps * kRunForKernel > count) return false;
  if (rise < 0) return false;
  uint32_t sorted[kJudgedBlocks];
  std::copy(blocks, blocks + count, sorted);
  std::sort(sorted, sorted + count);
  const int distinct = static_cast<int>(std::unique(sorted, sorted + count) - sorted);
  int dense = 0;
  for (int i = 1; i < distinct; ++i) dense += static_cast<int64_t>(sorted[i]) - sorted[i - 1] <= kDenseGap;
  return dense >= kDenseShare * (distinct - 1);
}

void NoteStep(AccessWindow* window, uint32_t block) {
  if (block == window->last) return;
  window->last = block;
  window->blocks[window->next] = block;
  window->next = (window->next + 1) % kWindow;
  window->filled = std::min(window->filled + 1, kWindow);
  if (++window->since_judged < kJudgedEvery || window->filled < kWindowLeast) return;
  window->since_judged = 0;
  window->judged = Judge(Unroll(*window), &window->run_blocks);
}

}  // namespace query_shaper
