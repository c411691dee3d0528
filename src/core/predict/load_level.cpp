#include "core/predict/load_level.h"

#include <algorithm>
#include <cmath>

#include "core/predict/scale.h"

namespace query_shaper {

namespace {

// On a quiet machine errors of statements shared 0.4 of their variance within half a second, 0.1 after five seconds and
// nothing after twelve; on a machine with busy neighbours 0.5 at once and still 0.3 up to a hundred seconds.
constexpr double kMemory_s[kLoadWaves] = {5, 60};
constexpr double kLevelVariance[kLoadWaves] = {0.1, 0.1};
constexpr double kOwnShare = 0.5;  // of an error's variance: the rest is load itself
constexpr double kLimit = 1;       // log: a factor of e either way
constexpr double kLeastVariance = 0.02;
constexpr double kMostVariance = 1;
constexpr double kTrustFade = 0.98;
constexpr double kPriorTrust = 1;  // counts as much as one level of one standard deviation of the errors

double Left(int wave, double at_s, double now_s) {
  const double age_s = now_s - at_s;
  return age_s > 0 ? std::exp(-std::min(age_s / kMemory_s[wave], 500.0)) : 1;
}

// Mean over a statement's time of a level that was 1 at its start.
double MeanOver(int wave, double ms) {
  const double x = std::clamp(Finite(ms, 0) / 1000 / kMemory_s[wave], 1e-6, 1e6);
  return (1 - std::exp(-x)) / x;
}

double Level(const LoadLevel& load, int wave) { return std::clamp(Finite(load.level[wave], 0), -kLimit, kLimit); }

double Trust(const LoadLevel& load, int wave) {
  const double square = std::max(Finite(load.told_square[wave], 0), 0.0);
  return std::clamp((Finite(load.told_error[wave], 0) + kPriorTrust) / (square + kPriorTrust), 0.0, 1.0);
}

}  // namespace

LoadShare PredictLoad(const LoadLevel& load, double now_s, double ms) {
  LoadShare share;
  for (int w = 0; w < kLoadWaves; ++w) {
    share.raw[w] = Level(load, w) * Left(w, load.at_s, Finite(now_s, 0)) * MeanOver(w, ms);
    share.told += Trust(load, w) * share.raw[w];
  }
  share.told = std::clamp(share.told, -kLimit, kLimit);
  return share;
}

void FollowLoad(double error, double variance, const LoadShare& made, double ms, double now_s, LoadLevel* load) {
  if (!std::isfinite(now_s)) return;
  error = std::clamp(Finite(error, 0), -kLimit, kLimit);
  variance = std::clamp(Finite(variance, kMostVariance) * kOwnShare, kLeastVariance, kMostVariance);
  double raw[kLoadWaves];
  double trusted[kLoadWaves];
  for (int w = 0; w < kLoadWaves; ++w) {
    raw[w] = std::clamp(Finite(made.raw[w], 0), -kLimit, kLimit);
    trusted[w] = Trust(*load, w) * raw[w];
  }
  for (int w = 0; w < kLoadWaves; ++w) {
    const double left_over = error - trusted[1 - w];
    load->told_square[w] = std::max(Finite(load->told_square[w], 0), 0.0) * kTrustFade + raw[w] * raw[w] / variance;
    load->told_error[w] = Finite(load->told_error[w], 0) * kTrustFade + raw[w] * left_over / variance;
  }

  double level[kLoadWaves];
  double doubt[kLoadWaves];
  double share[kLoadWaves];
  const bool known = load->variance[0] > 0 && load->variance[1] > 0 && std::isfinite(load->covariance);
  for (int w = 0; w < kLoadWaves; ++w) {
    const double left = Left(w, load->at_s, now_s);
    level[w] = Level(*load, w) * left;
    doubt[w] = kLevelVariance[w];
    if (known) doubt[w] -= (kLevelVariance[w] - std::min(load->variance[w], kLevelVariance[w])) * left * left;
    share[w] = MeanOver(w, ms);
  }
  double both = known ? load->covariance * Left(0, load->at_s, now_s) * Left(1, load->at_s, now_s) : 0;
  both = std::clamp(both, -std::sqrt(doubt[0] * doubt[1]), std::sqrt(doubt[0] * doubt[1]));
  const double seen[kLoadWaves] = {doubt[0] * share[0] + both * share[1], both * share[0] + doubt[1] * share[1]};
  const double spread = seen[0] * share[0] + seen[1] * share[1] + variance;
  const double surprise = error - share[0] * level[0] - share[1] * level[1];
  for (int w = 0; w < kLoadWaves; ++w) {
    load->level[w] = level[w] + seen[w] / spread * surprise;
    load->variance[w] = std::max(doubt[w] - seen[w] * seen[w] / spread, 1e-6);
  }
  load->covariance = both - seen[0] * seen[1] / spread;
  load->at_s = now_s;
}

}  // namespace query_shaper
