// Whether a running plan is given up for another one: what is left of the old against the new and the interruption,
// with the uncertainty of both and a penalty that grows with every interruption of the statement.
//
// Both times are log-normal. With l = log(left of the old) and m = log(new + interruption + penalty), the new plan is
// the better one with probability  p = Phi((l - m) / sqrt(sd_l^2 + sd_m^2)).  It is taken when
//   p reaches a confidence that rises with every re-plan of this run,
//   the medians promise twice the gain that is noticed (noticed_ms), and
//   a loss that is noticed (more than a tenth of the time in all and noticed_ms) is unlikely: rows that came thick at
//   first and an end that was extrapolated from them look worst just before they turn out harmless.
// Once the running plan has taken as long as new + interruption + penalty, the confidence rises no more and the loss
// may be likelier: a change that proves wrong can lose about as much as has been spent already, the bargain of renting
// skis until the rent paid is the price of a pair (Karlin et al., Competitive snoopy caching, 1988). Not at any odds:
// of 41 plans given up in recorded runs the four with the likeliest loss (0.19 and more) were all the better ones.
//
// The penalty is a time: what is noticed, and what this run has spent on plans given up, times 1.5^n - 1 after n
// interruptions. Thrash cannot happen: each re-plan must promise to make up for a share of all that was lost to the
// ones before, a share that grows by half with each and is more than the whole from the second on. Nor is a plan kept
// whose end is minutes away because a statement of seconds was interrupted often: a factor would ask for ever more of
// the proportion, however large what is lost by staying.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

// A time in ms, log-normal around its median.
struct UncertainTime {
  double ms = 0;
  double log_sd = 0.5;
};

struct ReplanSituation {
  UncertainTime left;          // of the plan that runs, as tracked
  UncertainTime fresh;         // of the new plan from its beginning, less what kept work saves
  double interruption_ms = 0;  // ending the old nodes, planning (when it is not done yet), starting the new ones
  double elapsed_ms = 0;       // of the running plan so far
  int replans = 0;             // in this run so far
  double interruptions = 0;    // decayed, of this statement in earlier runs: see DecayedInterruptions()
  double wasted_ms = 0;        // of this run, on plans given up before the running one
  double noticed_ms = 100;     // differences below it are not noticed
  bool forced = false;         // the gap is certain (rows counted, not extrapolated): ask for less confidence
};

struct ReplanVerdict {
  bool replan = false;
  double probability = 0;  // that the new plan ends earlier, penalty included
  double confidence = 0;   // that was asked for
  double regret = 0;       // probability of a noticed loss
  double gain_ms = 0;      // expected, without penalty; negative: loss
  double penalty_ms = 0;   // that the new plan must make up for, too
};

// Finite whatever comes in; unknown (negative or NaN) times decline.
ReplanVerdict JudgeReplan(const ReplanSituation& situation);

// Factor >= 1: of the believed time of a plan that was given up so often, where plans are chosen; what it exceeds one
// by is the share of noticed and wasted time that is the penalty of a re-plan.
double InterruptionPenalty(double interruptions);

// Number of interruptions believed now, of `count` when they were last counted.
double DecayedInterruptions(double count, double counted_s, double now_s, double half_life_s);

// What was tracked of a running plan at one moment.
struct TimeSeen {
  double elapsed_ms = 0;  // 0: never
  double left_ms = 0;
};

// Time left, ms, as far as it may be believed: where it shrank by less than the time that passed, it lasts by as much
// longer, though no longer than the plan has run already (as good as nothing is known then, and that is the median of
// what is left of things of which nothing is known but their age).
double BelievedLeftMs(const TimeSeen& before, const TimeSeen& now);

// Whether the end of a long run moved away by at least the time that passed. Rows that come thick at first do that as
// well, but not for ten times noticed_ms.
bool EndRunsAway(const TimeSeen& before, const TimeSeen& now, double noticed_ms);

// Standard deviation of the log of what is left where the end runs away: it is not about to come near.
double RunawayLogSd(double log_sd);

// Doubt about the time per unit of cost between two plans of one statement: standard deviation of its log.
double CostLogSd(double fresh_cost, double running_cost);

// Time that a new plan will take by its cost: ms per cost unit of the plan that runs, as far as it has shown them.
// running_cost: of the running plan under the rows known now (its cost as planned when it was not costed anew).
// total_ms: its tracked time in all. A cost that is far from the running plan's is believed less.
UncertainTime TimeOfCost(double fresh_cost, double running_cost, const UncertainTime& total);

}  // namespace query_shaper
