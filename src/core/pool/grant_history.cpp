#include "core/pool/grant_history.h"

#include <algorithm>
#include <cmath>

#include "core/base/bytes.h"

namespace query_shaper {
namespace {

constexpr double kPercentile = 0.9;
constexpr double kMargin = 1.15;
constexpr double kThinMargin = 1.04;  // allocators round up, to more under another limit
constexpr uint32_t kMagic = 0x4453454E;
constexpr uint32_t kVersion = 1;
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

uint32_t WriteNeedHistory(const NeedHistory& history, char* out, uint32_t capacity) {
  ByteWriter bytes(kMagic, kVersion, out, capacity);
  const int count = std::min<int>(history.count, kRememberedNeeds);
  bytes.U32(static_cast<uint32_t>(count));
  bytes.U32(history.next);
  bytes.Floats(history.kb, count);
  bytes.Floats(history.predicted_kb, count);
  return bytes.Finish();
}

void ReadNeedHistory(const char* bytes, uint32_t length, NeedHistory* history) {
  ByteReader reader(kMagic, kVersion, bytes, length);
  NeedHistory read;
  const uint32_t count = reader.U32();
  const uint32_t next = reader.U32();
  if (count > kRememberedNeeds || next >= kRememberedNeeds)
    throw Error(Fault::kCorruptModel, "stored memory needs are too many");
  read.count = static_cast<uint8_t>(count);
  read.next = static_cast<uint8_t>(next);
  reader.Floats(read.kb, read.count);
  reader.Floats(read.predicted_kb, read.count);
  reader.Finish();
  for (int i = 0; i < read.count; ++i)
    if (read.kb[i] < 0 || read.predicted_kb[i] < 0) throw Error(Fault::kCorruptModel, "stored memory need is negative");
  *history = read;
}

namespace {

double Asked(const NeedHistory& history, const NodeNeed& predicted, double margin) {
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
  return margin * static_cast<double>(sorted[std::clamp(rank, 0, count - 1)]);
}

}  // namespace

double WantedKb(const NeedHistory& history, const NodeNeed& predicted) { return Asked(history, predicted, kMargin); }

double KnownEnoughKb(const NeedHistory& history, const NodeNeed& predicted) {
  return Asked(history, predicted, kThinMargin);
}

}  // namespace query_shaper
