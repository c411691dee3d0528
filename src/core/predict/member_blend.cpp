#include "core/predict/member_blend.h"

#include <algorithm>
#include <cmath>

#include "core/predict/linear_base.h"
#include "core/predict/operator_rates.h"
#include "core/predict/scale.h"

namespace query_shaper {

namespace {

constexpr double kShapeTrust = 3;  // another statement's history of the same plan: log variance it adds, in units below
constexpr double kShapeVariance = 0.1;
constexpr double kTimeSquare[2][kModels] = {{1.0, 1.2, 0.9, 1.2}, {0.1, 0.6, 0.6, 0.6}};
constexpr double kOtherSquare[2][kModels] = {{1.0, 1.0, 1.0, 1.2}, {0.1, 0.8, 1.0, 0.8}};
constexpr double kLeastSequenceWeight = 0.02;
constexpr int kCache = static_cast<int>(Origin::kCache);
constexpr int kSequence = static_cast<int>(Origin::kSequence);
constexpr double kMomentGain = 0.03;
constexpr double kErrorLimit = 1;  // an outlier of either side may not decide between them
constexpr double kMostCacheWeight = 0.99;
// Moments before any are known, by history: the cache's square; all share the others' and the product.
constexpr double kTimeCacheSquare[4] = {0.4, 0.2, 0.12, 0.1};
constexpr double kOtherCacheSquare[4] = {0.4, 0.08, 0.06, 0.05};

void CacheMoments(const Models& models, Target target, int history, double* moments) {
  const double* const known = models.cache_moments[target][history];
  const bool sane = known[0] >= 0 && known[1] > 0 && known[0] <= 9 && known[1] <= 9 && std::fabs(known[2]) <= 9;
  const bool time = target == kTimeMs;
  const double prior[3] = {(time ? kTimeCacheSquare : kOtherCacheSquare)[history], time ? 0.6 : 0.8,
                           time ? 0.06 : 0.02};
  for (int i = 0; i < 3; ++i) moments[i] = sane ? known[i] : prior[i];
}

}  // namespace

double PriorSquare(int context, Target target, int member) {
  return target == kTimeMs ? kTimeSquare[context][member] : kOtherSquare[context][member];
}

double PriorBlendSquare(Target target, int bucket) {
  constexpr double kTime[4] = {1.0, 0.3, 0.15, 0.1};
  return kTime[bucket];
}

double RecentSquare(double square, double prior) { return square > 0 && std::isfinite(square) ? square : prior; }

int HistoryBucket(double seen, bool own) { return own ? std::max(SeenBucket(seen), 1) : 0; }

double CacheWeight(const Models& models, Target target, int history) {
  double moments[3];
  CacheMoments(models, target, history, moments);
  const double apart = moments[0] + moments[1] - 2 * moments[2];
  const double weight = apart > 1e-6 ? (moments[1] - moments[2]) / apart : 1;
  return std::clamp(Finite(weight, 1), 0.0, kMostCacheWeight);
}

void ScoreCache(const Estimate& made, Target target, double y, double load, Models* models) {
  if (!(made.model_value[kCache][target] >= 0)) return;
  double others = 0, weight = 0;
  for (int m = 0; m < kModels; ++m) {
    const double w = made.model_weight[m][target];
    if (m == kCache || !(w > 0) || !(made.model_value[m][target] >= 0)) continue;
    others += w * ToLog(target, made.model_value[m][target]);
    weight += w;
  }
  if (!(weight > 1e-6)) return;
  const auto off = [&](double told) { return std::clamp(Finite(y - load - told, 0), -kErrorLimit, kErrorLimit); };
  const double cache_off = off(ToLog(target, made.model_value[kCache][target]));
  const double others_off = off(others / weight);
  const int history = HistoryBucket(made.seen, made.seen > 0);
  double* const moments = models->cache_moments[target][history];
  CacheMoments(*models, target, history, moments);
  moments[0] += kMomentGain * (cache_off * cache_off - moments[0]);
  moments[1] += kMomentGain * (others_off * others_off - moments[1]);
  moments[2] += kMomentGain * (cache_off * others_off - moments[2]);
}

void WeighMembers(const Models& models, Target target, int history, const Member* members, const double* square,
                  double* weights) {
  bool counts[kModels];
  int counted = 0;
  for (int m = 0; m < kModels; ++m) {
    counts[m] = m != kCache && members[m].answers;
    counted += counts[m];
  }
  const bool cache = members[kCache].answers;
  const double cache_weight = !cache ? 0 : counted > 0 ? CacheWeight(models, target, history) : 1;
  for (int turn = 0; turn < 2; ++turn) {
    double sum = 0;
    for (int m = 0; m < kModels; ++m) {
      const double error = std::max(Finite(square[m], 1), 1e-3);
      weights[m] = counts[m] ? 1 / (error * error) : 0;
      sum += weights[m];
    }
    for (int m = 0; m < kModels; ++m) {
      if (sum > 0) {
        weights[m] *= (1 - cache_weight) / sum;
      } else if (!cache) {
        weights[m] = 1.0 / kModels;
      }
    }
    if (cache) weights[kCache] = cache_weight;
    if (counted < 2 || !counts[kSequence] || weights[kSequence] >= kLeastSequenceWeight) return;
    counts[kSequence] = false;
  }
}

MemberAnswers AskMembers(Target target, const FeatureVector& features, const Regressors& regressors,
                         const Profile* speaker, bool own, const Models& models, const SequenceAnswer* sequence) {
  MemberAnswers answers;
  Member& cache = answers.member[kCache];
  Member& linear = answers.member[static_cast<int>(Origin::kLinear)];
  Member& online = answers.member[static_cast<int>(Origin::kOnline)];
  PredictLinear(models.linear, features, target, &linear.log, &linear.sd);
  linear.answers = true;
  if (target == kTimeMs) {
    PredictRates(models.online, features, &online.log, &online.sd);
    online.answers = true;
  }
  if (sequence != nullptr && sequence->answers)
    answers.member[kSequence] = {true, sequence->log[target], std::max(Finite(sequence->sd[target], 1), 1e-2)};
  if (speaker != nullptr) {
    PredictProfile(*speaker, regressors, target, &cache.log, &cache.sd);
    if (!own) cache.sd = std::sqrt(cache.sd * cache.sd + kShapeTrust * kShapeVariance);
    cache.answers = true;
  }
  const int context = speaker != nullptr ? 1 : 0;
  double* const square = answers.square;
  for (int m = 0; m < kModels; ++m)
    square[m] = RecentSquare(models.member_square[context][target][m], PriorSquare(context, target, m));
  WeighMembers(models, target, HistoryBucket(own ? speaker->weight : 0, own), answers.member, square, answers.weights);
  return answers;
}

}  // namespace query_shaper
