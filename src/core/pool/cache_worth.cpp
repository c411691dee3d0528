#include "core/pool/cache_worth.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {
namespace {

constexpr double kSharedCacheNs = 25;  // each doubling within the shared cache
constexpr double kMemoryNs = 60;       // each doubling beyond it
constexpr double kMostDoublings = 3;   // of the latter: then everything misses
constexpr double kRowNs = 60;          // a row through a file in page cache
constexpr double kByteNs = 0.5;
constexpr double kClearly = 0.8;  // spilling that is not clearly cheaper is not chosen
constexpr double kLeastNs = 5e6;
constexpr double kBeyondCache = 2;  // times the shared cache: below, too little is gained for what is written

double Doublings(double kb, double from_kb) { return kb > from_kb && from_kb > 0 ? std::log2(kb / from_kb) : 0; }

}  // namespace

double AccessNs(double table_kb, const ProcessorCaches& caches) {
  double shared_kb = std::max(caches.private_kb, caches.shared_kb);
  return kSharedCacheNs * Doublings(std::min(table_kb, shared_kb), caches.private_kb) +
         kMemoryNs * std::min(kMostDoublings, Doublings(table_kb, shared_kb));
}

HashTraffic TrafficOf(const NodeNeed& need) {
  HashTraffic traffic;
  traffic.inserted = need.rows;
  traffic.probed = need.probes;
  // Of groups it is the rows that are written.
  traffic.spilled = need.probes + (need.kind == NeedKind::kHash ? need.rows : 0);
  traffic.spill_kb = need.spill_kb;
  traffic.table_kb = need.kb;
  return traffic;
}

double MissesNs(const HashTraffic& traffic, double limit_kb, const ProcessorCaches& caches) {
  return (traffic.inserted + 2 * traffic.probed) *
         std::max(0.0, AccessNs(traffic.table_kb, caches) - AccessNs(limit_kb, caches));
}

double HashCostNs(const HashTraffic& traffic, double limit_kb, const ProcessorCaches& caches) {
  double part_kb = std::min(limit_kb, traffic.table_kb);
  double spilled = traffic.table_kb > 0 ? 1 - part_kb / traffic.table_kb : 0;
  return (traffic.inserted + 2 * traffic.probed) * AccessNs(part_kb, caches) +
         spilled * (traffic.spilled * kRowNs + traffic.spill_kb * 1024 * kByteNs);
}

double WorthwhileKb(const HashTraffic& traffic, double floor_kb, double wanted_kb, bool page_cached,
                    const ProcessorCaches& caches) {
  if (!page_cached || !(wanted_kb > floor_kb) || !(traffic.table_kb > floor_kb)) return wanted_kb;
  if (traffic.table_kb <= kBeyondCache * std::max(caches.private_kb, caches.shared_kb)) return wanted_kb;
  double whole_ns = HashCostNs(traffic, traffic.table_kb, caches);
  double spilled_ns = HashCostNs(traffic, floor_kb, caches);
  // Not a number says nothing.
  return spilled_ns < kClearly * whole_ns && whole_ns - spilled_ns > kLeastNs ? floor_kb : wanted_kb;
}

}  // namespace query_shaper
