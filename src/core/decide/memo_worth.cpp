#include "core/decide/memo_worth.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace query_shaper {

namespace {

// Measured on the machines this was written on; a factor of two either way moves only the border between two runs that
// are about equally fast.
constexpr double kLookUpNs = 150;
constexpr double kKeepNs = 200;
constexpr double kRowNs = 70;
constexpr double kHarmlessShare = 0.01;  // of the time of the runs themselves
constexpr double kCostShare = 0.002;     // of the time between two tries
constexpr double kLeastRestNs = 10e6;
constexpr double kRepeats = 4;  // fewer may be chance
constexpr double kMargin = 1.5;

}  // namespace

double DistinctValues(double draws, double distinct) {
  if (distinct >= draws) return std::numeric_limits<double>::infinity();
  double low = std::max(distinct, 1.0), high = low * 2;
  auto shown = [draws](double values) { return values * -std::expm1(-draws / values); };
  while (shown(high) < distinct && high < 1e18) high *= 2;
  for (int step = 0; step < 60; ++step) {
    double middle = std::sqrt(low * high);
    (shown(middle) < distinct ? low : high) = middle;
  }
  return high;
}

MemoVerdict JudgeMemo(const MemoRecord& record) {
  double misses = record.runs - record.hits;
  double rows = misses > 0 ? record.rows_kept / misses : 1;
  auto cost_ns = [rows](double runs, double hits) {
    return runs * kLookUpNs + (runs - hits) * (kKeepNs + rows * kRowNs);
  };
  double spent_ns = cost_ns(record.runs, record.hits);
  if (record.hits * record.run_ns >= spent_ns) return {true, 0};
  if (spent_ns <= kHarmlessShare * misses * record.run_ns) return {true, 0};
  if (record.draws - record.distinct >= kRepeats) {
    double values = DistinctValues(record.draws, record.distinct);
    double more = std::max(record.runs_before, record.draws);
    double seen_then = values * -std::expm1(-(record.draws + more) / values);
    double hits = more - (seen_then - record.distinct);
    if (values > record.capacity) hits *= record.capacity / values;
    if (hits * record.run_ns >= kMargin * cost_ns(more, hits)) return {true, 0};
  }
  return {false, std::max(kLeastRestNs, spent_ns / kCostShare)};
}

}  // namespace query_shaper
