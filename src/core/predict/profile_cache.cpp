#include "core/predict/profile_cache.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include "core/predict/linear_base.h"
#include "core/predict/operator_rates.h"
#include "core/predict/scale.h"

namespace query_shaper {

using namespace feature;

namespace {

using Vector = Eigen::Matrix<double, kRegressors, 1>;
using Square = Eigen::Matrix<double, kRegressors, kRegressors, Eigen::RowMajor>;

constexpr double kFirstRunWeight = 0.2;
constexpr double kLeastGain = 0.06;  // an effective memory of 16 runs follows data that grow
constexpr double kDriftGain = 0.4;   // one outlier, clipped at 2.5, reaches 1.0; two on the same side 1.6
constexpr double kDriftAlarm = 1.2;
constexpr double kAlarmGain = 0.35;      // then the level has moved: follow
constexpr double kPriorVariance = 0.15;  // of log outcome within one statement
constexpr double kPriorRuns = 2;
constexpr double kPriorSlope[kRegressors] = {0.1, 0.8, 0.0, 0.0};
constexpr double kSlopeVariance[kRegressors] = {0.1, 0.15, 0.03, 0.03};
constexpr double kShiftLimit = 4;  // log units that the slopes may move the mean

double Variance(const Profile& profile, Target target) {
  const double runs = std::max(Finite(profile.weight, 0), 0.0);
  const double square = std::max(Finite(profile.square[target], 0), 0.0);
  return std::max((square + kPriorRuns * kPriorVariance) / (runs + kPriorRuns), 1e-4);
}

double Shift(const Profile& profile, const Regressors& regressors) {
  const Eigen::Map<const Vector, Eigen::Unaligned> mean(profile.regressor_mean);
  const Eigen::Map<const Square, Eigen::Unaligned> square(profile.regressor_square);
  const Eigen::Map<const Vector, Eigen::Unaligned> with_time(profile.regressor_time);
  const Eigen::Map<const Vector, Eigen::Unaligned> x(regressors.values);
  const double noise = 0.03;
  Vector slopes(kPriorSlope);
  Square precision = square / noise;
  Vector moment = with_time / noise;
  for (int i = 0; i < kRegressors; ++i) {
    precision(i, i) += 1 / kSlopeVariance[i];
    moment[i] += kPriorSlope[i] / kSlopeVariance[i];
  }
  const Eigen::LLT<Square> factor(precision);
  if (factor.info() == Eigen::Success) {
    const Vector solved = factor.solve(moment);
    if (solved.allFinite()) slopes = solved;
  }
  return std::clamp(Finite(slopes.dot(x - mean), 0), -kShiftLimit, kShiftLimit);
}

bool LikeTime(Target target) { return target == kTimeMs || target == kCpuMs; }

// One regressor: ridge slope towards a half of what the plan's own figure moves.
double SlopeShift(const Profile& profile, const Regressors& regressors, Target target) {
  constexpr double kNoise = 0.05;
  constexpr double kPriorBaseSlope = 0.5;
  constexpr double kBaseSlopeVariance = 0.1;
  const double square = std::max(Finite(profile.base_square[target], 0), 0.0);
  const double slope = (Finite(profile.base_cross[target], 0) / kNoise + kPriorBaseSlope / kBaseSlopeVariance) /
                       (square / kNoise + 1 / kBaseSlopeVariance);
  const double offset = regressors.base[target] - Finite(profile.base_mean[target], 0);
  return std::clamp(Finite(std::clamp(slope, -0.5, 1.5) * offset, 0), -kShiftLimit, kShiftLimit);
}

// Welford's recurrence for the slopes of one target: deviation from the old mean times deviation from the new.
void LearnSlope(const Regressors& regressors, int target, double deviation, double gain, double fade, bool first,
                Profile* profile) {
  double& mean = profile->base_mean[target];
  double& square = profile->base_square[target];
  double& cross = profile->base_cross[target];
  if (first || !std::isfinite(mean) || !std::isfinite(square) || !std::isfinite(cross)) {
    mean = regressors.base[target];
    square = cross = 0;
    return;
  }
  const double offset = regressors.base[target] - mean;
  square = square * fade + (1 - gain) * offset * offset;
  cross = cross * fade + (1 - gain) * deviation * offset;
  mean += gain * offset;
}

}  // namespace

Regressors RegressorsOf(const FeatureVector& features) {
  const auto log = [&features](int index) { return std::clamp(Finite(features.values[index], 0), 0.0, kMaxLog); };
  Regressors regressors = {{log(kTotalCost), NominalLog(features), log(kFilteredRows), log(kOutputRows)}, {}};
  for (int t = 0; t < kTargets; ++t) regressors.base[t] = PlanBase(features, static_cast<Target>(t));
  return regressors;
}

bool HasHistory(const Profile& profile) { return profile.weight > 0 && std::isfinite(profile.weight); }

void PredictProfile(const Profile& profile, const Regressors& regressors, Target target, double* log, double* log_sd) {
  const double mean = std::clamp(Finite(profile.mean[target], 0), -kMaxLog, kMaxLog);
  *log = mean + (LikeTime(target) ? Shift(profile, regressors) : SlopeShift(profile, regressors, target));
  if (target != kTimeMs) *log = std::max(*log, target == kCpuMs ? std::log(kMinTimeMs) : 0.0);
  *log_sd = std::sqrt(Variance(profile, target) * (1 + 1 / (profile.weight + 0.5)));
}

void LearnProfile(const Regressors& regressors, const Actual& actual, double keep, Profile* profile) {
  if (!HasHistory(*profile)) profile->weight = 0;
  keep = std::clamp(Finite(keep, 1), 0.0, 1.0);
  profile->weight *= keep;
  for (int t = 0; t < kTargets; ++t) profile->square[t] = std::max(Finite(profile->square[t], 0), 0.0) * keep;
  Eigen::Map<Vector, Eigen::Unaligned> mean(profile->regressor_mean);
  Eigen::Map<Square, Eigen::Unaligned> square(profile->regressor_square);
  Eigen::Map<Vector, Eigen::Unaligned> with_time(profile->regressor_time);
  if (!mean.allFinite() || !square.allFinite() || !with_time.allFinite() || profile->weight <= 0) {
    mean.setZero();
    square.setZero();
    with_time.setZero();
  }
  const bool first = profile->runs < 0.5 || profile->weight <= 0;
  const double known = std::max(profile->weight - (1 - kFirstRunWeight), kFirstRunWeight);
  const double gain = first ? 1 : std::max(1 / (known + 1), kLeastGain);
  const double fade = first ? 0 : 1 - kLeastGain;

  for (int t = 0; t < kTargets; ++t) {
    const Target target = static_cast<Target>(t);
    const double y = ToLog(target, actual.targets[t]);
    if (first) {
      profile->mean[t] = y;
      profile->square[t] = 0;
      LearnSlope(regressors, t, 0, 1, 0, true, profile);
      continue;
    }
    double predicted = 0;
    double sd = 0;
    PredictProfile(*profile, regressors, target, &predicted, &sd);
    double& drift = profile->drift[t];
    drift += kDriftGain * (std::clamp((y - predicted) / sd, -2.5, 2.5) - Finite(drift, 0));
    if (!std::isfinite(drift)) drift = 0;
    const bool moved = std::fabs(drift) > kDriftAlarm;
    // Which of two runs was the odd one nobody knows yet.
    const double reach = moved || profile->runs < 1.5 ? kMaxLog : 2.5 * sd;
    const double error = std::clamp(y - predicted, -reach, reach);
    const double target_gain = moved ? std::max(gain, kAlarmGain) : gain;
    profile->square[t] = profile->square[t] * fade + error * error;
    // The mean of y moves by the unexplained part and by what the regressors' own mean moves; see below for time.
    const double deviation = error + (predicted - profile->mean[t]);
    if (target == kTimeMs) {
      const Eigen::Map<const Vector, Eigen::Unaligned> x(regressors.values);
      const Vector offset = x - mean;
      const double spread = 1 - gain;  // Welford: deviation from the old mean times deviation from the new
      square = square * fade + spread * offset * offset.transpose();
      with_time = with_time * fade + spread * deviation * offset;
    }
    LearnSlope(regressors, t, deviation, gain, fade, false, profile);
    profile->mean[t] += gain * (predicted - profile->mean[t]) + target_gain * error;
  }
  const Eigen::Map<const Vector, Eigen::Unaligned> x(regressors.values);
  mean += gain * (Vector(x) - Vector(mean));
  profile->weight += 1;
  profile->runs = std::max(Finite(profile->runs, 0), 0.0) + 1;
}

}  // namespace query_shaper
