#include "core/predict/operator_rates.h"

#include <Eigen/Core>

#include <array>

#include "core/predict/scale.h"

namespace query_shaper {

using namespace feature;

namespace {

using Vector = Eigen::Matrix<double, kRates, 1>;
using Square = Eigen::Matrix<double, kRates, kRates, Eigen::RowMajor>;

struct Rate {
  int index;  // of the feature; -1: the constant
  double ms;  // per unit a priori, a current server with its data in memory
};

constexpr Rate kPriorRates[] = {
    {kSeqPages, 7e-4},
    {kSeqRows, 5e-5},
    {kFilterChecks, 5e-5},
    {kFilteredRows, 1e-5},
    {kIndexSearches, 1e-3},
    {kIndexRows, 1e-4},
    {kIndexOnlyRows, 1e-4},
    {kIndexPages, 4e-4},
    {kBitmapPages, 1e-3},
    {kBitmapRows, 5e-5},
    {kFunctionRows, 1e-4},
    {kStoredRows, 5e-5},
    {kLoopOuterRows, 5e-5},
    {kLoopInnerRows, 4e-5},
    {kHashBuildRows, 1.4e-4},
    {kHashBuildKb, 3e-4},
    {kHashProbeRows, 1.2e-4},
    {kMergeRows, 1.4e-4},
    {kJoinRows, 5e-5},
    {kSortRows, 1e-4},
    {kSortCompares, 1.4e-5},
    {kSortKb, 2e-4},
    {kSpillKb, 1e-3},
    {kAggregateCalls, 1.5e-5},
    {kHashAggregateRows, 1.1e-4},
    {kGroups, 1e-4},
    {kGroupKb, 2e-4},
    {kDistinctCompares, 2e-5},
    {kWindowRows, 1e-4},
    {kPassedRows, 3e-5},
    {kModifiedRows, 2e-3},
    {kOutputRows, 5e-5},
    {kOutputKb, 1e-3},
    {kSubplanCalls, 1e-3},
    {kPlanNodes, 5e-3},
    {kTotalCost, 5e-4},
    {kUncachedPages, 5e-3},
    {kWorkers, 1.0},
    {-1, 2e-2},
};
static_assert(sizeof(kPriorRates) / sizeof(kPriorRates[0]) == kRates);

constexpr double kCommonVariance = 1.0;  // a server is faster or slower as a whole
constexpr double kOwnVariance = 0.4;     // and each operator on its own
constexpr double kNoise = 0.3;           // of log time: cardinality errors mostly
constexpr double kDrift = 1e-4;          // variance a rate gains per statement: the forgetting
constexpr double kStepLimit = 2.5;       // a rate moves at most by e^2.5 in one update

Vector LogTerms(const double* log_rate, const FeatureVector& features, double* log_sum) {
  Vector terms;
  for (int k = 0; k < kRates; ++k) {
    const int index = kPriorRates[k].index;
    const double value = index < 0 ? 1 : std::clamp(Finite(features.values[index], 0), 0.0, kMaxLog);
    const double work = index < 0 ? 1 : std::expm1(value);
    terms[k] = work > 0 ? std::log(work) + std::clamp(Finite(log_rate[k], -20), -30.0, 10.0) : -60;
  }
  const double top = terms.maxCoeff();
  *log_sum = top + std::log((terms.array() - top).exp().sum());
  return terms;
}

Vector Shares(const Vector& terms, double log_sum) { return (terms.array() - log_sum).exp().matrix(); }

}  // namespace

void InitRates(RateModel* model) {
  *model = RateModel{};
  Eigen::Map<Square, Eigen::Unaligned> covariance(model->covariance);
  covariance.setConstant(kCommonVariance);
  covariance.diagonal().array() += kOwnVariance;
  for (int k = 0; k < kRates; ++k) model->log_rate[k] = std::log(kPriorRates[k].ms);
  model->noise = kNoise;
}

double NominalLog(const FeatureVector& features) {
  static const auto kNominal = [] {
    std::array<double, kRates> rates{};
    for (int k = 0; k < kRates; ++k) rates[k] = std::log(kPriorRates[k].ms);
    return rates;
  }();
  double sum = 0;
  LogTerms(kNominal.data(), features, &sum);
  return sum;
}

double NominalMs(const double* work) {
  double sum = 0;
  for (const Rate& rate : kPriorRates)
    if (rate.index >= 0) sum += rate.ms * std::max(Finite(work[rate.index], 0), 0.0);
  return sum;
}

void PredictRates(const RateModel& model, const FeatureVector& features, double* log, double* log_sd) {
  double sum = 0;
  const Vector shares = Shares(LogTerms(model.log_rate, features, &sum), sum);
  const Eigen::Map<const Square, Eigen::Unaligned> covariance(model.covariance);
  const double spread = std::clamp(Finite(shares.dot(covariance * shares), 1), 0.0, 25.0);
  *log = std::clamp(sum, -kMaxLog, kMaxLog);
  *log_sd = std::sqrt(spread + std::max(Finite(model.noise, kNoise), 1e-4));
}

void LearnRates(const FeatureVector& features, double log_ms, double noise_factor, RateModel* model) {
  Eigen::Map<Square, Eigen::Unaligned> covariance(model->covariance);
  Eigen::Map<Vector, Eigen::Unaligned> rates(model->log_rate);
  const Vector prior = rates;
  if (!prior.allFinite() || !covariance.allFinite() || !std::isfinite(model->noise)) {
    InitRates(model);
    return;
  }
  double sum = 0;
  Vector shares = Shares(LogTerms(model->log_rate, features, &sum), sum);
  const double first_error = log_ms - sum;
  const double noise = std::max(model->noise, 0.02) * std::max(noise_factor, 1.0);
  // Huber: an outcome far off what the filter thinks possible pulls as one at three standard deviations.
  const double spread = std::sqrt(std::max(shares.dot(covariance * shares), 0.0) + noise);
  const double target = sum + std::clamp(first_error, -3 * spread, 3 * spread);
  Vector gain = Vector::Zero();
  Vector direction = Vector::Zero();
  for (int pass = 0; pass < 4; ++pass) {
    direction = covariance * shares;
    const double innovation_variance = std::max(shares.dot(direction), 0.0) + noise;
    gain = direction / innovation_variance;
    // Gauss-Newton around the prior mean: residual linearised at the current point.
    const double residual = target - sum - shares.dot(prior - Vector(rates));
    const Vector step = (gain * residual).cwiseMax(-kStepLimit).cwiseMin(kStepLimit);
    rates = prior + step;
    shares = Shares(LogTerms(model->log_rate, features, &sum), sum);
  }
  direction = covariance * shares;
  const double innovation_variance = std::max(shares.dot(direction), 0.0) + noise;
  covariance.noalias() -= direction * direction.transpose() / innovation_variance;
  covariance = (0.5 * (covariance + covariance.transpose())).eval();
  // Forgetting: every rate wanders a little, all of them together a little more; bounded by the prior.
  for (int k = 0; k < kRates; ++k) covariance(k, k) = std::max(covariance(k, k) + kDrift, kDrift);
  covariance.array() += kDrift / 4;
  for (int k = 0; k < kRates; ++k) {
    const double most = kCommonVariance + kOwnVariance;
    if (covariance(k, k) <= most) continue;
    const double shrink = std::sqrt(most / covariance(k, k));
    covariance.row(k) *= shrink;
    covariance.col(k) *= shrink;
  }
  for (int k = 0; k < kRates; ++k)
    rates[k] = std::clamp(rates[k], std::log(kPriorRates[k].ms) - 7, std::log(kPriorRates[k].ms) + 7);
  const double step = 1 / (std::min(model->samples, 100.0) + 8) / std::max(noise_factor, 1.0);
  model->noise += step * (std::min(first_error * first_error, 9.0) - model->noise);
  model->samples = 0.999 * model->samples + 1;
  if (!rates.allFinite() || !covariance.allFinite()) InitRates(model);
}

}  // namespace query_shaper
