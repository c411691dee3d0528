#include "core/decide/replan_policy.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace query_shaper {

namespace {

constexpr double kPenaltyBase = 1.5;   // per interruption
constexpr double kMostPenalty = 1000;  // 17 interruptions; they fade with the half-life
constexpr double kConfidence = 0.8;    // of the first re-plan
constexpr double kForcedConfidence = 2.0 / 3;
constexpr double kSpentConfidence = 0.6;   // when no more can be lost than was spent
constexpr double kMostRegret = 0.1;        // probability of a loss that is noticed,
constexpr double kMostSpentRegret = 0.18;  // the same when no more can be lost than was spent
constexpr double kNoticedShare = 0.1;      // which is more than this share of the time in all and noticed_ms
constexpr double kLeastGain = 2;           // times noticed_ms: a gain must weigh more than a loss
constexpr double kDoubtHalves = 0.5;       // what is allowed to be missing from certainty, per re-plan of this run
constexpr double kLeastLogSd = 0.05;
constexpr double kMostLogSd = 3;
constexpr double kCostLogSd = 0.35;        // of ms per cost unit between two plans of one statement,
constexpr double kCostLogSdPerFold = 0.1;  // and the more, the further apart their costs are (per factor e)

constexpr double kLeastWindow = 0.25;  // of the time so far, below which two looks are too close to tell
constexpr double kLeastShrink = 1e-3;
constexpr double kRunawayDoubt = 0.5;
constexpr double kLongRun = 10;  // times noticed_ms

double Phi(double z) { return 0.5 * std::erfc(-z * M_SQRT1_2); }

bool Known(const UncertainTime& time) { return std::isfinite(time.ms) && time.ms >= 0; }

double Spread(double log_sd) {
  return std::isfinite(log_sd) ? std::clamp(log_sd, kLeastLogSd, kMostLogSd) : kMostLogSd;
}

// Probability that the new plan costs more than the old one would have, by what is noticed. The integral over the time
// left is a sum over the middles of equally likely slices.
double NoticedLoss(const ReplanSituation& situation, double fresh_ms, double fresh_sd, double left_sd) {
  constexpr double kMiddles[] = {-1.8627, -1.3180, -1.0100, -0.7764, -0.5791, -0.4023, -0.2372, -0.0784,
                                 0.0784,  0.2372,  0.4023,  0.5791,  0.7764,  1.0100,  1.3180,  1.8627};
  const double elapsed_ms = std::isfinite(situation.elapsed_ms) ? std::max(situation.elapsed_ms, 0.0) : 0;
  double sum = 0;
  for (const double middle : kMiddles) {
    const double left_ms = situation.left.ms * std::exp(left_sd * middle);
    const double bearable_ms = left_ms + kNoticedShare * (elapsed_ms + left_ms) + situation.noticed_ms;
    sum += Phi(std::log((fresh_ms + 1e-3) / bearable_ms) / fresh_sd);
  }
  return sum / std::size(kMiddles);
}

// Whether two looks tell how the end moves.
bool FarApart(const TimeSeen& before, const TimeSeen& now) {
  return before.elapsed_ms > 0 && now.elapsed_ms - before.elapsed_ms >= kLeastWindow * now.elapsed_ms &&
         now.left_ms >= 0;
}

// Mean of a log-normal, capped: with a wide spread the mean says more of the tail than of what will happen.
double Mean(double ms, double log_sd) { return ms * std::exp(std::min(0.5 * log_sd * log_sd, 1.0)); }

}  // namespace

double InterruptionPenalty(double interruptions) {
  if (!(interruptions > 0)) return 1;
  return std::min(kMostPenalty, std::pow(kPenaltyBase, std::min(interruptions, 100.0)));
}

double DecayedInterruptions(double count, double counted_s, double now_s, double half_life_s) {
  if (!(count > 0) || !std::isfinite(count)) return 0;
  double age_s = now_s - counted_s;
  if (!(age_s > 0) || !(half_life_s > 0)) return count;
  return count * std::exp2(-age_s / half_life_s);
}

