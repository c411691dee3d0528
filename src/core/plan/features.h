// The named feature vector of a plan and its moment: what the models of room `predict` learn from.
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/plan/plan_tree.h"

namespace query_shaper {

constexpr int kFeatureCount = 48;  // stored with the models: changing it or an order means a new model version

// What is true at the start beside the plan. Times are the server's local time.
struct Moment {
  double hour = 0;                      // 0..24, fractional
  int weekday = 0;                      // 0 Sunday .. 6
  double seconds_since_last_run = -1;   // of the same statement; -1 never seen
  int concurrency = 0;                  // other tracked statements running
  double work_mem_kb = 4096;
};

// values[i] is already on its model scale (log1p of counts, sizes and costs; 0/1 flags; sine and cosine of cyclic times).
struct FeatureVector {
  double values[kFeatureCount] = {};
};
static_assert(std::is_trivially_copyable_v<FeatureVector>);

const char* FeatureName(int index);  // snake_case; static storage

// Async-signal-unsafe nothing: pure arithmetic, no allocation.
FeatureVector ExtractFeatures(const PlanTree& plan, const Moment& moment);

}  // namespace query_shaper
