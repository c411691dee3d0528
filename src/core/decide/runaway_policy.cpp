#include "core/decide/runaway_policy.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {

namespace {

constexpr double kSureZ = 1.645;      // one-sided 95 %
constexpr double kHoldsMs = 60;       // for which a judgement must hold,
constexpr double kHoldsShare = 0.02;  // and this share of the running time
constexpr double kLeastRunMs = 150;   // before which no tracker knows anything
constexpr double kLeastRuns = 0.5;    // below which a statement is one that never ran

double FactorLimitMs(double predicted_ms, const RunawayLimits& limits) {
  double predicted = std::isfinite(predicted_ms) ? std::max(predicted_ms, 0.0) : 0;
  return std::max(limits.factor, 1.0) * predicted;
}

}  // namespace

bool JudgeRunaway(const Discrepancy& found, const RunawayPrediction& predicted, double running_ms,
                  const RunawayLimits& limits, RunawayWatch* watch) {
  bool new_here = predicted.runs < kLeastRuns;
  double usual_ms = std::max(new_here ? std::max(predicted.ms, predicted.high_ms) : predicted.ms, predicted.known_ms);
  double limit_ms = FactorLimitMs(usual_ms, limits);
  // Time that is over needs no belief.
  bool sure = running_ms > limit_ms;
  if (!sure && found.total_ms > limit_ms) {
    double sd = std::max(found.total_log_sd, 1e-3);
    if (new_here) sd = std::max(sd, ExtrapolatedLogSd(found.total_ms, running_ms));
    sure = std::log(found.total_ms / std::max(limit_ms, 1e-3)) >= kSureZ * sd;
  }
  sure = sure && found.total_ms > limits.least_ms;
  bool now =
      sure && found.late && (!predicted.guessed || found.origins > 0) && running_ms >= std::max(kLeastRunMs, usual_ms);
  if (!now) {
    watch->since_ms = -1;
    return false;
  }
  if (watch->since_ms < 0) watch->since_ms = running_ms;
  return running_ms - watch->since_ms >= std::max(kHoldsMs, kHoldsShare * running_ms);
}

bool Behaved(double predicted_ms, double total_ms, const RunawayLimits& limits) {
  return total_ms <= std::max(FactorLimitMs(predicted_ms, limits), limits.least_ms);
}

}  // namespace query_shaper
