#include "core/pool/heap_trim.h"

namespace query_shaper {

namespace {

constexpr int64_t kLeastKb = 4096;
// Of the statement's time. More is paid where others may soon want the memory.
constexpr double kShare = 0.02;
constexpr double kShareWanted = 0.1;
constexpr double kWantedFrom = 0.5;

}  // namespace

bool TrimPays(int64_t freed_kb, double ran_ms, double pool_used) {
  if (freed_kb < kLeastKb) return false;
  const double cost_ms = static_cast<double>(freed_kb) / 1024 * kTrimMsPerMb;
  return cost_ms <= ran_ms * (pool_used >= kWantedFrom ? kShareWanted : kShare);
}

}  // namespace query_shaper
