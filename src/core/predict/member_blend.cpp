#include "core/predict/member_blend.h"

#include <algorithm>
#include <cmath>

#include "core/predict/linear_base.h"
#include "core/predict/operator_rates.h"
#include "core/predict/scale.h"

namespace query_shaper {

namespace {

constexpr double kLn2 = 0.6931471805599453;
constexpr double kShapeTrust = 3;  // another statement's history of the same plan: log variance it adds, in units below
constexpr double kShapeVariance = 0.1;
constexpr double kTimeSquare[2][kModels] = {{1.0, 1.2, 0.9, 1.2}, {0.1, 0.6, 0.6, 0.6}};
constexpr double kOtherSquare[2][kModels] = {{1.0, 1.0, 1.0, 1.2}, {0.1, 0.8, 1.0, 0.8}};
constexpr double kLeastSequenceWeight = 0.02;
constexpr int kSequence = static_cast<int>(Origin::kSequence);

}  // namespace

double PriorSquare(int context, Target target, int member) {
  return target == kTimeMs ? kTimeSquare[context][member] : kOtherSquare[context][member];
}

double PriorBlendSquare(Target target, int bucket) {
  constexpr double kTime[4] = {1.0, 0.3, 0.15, 0.1};
  return kTime[bucket];
}

double RecentSquare(double square, double prior) { return square > 0 && std::isfinite(square) ? square : prior; }

void WeighMembers(const Member* members, const double* square, double* weights) {
  bool counts[kModels];
  for (int m = 0; m < kModels; ++m) counts[m] = members[m].answers;
  for (int turn = 0; turn < 2; ++turn) {
    double sum = 0;
    int counted = 0;
    for (int m = 0; m < kModels; ++m) {
      const double error = std::max(Finite(square[m], 1), 1e-3);
      weights[m] = counts[m] ? 1 / (error * error) : 0;
      sum += weights[m];
      counted += counts[m];
    }
    for (int m = 0; m < kModels; ++m) weights[m] = sum > 0 ? weights[m] / sum : 1.0 / kModels;
    if (counted < 2 || !counts[kSequence] || weights[kSequence] >= kLeastSequenceWeight) return;
    counts[kSequence] = false;
  }
}

MemberAnswers AskMembers(Target target, const FeatureVector& features, const Regressors& regressors,
                         const Profile* speaker, bool own, const Models& models, const SequenceAnswer* sequence) {
  MemberAnswers answers;
  Member& cache = answers.member[static_cast<int>(Origin::kCache)];
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
  if (own && speaker->blend_weight > 0) {
    // The statement's own record of each member, as far as there is one.
    const double trust = speaker->blend_weight / (speaker->blend_weight + 3);
    if (target == kTimeMs) {
      for (int m = 0; m < kModels; ++m) {
        const double off = speaker->error[m] * kLn2;
        if (off > 0) square[m] = (1 - trust) * square[m] + trust * 1.5 * off * off;
      }
    } else {
      square[0] = (1 - trust) * square[0] + trust * cache.sd * cache.sd;
    }
  }
  WeighMembers(answers.member, square, answers.weights);
  return answers;
}

}  // namespace query_shaper
