#include "core/decide/plan_guard.h"

#include <algorithm>
#include <cmath>

#include "core/decide/discrepancy.h"
#include "core/decide/replan_policy.h"

namespace query_shaper {

namespace {

constexpr double kLeastWeight = 0.05;      // of complete runs, below which a time is forgotten
constexpr double kClearlyWorse = 1.1;      // a known plan must be this much slower than the best to be passed over,
constexpr double kWorthMs = 10;            // and by this much
constexpr double kConfident = 1.28;        // standard deviations: one in ten
constexpr double kAtLastChance = 1.28;     // the same, when going on can no longer be undone for free
constexpr double kOverdraft = 0.5;         // of the known time: how long past the allowance a trial may live at most
constexpr double kSpentBeforeTrial = 0.5;  // of what a trial may cost
constexpr double kNoiseFloor = 0.1;        // log standard deviation of one plan's time on one server

double Decay(double then_s, double now_s, double half_life_s) {
  double age_s = now_s - then_s;
  return age_s > 0 && half_life_s > 0 ? std::exp2(-age_s / half_life_s) : 1;
}

double Weight(const KnownPlan& plan, const GuardLimits& limits) {
  return plan.fingerprint == 0 ? 0 : plan.weight * Decay(plan.last_s, limits.now_s, limits.half_life_s);
}

const KnownPlan* Find(const KnownPlans& plans, uint64_t fingerprint) {
  if (fingerprint == 0) return nullptr;
  for (const KnownPlan& plan : plans.plans)
    if (plan.fingerprint == fingerprint) return &plan;
  return nullptr;
}

// The penalty of its interruptions enters a plan's believed time.
double BelievedMs(const KnownPlan& plan, const GuardLimits& limits) {
  double given_up = DecayedInterruptions(plan.given_up, plan.last_s, limits.now_s, limits.half_life_s);
  return std::exp(static_cast<double>(plan.log_ms)) * InterruptionPenalty(given_up);
}

// Found or made; the plan that weighs least makes room, never the best one.
KnownPlan* Enter(KnownPlans* plans, uint64_t fingerprint, PlanOrigin origin, const GuardLimits& limits) {
  const KnownPlan* best = BestPlan(*plans, limits);
  KnownPlan* place = nullptr;
  double least = 1e300;
  for (KnownPlan& plan : plans->plans) {
    if (plan.fingerprint == fingerprint) return &plan;
    if (&plan == best) continue;
    double worth =
        plan.fingerprint == 0
            ? -1
            : Weight(plan, limits) + DecayedInterruptions(plan.given_up, plan.last_s, limits.now_s, limits.half_life_s);
    if (worth >= least) continue;
    least = worth;
    place = &plan;
  }
  *place = KnownPlan();
  place->fingerprint = fingerprint;
  place->origin = origin;
  place->last_s = limits.now_s;
  return place;
}

void DecayPlan(KnownPlan* plan, const GuardLimits& limits) {
  auto decay = static_cast<float>(Decay(plan->last_s, limits.now_s, limits.half_life_s));
  plan->weight *= decay;
  plan->log_square *= decay;
  plan->given_up *= decay;
  plan->last_s = std::max(plan->last_s, limits.now_s);
}

void DecayCounts(KnownPlans* plans, const GuardLimits& limits) {
  auto decay = static_cast<float>(Decay(plans->counted_s, limits.now_s, limits.half_life_s));
  plans->failed_tries *= decay;
  plans->runs *= decay;
  plans->counted_s = std::max(plans->counted_s, limits.now_s);
}

double LogMs(double ms) { return std::log(std::clamp(ms, 1e-3, 1e12)); }

}  // namespace

const KnownPlan* BestPlan(const KnownPlans& plans, const GuardLimits& limits) {
  const KnownPlan* best = nullptr;
  for (const KnownPlan& plan : plans.plans) {
    if (Weight(plan, limits) < kLeastWeight) continue;
    if (best == nullptr || BelievedMs(plan, limits) < BelievedMs(*best, limits)) best = &plan;
  }
  return best;
}

PlanChoice ChoosePlan(const KnownPlans& plans, uint64_t fingerprint, PlanOrigin origin, bool can_give_up,
                      const GuardLimits& limits) {
  PlanChoice choice;
  const KnownPlan* best = BestPlan(plans, limits);
  if (best == nullptr) {
    if (origin != PlanOrigin::kStock) choice.verdict = PlanVerdict::kPrefer;
    return choice;
  }
  choice.preferred = best->fingerprint;
  choice.preferred_origin = best->origin;
  choice.known_ms = std::exp(static_cast<double>(best->log_ms));
  choice.known_log_sd = std::max<double>(kNoiseFloor, std::sqrt(best->log_square / std::max(best->weight, 1e-3F)));
  if (best->fingerprint == fingerprint) return choice;
  const KnownPlan* made = Find(plans, fingerprint);
  bool made_ran = made != nullptr && Weight(*made, limits) >= kLeastWeight;
  bool made_given_up = made != nullptr && DecayedInterruptions(made->given_up, made->last_s, limits.now_s,
                                                               limits.half_life_s) >= kLeastWeight;
  if (made_ran || made_given_up) {
    bool worse = BelievedMs(*made, limits) > kClearlyWorse * BelievedMs(*best, limits) + kWorthMs;
    if (worse) choice.verdict = PlanVerdict::kPrefer;
    if (worse || made_ran) return choice;
  } else if (origin == PlanOrigin::kStock) {
    return choice;  // the server's own change of mind: its statistics have changed
  }
  double decay = Decay(plans.counted_s, limits.now_s, limits.half_life_s);
  double failed = plans.failed_tries * decay;
  // Counts decay alike, so that the ration does not come back by waiting alone.
  bool due = failed < kLeastWeight || plans.runs * decay >= std::exp2(std::min(failed, 60.0)) - 1;
  choice.verdict = can_give_up && due ? PlanVerdict::kTry : PlanVerdict::kPrefer;
  return choice;
}

double AllowanceMs(const Probation& probation) {
  double whole = (1 + std::max(probation.regret_limit, 0.0)) * probation.known_ms + std::max(probation.slack_ms, 0.0);
  return whole - std::max(probation.spent_ms, 0.0);
}

bool TrialAffordable(const Probation& probation) {
  Probation fresh = probation;
  fresh.spent_ms = 0;
  double budget = AllowanceMs(fresh) - probation.known_ms;
  return probation.known_ms > 0 && probation.spent_ms <= kSpentBeforeTrial * budget;
}

ProbationVerdict JudgeProbation(Probation* probation, double elapsed_ms, double total_ms, double total_log_sd,
                                double tick_ms, double seen_share) {
  double known = probation->known_ms;
  if (!(known > 0) || !std::isfinite(elapsed_ms)) return ProbationVerdict::kGoOn;
  double allowance = AllowanceMs(*probation);
  double swap = known + std::max(probation->swap_ms, 0.0);
  double last_chance = allowance - swap;
  double end = allowance + kOverdraft * known;
  double total = std::isfinite(total_ms) ? std::max(total_ms, elapsed_ms) : 1e300;
  double sd = std::isfinite(total_log_sd) ? std::clamp(total_log_sd, 0.0, 3.0) : 3;
  double share = std::isfinite(seen_share) ? std::clamp(seen_share, 1e-3, 1.0) : 1e-3;
  double doubt = std::max(sd, ExtrapolatedLogSd(total, std::min(elapsed_ms, share * total)));
  bool give_up;
  if (elapsed_ms + tick_ms <= last_chance) {
    give_up = std::max(elapsed_ms, total * std::exp(-kConfident * doubt)) > allowance;
  } else if (!probation->last_chance_passed && elapsed_ms <= last_chance) {
    probation->last_chance_passed = true;
    give_up = total * std::exp(kAtLastChance * doubt) > allowance;
  } else {
    probation->last_chance_passed = true;
    double patience = std::clamp((end - elapsed_ms) / std::max(end - allowance, 1e-3), 0.0, 1.0);
    give_up = elapsed_ms >= end || total - elapsed_ms > swap * patience;
  }
  return give_up ? ProbationVerdict::kGiveUp : ProbationVerdict::kGoOn;
}

void LearnPlanTime(KnownPlans* plans, uint64_t fingerprint, PlanOrigin origin, double ms, const GuardLimits& limits) {
  if (fingerprint == 0 || !std::isfinite(ms) || ms < 0) return;
  DecayCounts(plans, limits);
  plans->runs += 1;
  KnownPlan* plan = Enter(plans, fingerprint, origin, limits);
  DecayPlan(plan, limits);
  auto log_ms = static_cast<float>(LogMs(ms));
  if (plan->weight < kLeastWeight) {
    plan->weight = 1;
    plan->log_ms = log_ms;
    plan->log_square = 0;
  } else {
    plan->weight += 1;
    float off = log_ms - plan->log_ms;
    plan->log_ms += off / plan->weight;
    plan->log_square += off * (log_ms - plan->log_ms);
  }
  // Stock planning makes it too: it needs nothing learned.
  if (origin == PlanOrigin::kStock) plan->origin = origin;
}

void LearnPlanGivenUp(KnownPlans* plans, uint64_t fingerprint, PlanOrigin origin, double total_ms, bool on_probation,
                      const GuardLimits& limits) {
  if (fingerprint == 0) return;
  DecayCounts(plans, limits);
  if (on_probation) plans->failed_tries += 1;
  KnownPlan* plan = Enter(plans, fingerprint, origin, limits);
  DecayPlan(plan, limits);
  double log_ms = LogMs(std::isfinite(total_ms) ? total_ms : 1e12);
  // A time of complete runs is the better figure.
  if (plan->weight < kLeastWeight) {
    double before = plan->given_up;
    plan->log_ms = static_cast<float>((plan->log_ms * before + log_ms) / (before + 1));
  }
  plan->given_up += 1;
}

void CountInterruption(KnownPlans* plans, const GuardLimits& limits) {
  double now = DecayedInterruptions(plans->interruptions, plans->interrupted_s, limits.now_s, limits.half_life_s);
  plans->interruptions = static_cast<float>(std::min(now + 1, 100.0));
  plans->interrupted_s = limits.now_s;
}

}  // namespace query_shaper
