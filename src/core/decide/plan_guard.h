// Which plans of a statement are known, what they took, and how long an unknown one may be tried: learning must not
// make things worse on the way.
//
// A plan that was never run, made from learned rows, is on probation against the best plan known. With the known plan's
// time k and the regret limit r its allowance is  a = (1 + r) k + slack,  and  b = a - k  is the time of which it can
// still be given up so that the known plan, begun anew, ends within the allowance.
//   until b     it is given up as soon as its tracked end is confidently beyond a, with the doubt of a plan that nobody
//               has seen (ExtrapolatedLogSd)
//   at b        it goes on only when its tracked end is within a, with the same doubt: plans that are hardly better
//               than the known one are not worth the risk
//   after b     giving it up can only limit the damage: it goes on while what is left is less than the known plan would
//               take; past a, where the tracker has proven wrong, that bound falls to nothing at a + k / 2
// So a run takes at most a when the tracker is right, and a + 3 k / 2 whatever the tracker says (plus one tick and the
// swap itself). After f failed tries an unknown plan is tried again only when 2^f - 1 runs have been made: n runs of a
// statement lose at most (log2(n + 1) + 1) (r k + slack) in all.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

constexpr int kKnownPlans = 6;
constexpr int kPlanSteps = 32;

enum class PlanOrigin : uint8_t { kStock = 0, kLearned = 1, kReplanned = 2 };

struct KnownPlan {
  uint64_t fingerprint = 0;  // 0: free. Of the shape with relation and index names
  PlanOrigin origin = PlanOrigin::kStock;
  float log_ms = 0;      // decayed mean of log(time) of complete runs; of given up ones log of the tracked end
  float log_square = 0;  // decayed sum of squared deviations
  float weight = 0;      // decayed complete runs
  float given_up = 0;    // decayed number of times it was given up: by probation or by a re-plan
  double last_s = 0;
};

// One node of a plan that is to be made again: what it returns, how, and of what.
struct PlanStep {
  uint64_t key = 0;    // name of the set of relations, or of the groups, that it returns
  uint64_t input = 0;  // joins: name of the set of the outer side; scans: hash of the index's name, 0 none
  float rows = 0;      // as planned; -1: of one look-up, which says nothing of the whole set
  uint8_t op = 0;      // Operator; kOther: its rows alone are kept; kCustomScan: kept work, key may be 0
  uint8_t inner = 0;   // nested loops: Operator between the join and its inner side, kMemoize or kMaterial; else 0
};

struct KnownPlans {
  KnownPlan plans[kKnownPlans];
  // The best plan of learned rows: what it takes to make it again.
  PlanStep best_steps[kPlanSteps];
  int32_t best_step_count = 0;
  uint64_t best_fingerprint = 0;  // of the plan that they make
  float interruptions = 0;        // decayed number of interruptions of this statement: penalty
  double interrupted_s = 0;
  float failed_tries = 0;            // decayed number of unknown plans given up on probation
  float runs = 0;                    // decayed number of complete runs, of any plan
  double counted_s = 0;              // when both were counted last
  uint8_t runaway = 0;               // 1: a runaway was stopped; look-alikes are handled at once until lifted
  uint64_t runaway_fingerprint = 0;  // of its plan
  double runaway_ms = 0;             // its tracked time in all when it was stopped
};
static_assert(std::is_trivially_copyable_v<KnownPlans>);

struct GuardLimits {
  double regret_limit = 0.2;
  double now_s = 0;
  double half_life_s = 14 * 86400.0;
};

constexpr double kGuardSlackMs = 50;  // what a trial may cost beyond its share

enum class PlanVerdict : uint8_t {
  kTake = 0,    // run it
  kTry = 1,     // run it on probation
  kPrefer = 2,  // run the preferred plan instead
};

struct PlanChoice {
  PlanVerdict verdict = PlanVerdict::kTake;
  uint64_t preferred = 0;  // fingerprint of the best plan known, 0: none
  PlanOrigin preferred_origin = PlanOrigin::kStock;
  double known_ms = 0;  // of the best plan known
  double known_log_sd = 0;
};

// Which plan to run, given the one that planning has made. can_give_up: it could be swapped for another one while it
// runs. A statement of which nothing is known runs its stock plan first: there is nothing to hold another one against.
PlanChoice ChoosePlan(const KnownPlans& plans, uint64_t fingerprint, PlanOrigin origin, bool can_give_up,
                      const GuardLimits& limits);

// The plan to prefer: the least believed time of those that ran to their end, times the penalty of their interruptions.
// Null: none.
const KnownPlan* BestPlan(const KnownPlans& plans, const GuardLimits& limits);

struct Probation {
  double known_ms = 0;  // of the plan that would take over; 0: not on probation
  double regret_limit = 0.2;
  double slack_ms = kGuardSlackMs;
  double swap_ms = 2;   // what giving up takes
  double spent_ms = 0;  // of this run, before the plan began that is on trial
  bool last_chance_passed = false;
};

enum class ProbationVerdict : uint8_t { kGoOn = 0, kGiveUp = 1 };

// Time that the plan on trial may take.
double AllowanceMs(const Probation& probation);

// A known plan that is as fast as ever is left for an unknown one only on trial, and only while most of what a trial
// may cost has not been spent: what is then left is enough for a look.
bool TrialAffordable(const Probation& probation);

// At each tick; elapsed_ms and total_ms of this run of the plan, total_log_sd of the latter's logarithm. tick_ms: time
// until the next look. seen_share: of the plan's work that was seen to be done; a plan that waits for the first row of
// a function has shown nothing, however much time has passed. Pure arithmetic: fit for signal context.
ProbationVerdict JudgeProbation(Probation* probation, double elapsed_ms, double total_ms, double total_log_sd,
                                double tick_ms, double seen_share = 1);

// The end of a run. A run in which plans were swapped counts for the plan that finished, with the time that the work of
// others which it read had taken.
void LearnPlanTime(KnownPlans* plans, uint64_t fingerprint, PlanOrigin origin, double ms, const GuardLimits& limits);

// A plan was given up when its end was tracked at total_ms. on_probation: for the known plan, else by a re-plan.
void LearnPlanGivenUp(KnownPlans* plans, uint64_t fingerprint, PlanOrigin origin, double total_ms, bool on_probation,
                      const GuardLimits& limits);

// A run of the statement was interrupted (re-plan or probation): its penalty grows.
void CountInterruption(KnownPlans* plans, const GuardLimits& limits);

}  // namespace query_shaper
