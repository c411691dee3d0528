#include "core/predict/linear_base.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include "core/predict/scale.h"

namespace query_shaper {

using namespace feature;

namespace {

using Design = Eigen::Matrix<double, kDesign, 1>;
using Square = Eigen::Matrix<double, kDesign, kDesign, Eigen::RowMajor>;

constexpr double kSampleVariance = 0.3;  // of the residual, as the likelihood believes it
constexpr double kPriorNoise = 1.0;
constexpr double kColdMsPerCost = 0.008;  // usual machines: 0.003 to 0.03 ms per planner unit

// Standard deviation of a weight a priori. Work features run to 15 on their scale, so 0.06 moves the time by a factor
// of 2.5.
double PriorSd(int column) {
  if (column == kFeatureCount) return 2;
  if (column >= kHourSine && column <= kWeekdayCosine) return 0.05;
  if (column == kSinceLastRun) return 0.01;
  if (column == kConcurrency) return 0.2;
  return 0.06;
}

Design DesignOf(const FeatureVector& features) {
  Design x;
  for (int i = 0; i < kFeatureCount; ++i) x[i] = std::clamp(Finite(features.values[i], 0), -40.0, 40.0);
  x[kFeatureCount] = 1;
  return x;
}

double ResidualLimit(Target target) { return target == kTimeMs || target == kCpuMs ? 5 : 8; }

}  // namespace

double PlanBase(const FeatureVector& features, Target target) {
  const double* v = features.values;
  const auto amount = [v](int index) { return std::expm1(std::clamp(Finite(v[index], 0), 0.0, kMaxLog)); };
  switch (target) {
    case kTimeMs:
    case kCpuMs:
      return std::log(kColdMsPerCost) + std::clamp(Finite(v[kTotalCost], 0), 0.0, kMaxLog);
    case kMemoryKb:
      return std::log1p(64 + amount(kExpectedKb));
    case kRows:
      return std::clamp(Finite(v[kOutputRows], 0), 0.0, kMaxLog);
    case kTempKb:
      return std::log1p(amount(kSpillKb) / 2);
    case kBlocksRead:
      return std::clamp(Finite(v[kUncachedPages], 0), 0.0, kMaxLog);
    default:
      return std::log1p(amount(kSeqPages) + amount(kIndexPages) + amount(kBitmapPages));
  }
}

void InitLinear(LinearModel* model) {
  *model = LinearModel{};
  for (int i = 0; i < kDesign; ++i) model->precision[i * kDesign + i] = 1 / (PriorSd(i) * PriorSd(i));
  for (double& noise : model->noise) noise = kPriorNoise;
  SolveLinear(model);
}

void PredictLinear(const LinearModel& model, const FeatureVector& features, Target target, double* log,
                   double* log_sd) {
  const Design x = DesignOf(features);
  const Eigen::Map<const Design, Eigen::Unaligned> weights(model.weights[target]);
  const double limit = ResidualLimit(target);
  *log = PlanBase(features, target) + std::clamp(Finite(weights.dot(x), 0), -limit, limit);
  double variance = std::max(Finite(model.noise[target], kPriorNoise), 1e-4);
  if (target == kTimeMs) {
    const Eigen::Map<const Square, Eigen::Unaligned> covariance(model.covariance);
    variance += std::clamp(Finite(x.dot(covariance * x), 0), 0.0, 25.0);
  }
  *log_sd = std::sqrt(variance);
}

void LearnLinear(const FeatureVector& features, const Actual& actual, double weight, double keep, LinearModel* model) {
  const Design x = DesignOf(features);
  Eigen::Map<Square, Eigen::Unaligned> precision(model->precision);
  if (keep < 1) {
    // Only what was learned fades; the prior stays.
    precision *= keep;
    for (int i = 0; i < kDesign; ++i) precision(i, i) += (1 - keep) / (PriorSd(i) * PriorSd(i));
    model->samples *= keep;
  }
  const double scale = weight / kSampleVariance;
  precision.noalias() += scale * x * x.transpose();
  for (int t = 0; t < kTargets; ++t) {
    const Target target = static_cast<Target>(t);
    Eigen::Map<Design, Eigen::Unaligned> moment(model->moment[t]);
    const double base = PlanBase(features, target);
    const double limit = ResidualLimit(target);
    const double y = std::clamp(ToLog(target, actual.targets[t]) - base, -limit, limit);
    const Eigen::Map<const Design, Eigen::Unaligned> weights(model->weights[t]);
    const double error = y - std::clamp(Finite(weights.dot(x), 0), -limit, limit);
    const double gain = weight / (std::min(model->samples, 100.0) + 4 + weight);
    model->noise[t] += gain * (std::min(error * error, 16.0) - model->noise[t]);
    // A single wild outcome may not bend the plane: beyond three standard deviations it counts as three.
    const double reach = 3 * std::sqrt(std::max(model->noise[t], 0.01));
    if (keep < 1) moment *= keep;
    moment += scale * (y - error + std::clamp(error, -reach, reach)) * x;
  }
  model->samples += weight;
}

void SolveLinear(LinearModel* model) {
  const Eigen::Map<const Square, Eigen::Unaligned> precision(model->precision);
  const Eigen::LLT<Square> factor(precision);
  if (factor.info() != Eigen::Success) return;  // keep the last good solution
  const Square inverse = factor.solve(Square::Identity());
  if (!inverse.allFinite()) return;
  Eigen::Map<Square, Eigen::Unaligned>(model->covariance) = inverse;
  for (int t = 0; t < kTargets; ++t) {
    const Eigen::Map<const Design, Eigen::Unaligned> moment(model->moment[t]);
    const Design weights = factor.solve(Design(moment));
    if (weights.allFinite()) Eigen::Map<Design, Eigen::Unaligned>(model->weights[t]) = weights;
  }
}

}  // namespace query_shaper
