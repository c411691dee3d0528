#include "core/pool/heap_trim.h"

namespace query_shaper {

namespace {

constexpr int64_t kLeastKb = 4096;
// Of the statement's time. Who runs alone soon wants the same pages again; beside others they are soon wanted there.
constexpr double kShareAlone = 0.01;
constexpr double kShareWanted = 0.1;
constexpr double kWantedFrom = 0.25;

}  // namespace

bool TrimPays(int64_t freed_kb, double ran_ms, double others) {
  if (freed_kb < kLeastKb) return false;
  const double cost_ms = static_cast<double>(freed_kb) / 1024 * kTrimMsPerMb;
  return cost_ms <= ran_ms * (others >= kWantedFrom ? kShareWanted : kShareAlone);
}

}  // namespace query_shaper
