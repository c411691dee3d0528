#include "core/predict/predict.h"

#include <cstdint>

#include <algorithm>
#include <cmath>

#include "core/predict/linear_base.h"
#include "core/predict/member_blend.h"
#include "core/predict/operator_rates.h"
#include "core/predict/profile_cache.h"
#include "core/predict/scale.h"

namespace query_shaper {

namespace {

constexpr double kLn2 = 0.6931471805599453;
constexpr double kOtherPlanVariance = 0.3;  // the statement's history under other plans: log variance it adds
constexpr double kIndependence = 0.6;       // of its errors and the models', which rest on the same estimates of rows
// A plan shape known from another statement counts as seen once.
int Bucket(double seen, bool cache_answers) { return cache_answers ? std::max(SeenBucket(seen), 1) : 0; }

// Shares of outcomes outside the interval of a target. What is granted by the upper end must not fall short often.
constexpr double kBelowShare = 0.065;
constexpr double kAboveShare = 0.035;
// Of the load that was told, what histories are kept free of. The rest lets what lasts into them.
constexpr double kLoadApart = 0.7;
constexpr int kTypicalHistory = 2;  // a statement that ran two to four times

// The profile that speaks for the cache: the statement's own, else the plan shape's.
const Profile* Speaker(const Profile* exact, const Profile* shape) {
  if (exact != nullptr && HasHistory(*exact)) return exact;
  if (shape != nullptr && HasHistory(*shape)) return shape;
  return nullptr;
}

Quantity Interval(Target target, double log, double below, double above) {
  Quantity quantity;
  below = std::clamp(Finite(below, 5), 0.0, 12.0);
  above = std::clamp(Finite(above, 5), 0.0, 12.0);
  quantity.value = FromLog(target, log);
  quantity.low = std::min(FromLog(target, log - below), quantity.value);
  quantity.high = std::max(FromLog(target, log + above), quantity.value);
  return quantity;
}

void Score(double q_log2, ErrorStats* stats) {
  constexpr double kFade = 0.995;
  const int buckets = sizeof(stats->buckets) / sizeof(stats->buckets[0]);
  const int bucket = std::clamp(static_cast<int>(std::min(q_log2, 1000.0) * 8), 0, buckets - 1);
  for (float& count : stats->buckets) count = static_cast<float>(count * kFade);
  stats->buckets[bucket] += 1;
  stats->samples = stats->samples * kFade + 1;
}

void Follow(double value, double prior, double gain, double* mean) {
  if (!(*mean > 0) || !std::isfinite(*mean)) *mean = prior;
  *mean += gain * (value - *mean);
}

// Moves a width by the Robbins-Monro step that is at rest when this share of outcomes lies outside.
void Calibrate(bool inside, double share, double step, float* z) {
  if (!std::isfinite(*z) || *z <= 0) *z = 1.64f;
  const double moved = *z * std::exp(step * ((inside ? 0.0 : 1.0) - share));
  *z = static_cast<float>(std::clamp(moved, 0.1, 30.0));
}

// A thousandth of slack: zero is a common truth that rounding must not miss.
bool NotBelow(const Quantity& quantity, double actual) { return actual >= quantity.low * 0.999 - 1e-9; }
bool NotAbove(const Quantity& quantity, double actual) { return actual <= quantity.high * 1.001 + 1e-9; }

double Width(float z, double sd) { return (std::isfinite(z) && z > 0 ? z : 1.64f) * sd; }

void Note(const MemberAnswers& answers, Target target, Estimate* estimate) {
  for (int m = 0; m < kModels; ++m) {
    const bool told = answers.member[m].answers;
    estimate->model_value[m][target] = told ? static_cast<float>(FromLog(target, answers.member[m].log)) : -1.0f;
    estimate->model_weight[m][target] = static_cast<float>(answers.weights[m]);
  }
}

// Targets other than time: the weighted answer, and the weighted variances with what the members disagree by.
Quantity PredictOther(Target target, const MemberAnswers& answers, int bucket, bool own, const Models& models) {
  double log = 0, own_variance = 0;
  for (int m = 0; m < kModels; ++m) log += answers.weights[m] * answers.member[m].log;
  double apart = 0;
  for (int m = 0; m < kModels; ++m) {
    const Member& member = answers.member[m];
    apart += answers.weights[m] * (member.log - log) * (member.log - log);
    own_variance += answers.weights[m] * member.sd * member.sd;
  }
  double variance = RecentSquare(models.blend_square[target][bucket], PriorBlendSquare(target, bucket));
  // A statement's own history knows its spread better than all statements' taken together.
  if (own) variance = own_variance;
  const double sd = std::sqrt(std::clamp(Finite(variance + apart, 1), 1e-4, 25.0));
  log = std::clamp(Finite(log, 0), target == kCpuMs ? std::log(kMinTimeMs) : 0.0, kMaxLog);
  return Interval(target, log, Width(models.target_z[0][target][bucket], sd),
                  Width(models.target_z[1][target][bucket], sd));
}

void ScoreTarget(Target target, const Estimate& made, const Actual& outcome, int bucket, int context, Models* models) {
  constexpr double kGain = 0.05;
  const double y = ToLog(target, outcome.targets[target]);
  for (int m = 0; m < kModels; ++m) {
    if (!(made.model_value[m][target] >= 0)) continue;
    const double off = y - ToLog(target, made.model_value[m][target]);
    Score(std::fabs(off) / kLn2, &models->errors[m][target]);
    Follow(std::min(off * off, 9.0), PriorSquare(context, target, m), kGain,
           &models->member_square[context][target][m]);
  }
  ScoreCache(made, target, y, target == kTimeMs ? Finite(made.load.told, 0) : 0, models);
  const double off = y - ToLog(target, made.targets[target].value);
  Score(std::fabs(off) / kLn2, &models->errors[kModels][target]);
  Follow(std::min(off * off, 9.0), PriorBlendSquare(target, bucket), kGain, &models->blend_square[target][bucket]);
}

double Keep(double last_seen_s, double now_s, double half_life_s) {
  const double age = now_s - last_seen_s;
  if (!(age > 0) || !(half_life_s > 0) || !(last_seen_s > 0)) return 1;
  return std::exp2(-std::min(age / half_life_s, 1000.0));
}

void LearnInto(const Regressors& regressors, const Estimate& made, const Actual& actual, const PaceSample& pace,
               double now_s, double half_life_s, bool own, Profile* profile) {
  const double keep = Keep(profile->last_seen_s, now_s, half_life_s);
  const double y = ToLog(kTimeMs, actual.targets[kTimeMs]);
  if (own) {
    profile->blend_weight *= keep;
    const double error = y - ToLog(kTimeMs, made.targets[kTimeMs].value);
    // The first guess was made without this history; it says nothing about the guesses to come.
    if (made.seen >= 0.5) {
      const double gain = std::max(1 / (profile->blend_weight + 1), 0.08);
      Follow(std::min(error * error, 9.0), error * error, gain, &profile->blend_square);
      profile->blend_weight += 1;
    }
  }
  LearnProfile(regressors, actual, keep, profile);
  LearnPace(pace, keep, &profile->pace);
  profile->last_seen_s = now_s;
}

// What the members weigh beside a history of this bucket. sequence: that member answers.
void WeighAll(const Models& models, Target target, bool seen, int history, bool sequence, double* weights) {
  const int context = seen ? 1 : 0;
  Member members[kModels];
  double square[kModels];
  for (int m = 0; m < kModels; ++m) {
    const Origin origin = static_cast<Origin>(m);
    members[m].answers = (origin != Origin::kCache || seen) && (origin != Origin::kOnline || target == kTimeMs) &&
                         (origin != Origin::kSequence || sequence);
    square[m] = RecentSquare(models.member_square[context][target][m], PriorSquare(context, target, m));
  }
  WeighMembers(models, target, history, members, square, weights);
}

}  // namespace

const char* TargetName(Target target) {
  static constexpr const char* kNames[] = {"time_ms", "memory_kb", "rows",       "temp_kb",
                                           "blocks",  "cpu_ms",    "blocks_read"};
  static_assert(sizeof(kNames) / sizeof(kNames[0]) == kTargets);
  return target >= 0 && target < kTargets ? kNames[target] : "";
}

const char* OriginName(Origin origin) {
  switch (origin) {
    case Origin::kCache:
      return "cache";
    case Origin::kLinear:
      return "linear";
    case Origin::kOnline:
      return "online";
    case Origin::kSequence:
      return "sequence";
    default:
      return "blend";
  }
}

void InitModels(Models* models) {
  *models = Models{};
  InitLinear(&models->linear);
  InitRates(&models->online);
  for (auto& side : models->target_z)
    for (auto& target : side) std::fill(target, target + 4, 1.64f);
  for (int context = 0; context < 2; ++context)
    TypicalWeights(*models, kTimeMs, context == 1, false, models->blend_weight[context]);
}

Estimate Predict(const FeatureVector& features, const Profile* exact, const Profile* shape, const Models& models,
                 double now_s, const Profile* statement, const SequenceAnswer* sequence) {
  Estimate estimate;
  const Profile* speaker = Speaker(exact, shape);
  const bool own = speaker != nullptr && speaker == exact;
  estimate.seen = own ? std::max(exact->weight, 0.0) : 0;
  const Regressors regressors = RegressorsOf(features);
  const MemberAnswers answers = AskMembers(kTimeMs, features, regressors, speaker, own, models, sequence);
  const Member* const members = answers.member;
  const double* const weights = answers.weights;
  const int bucket = Bucket(estimate.seen, speaker != nullptr);

  double log = 0;
  double variance = 0;
  for (int m = 0; m < kModels; ++m) log += weights[m] * members[m].log;
  const double blend_square = RecentSquare(models.blend_square[kTimeMs][bucket], PriorBlendSquare(kTimeMs, bucket));
  if (own) {
    const double known = std::max(Finite(exact->blend_weight, 0), 0.0);
    variance = (3 * blend_square + known * std::max(Finite(exact->blend_square, 0), 0.0)) / (3 + known);
  } else {
    variance = blend_square;
    for (int m = 0; m < kModels; ++m) variance += weights[m] * (members[m].log - log) * (members[m].log - log);
  }
  if (speaker == nullptr && statement != nullptr && HasHistory(*statement)) {
    double told = 0, told_sd = 1;
    PredictProfile(*statement, regressors, kTimeMs, &told, &told_sd);
    const double told_variance = told_sd * told_sd + kOtherPlanVariance;
    const double trust = variance / (variance + told_variance);
    log += trust * (told - log);
    variance *= 1 - kIndependence * trust;
  }
  estimate.load = PredictLoad(models.load, now_s, FromLog(kTimeMs, log));
  log = std::clamp(Finite(log, 0) + estimate.load.told, std::log(kMinTimeMs), kMaxLog);
  estimate.log_sd = std::sqrt(std::clamp(Finite(variance, 1), 1e-4, 25.0));
  const double half_width = models.interval_z[bucket] * estimate.log_sd;
  estimate.targets[kTimeMs] = Interval(kTimeMs, log, half_width, half_width);
  Note(answers, kTimeMs, &estimate);

  int most = 1;
  for (int m = 0; m < kModels; ++m) {
    if (!members[m].answers) continue;
    if (weights[m] > weights[most]) most = m;
    estimate.model_ms[m] = FromLog(kTimeMs, members[m].log);
    estimate.model_log_sd[m] = std::max(Finite(members[m].sd, 1), 1e-3);
  }
  estimate.origin = weights[most] > 0.8 ? static_cast<Origin>(most) : Origin::kBlend;

  for (int t = kTimeMs + 1; t < kTargets; ++t) {
    const Target target = static_cast<Target>(t);
    const MemberAnswers told = AskMembers(target, features, regressors, speaker, own, models, sequence);
    Note(told, target, &estimate);
    estimate.targets[t] = PredictOther(target, told, bucket, own, models);
  }
  return estimate;
}

void Learn(const FeatureVector& features, const Estimate& made, const Actual& actual, const PaceSample& pace,
           double now_s, double half_life_s, Profile* exact, Profile* shape, Models* models) {
  Actual outcome = actual;
  for (double& value : outcome.targets) value = std::isfinite(value) && value > 0 ? value : 0;
  const double y = ToLog(kTimeMs, outcome.targets[kTimeMs]);
  const double believed = ToLog(kTimeMs, made.targets[kTimeMs].value);
  const Regressors regressors = RegressorsOf(features);

  if (!actual.complete) {
    // Censored: it took at least this long. Only news when that is longer than was believed.
    if (y > believed) LearnRates(features, y, 4, &models->online);
    return;
  }

  const int bucket = Bucket(made.seen, made.model_ms[static_cast<int>(Origin::kCache)] >= 0);
  const int context = bucket > 0 ? 1 : 0;
  for (int t = 0; t < kTargets; ++t) ScoreTarget(static_cast<Target>(t), made, outcome, bucket, context, models);
  TypicalWeights(*models, kTimeMs, context == 1, made.model_ms[static_cast<int>(Origin::kSequence)] >= 0,
                 models->blend_weight[context]);
  const double load = Finite(made.load.told, 0);
  if (made.seen >= 1.5)
    FollowLoad(y - (believed - load), made.log_sd * made.log_sd, made.load, outcome.targets[kTimeMs], now_s,
               &models->load);

  const Quantity& time = made.targets[kTimeMs];
  const double ms = outcome.targets[kTimeMs];
  Calibrate(NotBelow(time, ms) && NotAbove(time, ms), 0.1, 0.08, &models->interval_z[bucket]);
  for (int t = kTimeMs + 1; t < kTargets; ++t) {
    Calibrate(NotBelow(made.targets[t], outcome.targets[t]), kBelowShare, 0.08, &models->target_z[0][t][bucket]);
    Calibrate(NotAbove(made.targets[t], outcome.targets[t]), kAboveShare, 0.08, &models->target_z[1][t][bucket]);
  }
  LearnBand(pace, made.seen >= 0.5, &models->band);

  Actual calm = outcome;
  calm.targets[kTimeMs] *= std::exp(-kLoadApart * load);
  if (exact != nullptr) LearnInto(regressors, made, calm, pace, now_s, half_life_s, true, exact);
  if (shape != nullptr) LearnInto(regressors, made, calm, pace, now_s, half_life_s, false, shape);

  // Repeats of one statement share its error: only their first runs speak for other statements.
  const double repeats = std::max(Finite(made.seen, 0), 0.0);
  LearnRates(features, y, 1 + repeats, &models->online);
  LearnLinear(features, outcome, 1 / (1 + repeats), 1, &models->linear);

  const double log_cost = std::clamp(Finite(features.values[feature::kTotalCost], 0), 0.0, kMaxLog);
  const double log_pace = y - log_cost;
  const double old = models->calibration_ms_per_cost > 0 ? std::log(models->calibration_ms_per_cost) : log_pace;
  const double step = 1 / (std::min(models->calibration_weight, 200.0) + 1);
  models->calibration_spread += step * (std::fabs(log_pace - old) - models->calibration_spread);
  models->calibration_ms_per_cost = std::exp(std::clamp(old + step * (log_pace - old), -40.0, 40.0));
  models->calibration_weight += 1;
}

void LearnStatement(const FeatureVector& features, const Actual& actual, double now_s, double half_life_s,
                    Profile* statement) {
  if (!actual.complete) return;
  Actual outcome = actual;
  for (double& value : outcome.targets) value = std::isfinite(value) && value > 0 ? value : 0;
  LearnProfile(RegressorsOf(features), outcome, Keep(statement->last_seen_s, now_s, half_life_s), statement);
  statement->last_seen_s = now_s;
}

void Train(Models* models, int64_t now_s) {
  SolveLinear(&models->linear);
  models->trained_at_s = now_s;
  ++models->version;
}

void TypicalWeights(const Models& models, Target target, bool seen, bool sequence, double* weights) {
  WeighAll(models, target, seen, kTypicalHistory, sequence, weights);
}

bool SequenceWeighs(const Models& models, const Profile* exact, const Profile* shape) {
  const Profile* const speaker = Speaker(exact, shape);
  const bool own = speaker != nullptr && speaker == exact;
  const int history = HistoryBucket(own ? exact->weight : 0, own);
  double weights[kModels];
  for (int t = 0; t < kTargets; ++t) {
    WeighAll(models, static_cast<Target>(t), speaker != nullptr, history, true, weights);
    if (weights[static_cast<int>(Origin::kSequence)] > 0) return true;
  }
  return false;
}

void AddAnswer(const SequenceAnswer& sequence, Estimate* made) {
  const int m = static_cast<int>(Origin::kSequence);
  if (!sequence.answers) return;
  for (int t = 0; t < kTargets; ++t)
    made->model_value[m][t] = static_cast<float>(FromLog(static_cast<Target>(t), sequence.log[t]));
  made->model_ms[m] = FromLog(kTimeMs, sequence.log[kTimeMs]);
  made->model_log_sd[m] = std::max(Finite(sequence.sd[kTimeMs], 1), 1e-3);
}

void BeginSequence(const double* square, Models* models) {
  const int m = static_cast<int>(Origin::kSequence);
  for (auto& context : models->member_square)
    for (int t = 0; t < kTargets; ++t) context[t][m] = std::clamp(Finite(square[t], 1), 0.02, 9.0);
}

Estimate Revise(const Estimate& estimate, double work_ratio, double speed_ratio, double trust) {
  Estimate revised = estimate;
  trust = std::clamp(Finite(trust, 0), 0.0, 1.0);
  const double work = std::isfinite(work_ratio) && work_ratio > 0 ? std::clamp(work_ratio, 1e-6, 1e9) : 1;
  const double speed = std::isfinite(speed_ratio) && speed_ratio > 0 ? std::clamp(speed_ratio, 1e-6, 1e6) : 1;
  const double shift = trust * (std::log(work) - std::log(speed));
  Quantity& time = revised.targets[kTimeMs];
  const double centre = ToLog(kTimeMs, time.value);
  const double narrow = 1 - 0.8 * trust;  // what is observed no longer has to be guessed
  const double below = (centre - ToLog(kTimeMs, time.low)) * narrow;
  const double above = (ToLog(kTimeMs, time.high) - centre) * narrow;
  time.value = FromLog(kTimeMs, centre + shift);
  time.low = std::min(FromLog(kTimeMs, centre + shift - below), time.value);
  time.high = std::max(FromLog(kTimeMs, centre + shift + above), time.value);
  revised.log_sd = std::max(Finite(estimate.log_sd, 1) * narrow, 1e-3);
  return revised;
}

double ErrorQuantile(const ErrorStats& stats, double quantile) {
  double total = 0;
  for (const float count : stats.buckets) total += std::max(Finite(count, 0), 0.0);
  if (!(total > 0)) return std::nan("");
  const double wanted = std::clamp(Finite(quantile, 0.5), 0.0, 1.0) * total;
  double sum = 0;
  int bucket = 0;
  for (const float count : stats.buckets) {
    const double here = std::max(Finite(count, 0), 0.0);
    if (here > 0 && sum + here >= wanted) return std::exp2((bucket + (wanted - sum) / here) / 8);
    sum += here;
    ++bucket;
  }
  return std::exp2(bucket / 8.0);
}

}  // namespace query_shaper
