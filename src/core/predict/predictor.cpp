#include "core/predict/predict.h"

#include <cstdint>

#include "core/predict/linear_base.h"
#include "core/predict/operator_rates.h"
#include "core/predict/profile_cache.h"
#include "core/predict/scale.h"

namespace query_shaper {

namespace {

constexpr double kLn2 = 0.6931471805599453;
constexpr double kShapeTrust = 3;  // another statement's history of the same plan: log variance it adds, in units below
constexpr double kShapeVariance = 0.1;
constexpr double kOtherPlanVariance = 0.3;  // the statement's history under other plans: log variance it adds
constexpr double kIndependence = 0.6;       // of its errors and the models', which rest on the same estimates of rows
constexpr double kMemberSquare[2][kModels] = {{1.0, 1.2, 0.9}, {0.1, 0.6, 0.6}};  // before anything is known
constexpr double kBlendSquare[4] = {1.0, 0.3, 0.15, 0.1};

// A plan shape known from another statement counts as seen once.
int Bucket(double seen, bool cache_answers) { return cache_answers ? std::max(SeenBucket(seen), 1) : 0; }

constexpr double kLoadGain = 0.1;
constexpr double kLoadHalfLife_s = 60;
constexpr double kLoadLimit = 1;  // log: a factor of e either way

// Follows the load of the server: what all known statements have in common in their latest errors.
void FollowLoad(const Estimate& made, double y, double believed, double now_s, Models* models) {
  double level = std::clamp(Finite(models->load_level, 0), -kLoadLimit, kLoadLimit);
  const double age_s = now_s - models->load_at_s;
  if (age_s > 0) level *= std::exp2(-std::min(age_s / kLoadHalfLife_s, 1000.0));
  if (made.seen >= 1.5) {
    const double unexplained = y - (believed - Finite(made.log_load, 0));
    level += kLoadGain * (std::clamp(unexplained, -kLoadLimit, kLoadLimit) - level);
  }
  models->load_level = Finite(level, 0);
  models->load_at_s = Finite(now_s, 0);
}

struct Member {
  bool answers = false;
  double log = 0;
  double sd = 1;
};

// The profile that speaks for the cache: the statement's own, else the plan shape's.
const Profile* Speaker(const Profile* exact, const Profile* shape) {
  if (exact != nullptr && HasHistory(*exact)) return exact;
  if (shape != nullptr && HasHistory(*shape)) return shape;
  return nullptr;
}

// Weights from recent mean squared errors: inverse power, sharp enough to let a clearly better member speak alone.
void Weigh(const Member* members, const double* square, double* weights) {
  double sum = 0;
  for (int m = 0; m < kModels; ++m) {
    const double error = std::max(Finite(square[m], 1), 1e-3);
    weights[m] = members[m].answers ? 1 / (error * error) : 0;
    sum += weights[m];
  }
  for (int m = 0; m < kModels; ++m) weights[m] = sum > 0 ? weights[m] / sum : 1.0 / kModels;
}

double Recent(double square, double prior) { return square > 0 && std::isfinite(square) ? square : prior; }

Quantity Interval(Target target, double log, double half_width) {
  Quantity quantity;
  half_width = std::clamp(Finite(half_width, 5), 0.0, 12.0);
  quantity.value = FromLog(target, log);
  quantity.low = std::min(FromLog(target, log - half_width), quantity.value);
  quantity.high = std::max(FromLog(target, log + half_width), quantity.value);
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

// Moves a half width by the Robbins-Monro step that is at rest when one outcome in ten lies outside.
void Calibrate(bool inside, double step, float* z) {
  if (!std::isfinite(*z) || *z <= 0) *z = 1.64f;
  const double moved = *z * std::exp(step * ((inside ? 0.0 : 1.0) - 0.1));
  *z = static_cast<float>(std::clamp(moved, 0.1, 30.0));
}

bool Inside(const Quantity& quantity, double actual) {
  // A kilobyte or a row of slack: zero is a common truth that rounding must not miss.
  return actual >= quantity.low * 0.999 - 1e-9 && actual <= quantity.high * 1.001 + 1e-9;
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
    for (int m = 0; m < kModels; ++m) {
      if (!(made.model_ms[m] >= 0)) continue;
      const double off = std::fabs(y - ToLog(kTimeMs, made.model_ms[m])) / kLn2;
      profile->error[m] = profile->error[m] > 0 ? 0.8 * profile->error[m] + 0.2 * off : std::max(off, 1e-6);
    }
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

}  // namespace

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
  for (int context = 0; context < 2; ++context) {
    Member all[kModels];
    for (int m = 0; m < kModels; ++m) all[m].answers = context == 1 || m != static_cast<int>(Origin::kCache);
    Weigh(all, kMemberSquare[context], models->blend_weight[context]);
  }
}

Estimate Predict(const FeatureVector& features, const Profile* exact, const Profile* shape, const Models& models,
                 const Profile* statement) {
  Estimate estimate;
  const Profile* speaker = Speaker(exact, shape);
  const bool own = speaker != nullptr && speaker == exact;
  estimate.seen = own ? std::max(exact->weight, 0.0) : 0;

  Member members[kModels];
  Member& cache = members[static_cast<int>(Origin::kCache)];
  Member& linear = members[static_cast<int>(Origin::kLinear)];
  Member& online = members[static_cast<int>(Origin::kOnline)];
  PredictLinear(models.linear, features, kTimeMs, &linear.log, &linear.sd);
  PredictRates(models.online, features, &online.log, &online.sd);
  linear.answers = online.answers = true;
  const Regressors regressors = RegressorsOf(features);
  if (speaker != nullptr) {
    PredictProfile(*speaker, regressors, kTimeMs, &cache.log, &cache.sd);
    if (!own) cache.sd = std::sqrt(cache.sd * cache.sd + kShapeTrust * kShapeVariance);
    cache.answers = true;
  }

  const int bucket = Bucket(estimate.seen, cache.answers);
  const int context = bucket > 0 ? 1 : 0;
  double square[kModels];
  for (int m = 0; m < kModels; ++m) square[m] = Recent(models.member_square[context][m], kMemberSquare[context][m]);
  if (own && exact->blend_weight > 0) {
    // The statement's own record of each member, as far as there is one.
    const double trust = exact->blend_weight / (exact->blend_weight + 3);
    for (int m = 0; m < kModels; ++m) {
      const double off = exact->error[m] * kLn2;
      if (off > 0) square[m] = (1 - trust) * square[m] + trust * 1.5 * off * off;
    }
  }
  double weights[kModels];
  Weigh(members, square, weights);

  double log = 0;
  double variance = 0;
  for (int m = 0; m < kModels; ++m) log += weights[m] * members[m].log;
  const double blend_square = Recent(models.blend_square[bucket], kBlendSquare[bucket]);
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
  estimate.log_load = std::clamp(Finite(models.load_level, 0), -kLoadLimit, kLoadLimit);
  log = std::clamp(Finite(log, 0) + estimate.log_load, std::log(kMinTimeMs), kMaxLog);
  estimate.log_sd = std::sqrt(std::clamp(Finite(variance, 1), 1e-4, 25.0));
  estimate.targets[kTimeMs] = Interval(kTimeMs, log, models.interval_z[bucket] * estimate.log_sd);

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
    double value = 0;
    double sd = 1;
    if (speaker != nullptr) {
      PredictProfile(*speaker, regressors, target, &value, &sd);
    } else {
      PredictLinear(models.linear, features, target, &value, &sd);
    }
    estimate.targets[t] =
        Interval(target, std::clamp(Finite(value, 0), 0.0, kMaxLog), models.target_z[context][t] * sd);
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
  const double gain = 0.05;
  Member members[kModels];
  for (int m = 0; m < kModels; ++m) {
    members[m].answers = made.model_ms[m] >= 0;
    if (!members[m].answers) continue;
    const double off = y - ToLog(kTimeMs, made.model_ms[m]);
    Score(std::fabs(off) / kLn2, &models->errors[m]);
    Follow(std::min(off * off, 9.0), kMemberSquare[context][m], gain, &models->member_square[context][m]);
  }
  const double off = y - believed;
  Score(std::fabs(off) / kLn2, &models->errors[kModels]);
  Follow(std::min(off * off, 9.0), kBlendSquare[bucket], gain, &models->blend_square[bucket]);
  Weigh(members, models->member_square[context], models->blend_weight[context]);
  FollowLoad(made, y, believed, now_s, models);

  Calibrate(Inside(made.targets[kTimeMs], outcome.targets[kTimeMs]), 0.08, &models->interval_z[bucket]);
  for (int t = kTimeMs + 1; t < kTargets; ++t)
    Calibrate(Inside(made.targets[t], outcome.targets[t]), 0.05, &models->target_z[context][t]);
  LearnBand(pace, made.seen >= 0.5, &models->band);

  if (exact != nullptr) LearnInto(regressors, made, outcome, pace, now_s, half_life_s, true, exact);
  if (shape != nullptr) LearnInto(regressors, made, outcome, pace, now_s, half_life_s, false, shape);

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
