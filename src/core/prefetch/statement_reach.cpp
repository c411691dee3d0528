#include "core/prefetch/statement_reach.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {

namespace {

constexpr int kRunsRemembered = 8;
constexpr float kLikely = 0.6F;
constexpr float kGateOpens = 0.7F;
constexpr uint64_t kBlocksInAll = kNoBlockYet;

float ShareRight(const Precision& shown) { return (shown.right + 0.5F) / (shown.told + 1); }

float LowerBound(const Precision& shown) {
  const float share = ShareRight(shown);
  return share - std::sqrt(share * (1 - share) / (shown.told + 1));
}

void Score(Precision* shown, float share) {
  constexpr float kStays = 1 - 1.0F / kRunsRemembered;
  shown->right = shown->right * kStays + share;
  shown->told = shown->told * kStays + 1;
}

int Again(const StatementReach& reach, ExpectedBlock* expected) {
  if (reach.runs < 2) return 0;
  int count = 0;
  for (int i = 0; i < reach.known_count; ++i)
    if (reach.known[i].likelihood >= kLikely) expected[count++] = reach.known[i];
  return count;
}

int Moved(const StatementReach& reach, ExpectedBlock* expected) {
  if (!reach.moved) return 0;
  const float share = ShareRight(reach.shown[kReachMoved]);
  int count = 0;
  for (int i = 0; i < reach.last_count; ++i) {
    const int64_t block = static_cast<int64_t>(reach.last[i]) + reach.move;
    if (block >= 0 && block < static_cast<int64_t>(kBlocksInAll))
      expected[count++] = {static_cast<uint32_t>(block), share};
  }
  return count;
}

// Least squares over values[0], values[1], ...
struct Line {
  double mean = 0;    // in the middle
  double step = 0;    // from one to the next
  double middle = 0;  // index
};

template <typename Value>
Line LineThrough(const Value* values, int count) {
  Line line;
  line.middle = (count - 1) / 2.0;
  double along = 0, spread = 0;
  for (int i = 0; i < count; ++i) {
    line.mean += static_cast<double>(values[i]) / count;
    along += (i - line.middle) * static_cast<double>(values[i]);
    spread += (i - line.middle) * (i - line.middle);
  }
  line.step = along / spread;
  return line;
}

int Steady(const StatementReach& reach, ExpectedBlock* expected) {
  if (reach.middle_count < 3 || reach.last_count < 3) return 0;
  const int last = reach.last_count - 1;
  const Line run = LineThrough(reach.last, reach.last_count);
  // Whole parts of equal distances stay within a block of their line.
  for (int i = 0; i <= last; ++i)
    if (std::abs(run.mean + run.step * (i - run.middle) - reach.last[i]) > 1) return 0;
  const Line runs = LineThrough(reach.middles, reach.middle_count);
  const double first = runs.mean + runs.step * (reach.middle_count - runs.middle) - run.step * run.middle;
  const float share = ShareRight(reach.shown[kReachSteady]);
  int count = 0;
  for (int i = 0; i <= last; ++i) {
    const double block = std::round(first + run.step * i);
    if (block < 0 || block >= static_cast<double>(kBlocksInAll)) continue;
    if (count > 0 && expected[count - 1].block == static_cast<uint32_t>(block)) continue;
    expected[count++] = {static_cast<uint32_t>(block), share};
  }
  return count;
}

int PredictBy(const StatementReach& reach, int predictor, ExpectedBlock* expected) {
  switch (predictor) {
    case kReachAgain:
      return Again(reach, expected);
    case kReachMoved:
      return Moved(reach, expected);
    default:
      return Steady(reach, expected);
  }
}

void RememberMiddle(StatementReach* reach, const uint32_t* blocks, int count) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += blocks[i];
  if (reach->middle_count == kReachMiddles)
    std::copy(reach->middles + 1, reach->middles + kReachMiddles, reach->middles);
  else
    ++reach->middle_count;
  reach->middles[reach->middle_count - 1] = sum / count;
}

float ShareThatCame(const ExpectedBlock* expected, int expected_count, const uint32_t* blocks, int count) {
  int came = 0;
  for (int i = 0, j = 0; i < expected_count && j < count;) {
    came += expected[i].block == blocks[j];
    if (expected[i].block <= blocks[j])
      ++i;
    else
      ++j;
  }
  return static_cast<float>(came) / static_cast<float>(expected_count);
}

// Those known before and those read now, in one ascending order; the likeliest when they are too many.
void Remember(StatementReach* reach, const uint32_t* blocks, int count) {
  const float rate = 1.0F / static_cast<float>(std::min(reach->runs + 1, kRunsRemembered));
  ExpectedBlock all[2 * kReachBlocks];
  int filled = 0;
  for (int i = 0, j = 0; i < reach->known_count || j < count;) {
    const bool old = i < reach->known_count && (j == count || reach->known[i].block <= blocks[j]);
    const bool now = j < count && (i == reach->known_count || blocks[j] <= reach->known[i].block);
    const float before = old ? reach->known[i].likelihood : 0;
    all[filled++] = {old ? reach->known[i].block : blocks[j], before * (1 - rate) + (now ? rate : 0)};
    i += old;
    j += now;
  }
  if (filled > kReachBlocks) {
    const auto likelier = [](const ExpectedBlock& a, const ExpectedBlock& b) { return a.likelihood > b.likelihood; };
    std::nth_element(all, all + kReachBlocks, all + filled, likelier);
    filled = kReachBlocks;
    std::sort(all, all + filled, [](const ExpectedBlock& a, const ExpectedBlock& b) { return a.block < b.block; });
  }
  std::copy(all, all + filled, reach->known);
  reach->known_count = filled;
}

}  // namespace

void StartReach(StatementReach* reach) { *reach = StatementReach{}; }

void NoteRun(StatementReach* reach, const uint32_t* blocks, int count) {
  count = std::min(count, kReachBlocks);
  if (count == 0) return;
  ExpectedBlock expected[kReachBlocks];
  for (int predictor = 0; predictor < kReachPredictors; ++predictor) {
    const int told = PredictBy(*reach, predictor, expected);
    if (told > 0) Score(&reach->shown[predictor], ShareThatCame(expected, told, blocks, count));
  }
  Remember(reach, blocks, count);
  RememberMiddle(reach, blocks, count);
  if (reach->last_count > 0) {
    const int64_t ends = static_cast<int64_t>(blocks[count - 1]) - reach->last[reach->last_count - 1];
    const int64_t begins = static_cast<int64_t>(blocks[0]) - reach->last[0];
    // Both ends, as the edges of a range seldom fall on the edges of blocks.
    reach->move = (begins + ends) / 2;
    reach->moved = true;
  }
  std::copy(blocks, blocks + count, reach->last);
  reach->last_count = count;
  ++reach->runs;
}

void PenaliseReach(StatementReach* reach, float in_time) {
  for (Precision& shown : reach->shown)
    if (shown.told > 0) Score(&shown, in_time);
}

int PredictRun(const StatementReach& reach, ExpectedBlock* expected) {
  int best = 0;
  for (int i = 1; i < kReachPredictors; ++i)
    if (LowerBound(reach.shown[i]) > LowerBound(reach.shown[best])) best = i;
  return LowerBound(reach.shown[best]) < kGateOpens ? 0 : PredictBy(reach, best, expected);
}

}  // namespace query_shaper
