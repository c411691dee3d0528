#include "core/plan/features.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/plan/workload.h"

namespace query_shaper {

using namespace feature;

const char* FeatureName(int index) {
  static constexpr const char* kNames[] = {
      "seq_pages",      "seq_rows",        "filter_checks",     "filtered_rows",   "index_searches",
      "index_rows",     "index_only_rows", "index_pages",       "bitmap_pages",    "bitmap_rows",
      "function_rows",  "stored_rows",     "loop_outer_rows",   "loop_inner_rows", "hash_build_rows",
      "hash_build_kb",  "hash_probe_rows", "merge_rows",        "join_rows",       "sort_rows",
      "sort_compares",  "sort_kb",         "spill_kb",          "aggregate_calls", "hash_aggregate_rows",
      "groups",         "group_kb",        "distinct_compares", "window_rows",     "passed_rows",
      "modified_rows",  "output_rows",     "output_kb",         "subplan_calls",   "plan_nodes",
      "total_cost",     "startup_cost",    "expected_kb",       "relation_pages",  "uncached_pages",
      "joins",          "workers",         "hour_sine",         "hour_cosine",     "weekday_sine",
      "weekday_cosine", "since_last_run",  "concurrency",
  };
  static_assert(sizeof(kNames) / sizeof(kNames[0]) == kFeatureCount);
  return index >= 0 && index < kFeatureCount ? kNames[index] : "";
}

FeatureVector ExtractFeatures(const PlanTree& plan, const Moment& moment) {
  double work[kFeatureCount] = {};
  Workload(plan, moment).AddTo(work);
  FeatureVector features;
  for (int i = 0; i < kHourSine; ++i) features.values[i] = std::log1p(Workload::Sane(work[i]));
  const double turn = 2 * std::numbers::pi;
  const double hour = std::isfinite(moment.hour) ? moment.hour : 0;
  features.values[kHourSine] = std::sin(turn * hour / 24);
  features.values[kHourCosine] = std::cos(turn * hour / 24);
  features.values[kWeekdaySine] = std::sin(turn * moment.weekday / 7);
  features.values[kWeekdayCosine] = std::cos(turn * moment.weekday / 7);
  // Never seen counts as a month ago.
  const double month_s = 30 * 86400.0;
  features.values[kSinceLastRun] =
      std::log1p(moment.seconds_since_last_run >= 0 ? std::min(moment.seconds_since_last_run, month_s) : month_s);
  features.values[kConcurrency] = std::log1p(std::max(moment.concurrency, 0));
  return features;
}

}  // namespace query_shaper