ReplanVerdict JudgeReplan(const ReplanSituation& situation) {
  ReplanVerdict verdict;
  int replans = std::clamp(situation.replans, 0, 60);
  double doubt = 1 - (situation.forced ? kForcedConfidence : kConfidence);
  verdict.confidence = 1 - doubt * std::pow(kDoubtHalves, replans);
  double lost_ms = std::max(situation.noticed_ms, 0.0);
  if (std::isfinite(situation.wasted_ms)) lost_ms += std::max(situation.wasted_ms, 0.0);
  double interruptions = std::isfinite(situation.interruptions) ? std::max(situation.interruptions, 0.0) : 0;
  verdict.penalty_ms = lost_ms * (InterruptionPenalty(interruptions + replans) - 1);
  if (!Known(situation.left) || !Known(situation.fresh)) return verdict;
  double interruption_ms = std::isfinite(situation.interruption_ms) ? std::max(situation.interruption_ms, 0.0) : 0;
  double left_sd = Spread(situation.left.log_sd);
  double fresh_sd = Spread(situation.fresh.log_sd);
  double fresh_ms = situation.fresh.ms + interruption_ms;
  // The interruption itself is known: only the share of the new plan is in doubt.
  double doubted = fresh_ms > 0 ? fresh_sd * situation.fresh.ms / fresh_ms : 0;
  double dear_ms = fresh_ms + verdict.penalty_ms;
  const bool spent = situation.elapsed_ms >= dear_ms;
  if (spent) verdict.confidence = std::min(verdict.confidence, kSpentConfidence);
  double better = std::log(situation.left.ms + 1e-3) - std::log(dear_ms + 1e-3);
  verdict.probability = Phi(better / std::hypot(left_sd, doubted));
  verdict.gain_ms = Mean(situation.left.ms, left_sd) - Mean(situation.fresh.ms, fresh_sd) - interruption_ms;
  // A gain below a hundredth of what was spent already is not worth a change either. The median's gain counts: the tail
  // of what may be left is long where little has been seen.
  double least_ms = std::max(kLeastGain * situation.noticed_ms,
                             std::isfinite(situation.elapsed_ms) ? 0.01 * situation.elapsed_ms : 0);
  bool gains = situation.left.ms - fresh_ms >= least_ms && verdict.gain_ms > 0;
  verdict.regret = NoticedLoss(situation, fresh_ms, std::max(doubted, kLeastLogSd), left_sd);
  verdict.replan =
      verdict.probability >= verdict.confidence && gains && verdict.regret <= (spent ? kMostSpentRegret : kMostRegret);
  return verdict;
}

double BelievedLeftMs(const TimeSeen& before, const TimeSeen& now) {
  if (!FarApart(before, now)) return now.left_ms;
  double passed_ms = now.elapsed_ms - before.elapsed_ms;
  double shrunk = std::clamp((before.left_ms - now.left_ms) / passed_ms, kLeastShrink, 1.0);
  return std::min(now.left_ms / shrunk, std::max(now.left_ms, now.elapsed_ms));
}

bool EndRunsAway(const TimeSeen& before, const TimeSeen& now, double noticed_ms) {
  return FarApart(before, now) && now.left_ms - before.left_ms >= now.elapsed_ms - before.elapsed_ms &&
         now.elapsed_ms >= kLongRun * noticed_ms;
}

double RunawayLogSd(double log_sd) { return kRunawayDoubt * log_sd; }

double CostLogSd(double fresh_cost, double running_cost) {
  double fold = std::fabs(std::log((fresh_cost + 1) / (running_cost + 1)));
  return Spread(kCostLogSd + kCostLogSdPerFold * fold);
}

UncertainTime TimeOfCost(double fresh_cost, double running_cost, const UncertainTime& total) {
  UncertainTime time;
  if (!(fresh_cost >= 0) || !(running_cost > 0) || !Known(total) || !std::isfinite(fresh_cost) ||
      !std::isfinite(running_cost))
    return {-1, kMostLogSd};
  double fold = std::log((fresh_cost + 1) / (running_cost + 1));
  time.ms = total.ms * std::exp(std::clamp(fold, -50.0, 50.0));
  time.log_sd = Spread(std::hypot(Spread(total.log_sd), CostLogSd(fresh_cost, running_cost)));
  return time;
}

}  // namespace query_shaper
