#include "core/pool/grant_history.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {
namespace {

constexpr double kPercentile = 0.9;
constexpr double kMargin = 1.15;
constexpr double kSurprise = 2;  // times all that was seen, at the least

}  // namespace

void LearnNeed(NeedHistory* history, double kb, double predicted_kb) {
  if (!std::isfinite(kb) || kb < 0) return;
  history->next = static_cast<uint8_t>(history->next % kRememberedNeeds);
  history->kb[history->next] = static_cast<float>(std::min(kb, 1e12));
  history->predicted_kb[history->next] =
      static_cast<float>(std::isfinite(predicted_kb) ? std::min(predicted_kb, 1e12) : 0);
  history->next = static_cast<uint8_t>((history->next + 1) % kRememberedNeeds);
  if (history->count < kRememberedNeeds) ++history->count;
}

double WantedKb(const NeedHistory& history, const NodeNeed& predicted) {
  int count = std::min<int>(history.count, kRememberedNeeds);
  if (count == 0) return predicted.wanted_kb();
  float sorted[kRememberedNeeds];
  std::copy(history.kb, history.kb + count, sorted);
  std::sort(sorted, sorted + count);
  int rank = static_cast<int>(std::ceil(kPercentile * count)) - 1;
  double most_kb = static_cast<double>(sorted[count - 1]);
  double most_predicted_kb = static_cast<double>(*std::max_element(history.predicted_kb, history.predicted_kb + count));
  if (predicted.low_kb > kSurprise * most_kb && predicted.kb > kSurprise * most_predicted_kb)
    return predicted.wanted_kb();
  return kMargin * static_cast<double>(sorted[std::clamp(rank, 0, count - 1)]);
}

}  // namespace query_shaper
