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

int PredictBy(const StatementReach& reach, int predictor, ExpectedBlock* expected) {
  return predictor == kReachAgain ? Again(reach, expected) : Moved(reach, expected);
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
  const float again = LowerBound(reach.shown[kReachAgain]), moved = LowerBound(reach.shown[kReachMoved]);
  if (std::max(again, moved) < kGateOpens) return 0;
  return PredictBy(reach, again >= moved ? kReachAgain : kReachMoved, expected);
}

}  // namespace query_shaper
