#include "core/cardinality/sample_scale.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {

namespace {

constexpr double kPriorHits = 0.15;  // the planner's errors are wide: factors of ten and more
constexpr double kBlockEffect = 12;  // rows of one block are alike: so many count as one
constexpr double kNormal95 = 1.645;

constexpr double kSettledSources = 100;
constexpr double kSettledDispersion = 3;

double Sources(const SampledCount& count) {
  return count.contributors > 0 ? std::min(count.contributors, count.seen) : count.seen;
}

double ClusterSize(const SampledCount& count) {
  const double sources = Sources(count);
  const double fan_out = sources > 0 ? count.seen / sources : 1;
  // One row alone cannot show that rows come in clusters.
  return fan_out * std::clamp(sources, 1.0, kBlockEffect) * std::max(count.dispersion, 1.0);
}

}  // namespace

void PoolSample(SampledCount* pooled, const SampledCount& more) {
  if (pooled->probability >= 1) return;
  if (more.probability >= 1) {
    *pooled = more;
    return;
  }
  const double difference = pooled->seen / pooled->probability - more.seen / more.probability;
  const double variance = ClusterSize(*pooled) * (pooled->seen + 0.5) / (pooled->probability * pooled->probability) +
                          ClusterSize(more) * (more.seen + 0.5) / (more.probability * more.probability);
  const double sources = Sources(*pooled) + Sources(more);
  pooled->dispersion *= std::max(1.0, (1 + difference * difference / variance) / 2);
  pooled->seen += more.seen;
  pooled->contributors = sources;
  pooled->samples += more.samples;
  // Two samples may hold the same rows; what is seen stays below the whole all the same.
  pooled->probability = std::min(pooled->probability + more.probability, 0.999);
}

bool SampleSettled(const SampledCount& count) {
  return count.probability >= 1 || (count.samples > 1 && Sources(count) >= kSettledSources * count.dispersion &&
                                    count.dispersion <= kSettledDispersion);
}

ScaledRows ScaleSample(const SampledCount& count) {
  const double seen = std::max(count.seen, 0.0);
  if (count.probability >= 1) return {seen, seen, seen};
  const double p = std::max(count.probability, 1e-12);
  const double prior = std::max(count.prior_rows, 1.0);
  if (seen == 0) {
    // No hit has a chance of 5 % where three are expected.
    const double largest = 3 * std::max(count.dispersion, 1.0) / p;
    const double rows = 1 / (2 * p + 1 / prior);
    return {rows, 0, std::max(largest, rows)};
  }
  const double hits = std::max(seen / ClusterSize(count), 0.5);
  const double log_rows = (hits * std::log(seen / p) + kPriorHits * std::log(prior)) / (hits + kPriorHits);
  const double spread = kNormal95 / std::sqrt(hits + kPriorHits);
  // What was seen is there.
  const double rows = std::max(std::exp(log_rows), seen);
  return {rows, std::max(rows * std::exp(-spread), seen), rows * std::exp(spread)};
}

}  // namespace query_shaper
