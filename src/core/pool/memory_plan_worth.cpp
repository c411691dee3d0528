#include "core/pool/memory_plan_worth.h"

namespace query_shaper {
namespace {

constexpr double kCachedMsPerKb = 0.002;  // written, read and handled again, through free page cache
constexpr double kDiskMsPerKb = 0.006;  // the same where the kernel has to write it back, and perhaps to read it again
constexpr double kDoubt = 0.25;         // share of a plan's cost by which the planner may be wrong about another

}  // namespace

double SpillMs(double spilled_kb, bool page_cached) {
  return spilled_kb > 0 ? spilled_kb * (page_cached ? kCachedMsPerKb : kDiskMsPerKb) : 0;
}

bool MemoryPays(const ModestPlan& modest, double other_cost, double misses_ms) {
  if (!(modest.cost > 0)) return false;
  if (modest.hungry) return misses_ms <= SpillMs(modest.spilled_kb, modest.page_cached);
  const double computed = 1 - other_cost / modest.cost - kDoubt;
  return computed > 0 && misses_ms <= modest.expected_ms * computed;
}

}  // namespace query_shaper
