// The regret bound of the plan guard, proven on random statements: with a tracker that is right, with one that lies,
// and over many runs.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "core/decide/plan_guard.h"

namespace query_shaper {

namespace {

constexpr double kTickMs = 10;

GuardLimits At(double now_s, double regret_limit = 0.3) {
  GuardLimits limits;
  limits.regret_limit = regret_limit;
  limits.now_s = now_s;
  return limits;
}

// What the tracker believes of the whole time at a moment, and its log standard deviation.
struct Belief {
  double total_ms;
  double log_sd;
};
using Tracker = std::function<Belief(double elapsed_ms)>;

struct Trial {
  double took_ms;
  bool given_up;
};

// A plan that would take plan_ms, run on probation; when it is given up the known plan runs from its beginning.
Trial RunOnProbation(Probation probation, double plan_ms, const Tracker& tracker) {
  for (double elapsed_ms = kTickMs; elapsed_ms < plan_ms; elapsed_ms += kTickMs) {
    Belief belief = tracker(elapsed_ms);
    if (JudgeProbation(&probation, elapsed_ms, belief.total_ms, belief.log_sd, kTickMs) == ProbationVerdict::kGiveUp)
      return {elapsed_ms + probation.swap_ms + probation.known_ms, true};
  }
  return {plan_ms, false};
}

double LogUniform(std::mt19937* random, double low, double high) {
  return std::exp(std::uniform_real_distribution<double>(std::log(low), std::log(high))(*random));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(plan_guard)

BOOST_AUTO_TEST_CASE(regret_is_bounded_when_the_tracker_is_right) {
  std::mt19937 random(1);
  int tried = 0, given_up = 0, gained = 0;
  for (int run = 0; run < 20000; ++run) {
    Probation probation;
    probation.regret_limit = std::uniform_real_distribution<double>(0, 2)(random);
    probation.known_ms = LogUniform(&random, 1, 1e5);
    double plan_ms = probation.known_ms * LogUniform(&random, 0.01, 100);
    double log_sd = std::uniform_real_distribution<double>(0, 0.05)(random);
    Trial trial = RunOnProbation(probation, plan_ms, [&](double) { return Belief{plan_ms, log_sd}; });
    double bound = AllowanceMs(probation) * std::exp(3 * log_sd) + kTickMs;
    BOOST_REQUIRE_LE(trial.took_ms, bound);
    ++tried;
    given_up += trial.given_up;
    gained += trial.took_ms < probation.known_ms;
    // A clearly better plan is never given up: that is what trying is for.
    bool clearly = plan_ms < 0.6 * probation.known_ms && probation.regret_limit >= 0.2;
    if (clearly) BOOST_REQUIRE(!trial.given_up);
  }
  BOOST_TEST(given_up > tried / 5);
  BOOST_TEST(gained > tried / 5);
}

BOOST_AUTO_TEST_CASE(regret_is_bounded_whatever_the_tracker_says) {
  std::mt19937 random(2);
  double worst = 0;
  for (int run = 0; run < 20000; ++run) {
    Probation probation;
    probation.regret_limit = std::uniform_real_distribution<double>(0, 2)(random);
    probation.known_ms = LogUniform(&random, 1, 1e5);
    double plan_ms = run % 2 ? 1e9 : probation.known_ms * LogUniform(&random, 0.01, 100);
    int lie = run % 5;
    Trial trial = RunOnProbation(probation, plan_ms, [&](double elapsed_ms) -> Belief {
      switch (lie) {
        case 0:
          return {elapsed_ms, 0};  // always about to end
        case 1:
          return {elapsed_ms + LogUniform(&random, 0.1, 1e6), LogUniform(&random, 0.01, 3)};
        case 2:
          return {std::nan(""), std::nan("")};
        case 3:
          return {elapsed_ms * 1.001 + 1, 3};
        default:
          return {probation.known_ms, 0.01};  // that it takes what the known plan takes
      }
    });
    double bound = AllowanceMs(probation) + 1.5 * probation.known_ms + probation.swap_ms + kTickMs;
    BOOST_REQUIRE_LE(trial.took_ms, bound);
    worst = std::max(worst, trial.took_ms / bound);
  }
  // The bound is tight: a liar reaches it.
  BOOST_TEST(worst > 0.95);
}

// The known plan runs first and is left for another one: what it has run is part of what the trial may cost.
BOOST_AUTO_TEST_CASE(a_trial_in_the_middle_of_a_run_keeps_the_bound) {
  std::mt19937 random(9);
  int tried = 0, given_up = 0, gained = 0;
  for (int run = 0; run < 20000; ++run) {
    Probation probation;
    probation.regret_limit = std::uniform_real_distribution<double>(0, 1)(random);
    probation.known_ms = LogUniform(&random, 1, 1e5);
    double whole = AllowanceMs(probation);
    probation.spent_ms = probation.known_ms * LogUniform(&random, 1e-3, 1);
    if (!TrialAffordable(probation)) continue;
    BOOST_REQUIRE_LT(probation.spent_ms + probation.known_ms, whole);
    double plan_ms = probation.known_ms * LogUniform(&random, 0.01, 100);
    Trial trial = RunOnProbation(probation, plan_ms, [&](double) { return Belief{plan_ms, 0.01}; });
    BOOST_REQUIRE_LE(probation.spent_ms + trial.took_ms, whole * std::exp(0.03) + kTickMs + probation.swap_ms);
    ++tried;
    given_up += trial.given_up;
    gained += probation.spent_ms + trial.took_ms < probation.known_ms;
  }
  BOOST_TEST(tried > 5000);
  BOOST_TEST(given_up > tried / 5);
  BOOST_TEST(gained > tried / 5);
  Probation unknown;
  BOOST_TEST(!TrialAffordable(unknown));
}

BOOST_AUTO_TEST_CASE(a_tracker_that_converges_costs_little) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  int beyond = 0;
  constexpr int kRuns = 20000;
  for (int run = 0; run < kRuns; ++run) {
    Probation probation;
    probation.known_ms = LogUniform(&random, 10, 1e5);
    double plan_ms = probation.known_ms * LogUniform(&random, 0.01, 100);
    double bias = normal(random);
    // One persistent error that shrinks with the share that is over, as a refined cardinality does.
    Trial trial = RunOnProbation(probation, plan_ms, [&](double elapsed_ms) {
      double log_sd = 0.7 * (1 - elapsed_ms / plan_ms);
      return Belief{plan_ms * std::exp(bias * log_sd), log_sd};
    });
    if (trial.took_ms > AllowanceMs(probation) + kTickMs) ++beyond;
  }
  BOOST_TEST(beyond < kRuns / 50);
}

// A first run of a plan is tracked from the planner's figures, sure of itself and wrong, until its own rows show.
BOOST_AUTO_TEST_CASE(a_clearly_better_plan_survives_a_bad_start_of_its_tracker) {
  std::mt19937 random(7);
  for (int run = 0; run < 2000; ++run) {
    Probation probation;
    probation.known_ms = LogUniform(&random, 1000, 1e5);
    double plan_ms = probation.known_ms * LogUniform(&random, 0.3, 0.6);
    double worst = LogUniform(&random, 1, 10);
    Trial trial = RunOnProbation(probation, plan_ms, [&](double elapsed_ms) {
      bool early = elapsed_ms < 0.02 * probation.known_ms;
      return Belief{early ? plan_ms * worst : plan_ms, 0.1};
    });
    BOOST_REQUIRE(!trial.given_up);
  }
  // A hopeless one is still given up long before the last chance.
  Probation probation;
  probation.known_ms = 10000;
  Trial hopeless = RunOnProbation(probation, 1e6, [](double) { return Belief{1e6, 0.1}; });
  BOOST_TEST(hopeless.given_up);
  BOOST_TEST(hopeless.took_ms < 1.05 * probation.known_ms);
}

// It waits for the first row of a function: what its end was thought to be before it began is no reason to go on.
BOOST_AUTO_TEST_CASE(at_the_last_chance_time_that_showed_nothing_does_not_count) {
  for (double share : {0.0, 0.3, 1.0}) {
    Probation probation;
    probation.regret_limit = 0.1;
    probation.known_ms = 313;
    bool given_up = false;
    for (double elapsed_ms = kTickMs; elapsed_ms < 150 && !given_up; elapsed_ms += kTickMs)
      given_up = JudgeProbation(&probation, elapsed_ms, 190, 0.1, kTickMs, share) == ProbationVerdict::kGiveUp;
    BOOST_TEST(given_up == (share == 0));
  }
  Probation probation;
  probation.known_ms = 313;
  BOOST_TEST((JudgeProbation(&probation, 10, 230, 0.1, kTickMs, NAN) == ProbationVerdict::kGoOn));
}

// What has been spent is gone: only what is left counts against the known plan.
BOOST_AUTO_TEST_CASE(a_late_disappointment_is_not_made_worse) {
  std::mt19937 random(8);
  int late = 0;
  for (int run = 0; run < 2000; ++run) {
    Probation probation;
    probation.known_ms = LogUniform(&random, 1000, 1e5);
    double allowance = AllowanceMs(probation);
    double plan_ms = probation.known_ms * std::uniform_real_distribution<double>(0.5, 1.65)(random);
    double known_at_ms = probation.known_ms * std::uniform_real_distribution<double>(0.3, 1)(random);
    Trial trial = RunOnProbation(probation, plan_ms, [&](double elapsed_ms) {
      return Belief{elapsed_ms < known_at_ms ? 0.6 * probation.known_ms : plan_ms, 0.05};
    });
    if (plan_ms - known_at_ms < probation.known_ms && known_at_ms < allowance) BOOST_REQUIRE(!trial.given_up);
    late += plan_ms > allowance && !trial.given_up;
  }
  BOOST_TEST(late > 200);
}

BOOST_AUTO_TEST_CASE(many_runs_with_ever_new_bad_plans_lose_little_in_all) {
  std::mt19937 random(4);
  for (int statement = 0; statement < 200; ++statement) {
    KnownPlans plans;
    GuardLimits limits = At(1e9, std::uniform_real_distribution<double>(0.05, 1)(random));
    double known_ms = LogUniform(&random, 10, 1e5);
    LearnPlanTime(&plans, 1, PlanOrigin::kStock, known_ms, limits);
    double regret_ms = 0, slack_ms = 0;
    int runs = std::uniform_int_distribution<int>(1, 1000)(random);
    for (int run = 1; run <= runs; ++run) {
      limits.now_s += 1;
      uint64_t made = 1000 + static_cast<uint64_t>(run);
      PlanChoice choice = ChoosePlan(plans, made, PlanOrigin::kLearned, true, limits);
      double took_ms = known_ms;
      if (choice.verdict == PlanVerdict::kTry) {
        BOOST_REQUIRE(choice.preferred == 1);
        Probation probation;
        probation.known_ms = choice.known_ms;
        probation.regret_limit = limits.regret_limit;
        double plan_ms = known_ms * LogUniform(&random, 1.5 + limits.regret_limit, 100);
        Trial trial = RunOnProbation(probation, plan_ms, [&](double) { return Belief{plan_ms, 0.01}; });
        took_ms = trial.took_ms;
        slack_ms = probation.slack_ms + probation.swap_ms + kTickMs;
        if (trial.given_up) LearnPlanGivenUp(&plans, made, PlanOrigin::kLearned, plan_ms, true, limits);
      } else {
        BOOST_REQUIRE(choice.verdict == PlanVerdict::kPrefer);
      }
      regret_ms += took_ms - known_ms;
      LearnPlanTime(&plans, 1, PlanOrigin::kStock, known_ms, limits);
    }
    // Known times are floats of a logarithm: a hair of tolerance.
    double bound = (std::log2(runs + 2) + 1) * (limits.regret_limit * known_ms + slack_ms) * 1.01;
    BOOST_REQUIRE_LE(regret_ms, bound);
  }
}

BOOST_AUTO_TEST_CASE(a_better_plan_is_found_and_kept) {
  std::mt19937 random(5);
  KnownPlans plans;
  GuardLimits limits = At(1e9);
  LearnPlanTime(&plans, 1, PlanOrigin::kStock, 10000, limits);
  double total_ms = 0;
  for (int run = 0; run < 10; ++run) {
    limits.now_s += 60;
    PlanChoice choice = ChoosePlan(plans, 2, PlanOrigin::kLearned, true, limits);
    BOOST_TEST((choice.verdict == (run == 0 ? PlanVerdict::kTry : PlanVerdict::kTake)));
    LearnPlanTime(&plans, 2, PlanOrigin::kLearned, 400, limits);
    total_ms += 400;
  }
  BOOST_TEST(BestPlan(plans, limits)->fingerprint == 2);
  // Its stock plan is passed over from now on.
  PlanChoice stock = ChoosePlan(plans, 1, PlanOrigin::kStock, true, limits);
  BOOST_TEST((stock.verdict == PlanVerdict::kPrefer));
  BOOST_TEST(stock.preferred == 2);
  BOOST_TEST(std::fabs(stock.known_ms - 400) < 1);
}

BOOST_AUTO_TEST_CASE(what_is_known_decides) {
  GuardLimits limits = At(1e9);
  KnownPlans plans;
  // Nothing known: the stock plan first.
  BOOST_TEST((ChoosePlan(plans, 7, PlanOrigin::kStock, true, limits).verdict == PlanVerdict::kTake));
  BOOST_TEST((ChoosePlan(plans, 7, PlanOrigin::kLearned, true, limits).verdict == PlanVerdict::kPrefer));
  LearnPlanTime(&plans, 1, PlanOrigin::kStock, 1000, limits);
  // The server's own new plan is its own affair; a learned one is tried, if it can be given up.
  BOOST_TEST((ChoosePlan(plans, 7, PlanOrigin::kStock, true, limits).verdict == PlanVerdict::kTake));
  BOOST_TEST((ChoosePlan(plans, 7, PlanOrigin::kLearned, true, limits).verdict == PlanVerdict::kTry));
  BOOST_TEST((ChoosePlan(plans, 7, PlanOrigin::kLearned, false, limits).verdict == PlanVerdict::kPrefer));
  // Given up: not again, and the next unknown one only after more runs.
  LearnPlanGivenUp(&plans, 7, PlanOrigin::kLearned, 30000, true, limits);
  BOOST_TEST((ChoosePlan(plans, 7, PlanOrigin::kLearned, true, limits).verdict == PlanVerdict::kPrefer));
  BOOST_TEST((ChoosePlan(plans, 8, PlanOrigin::kLearned, true, limits).verdict == PlanVerdict::kTry));
  LearnPlanGivenUp(&plans, 8, PlanOrigin::kLearned, 30000, true, limits);
  BOOST_TEST((ChoosePlan(plans, 9, PlanOrigin::kLearned, true, limits).verdict == PlanVerdict::kPrefer));
  for (int i = 0; i < 2; ++i) LearnPlanTime(&plans, 1, PlanOrigin::kStock, 1000, limits);
  BOOST_TEST((ChoosePlan(plans, 9, PlanOrigin::kLearned, true, limits).verdict == PlanVerdict::kTry));
  // A known plan that is a little slower is taken: the difference is noise.
  LearnPlanTime(&plans, 9, PlanOrigin::kLearned, 1050, limits);
  BOOST_TEST((ChoosePlan(plans, 9, PlanOrigin::kLearned, true, limits).verdict == PlanVerdict::kTake));
}

BOOST_AUTO_TEST_CASE(plans_that_get_interrupted_are_discouraged) {
  GuardLimits limits = At(1e9);
  KnownPlans plans;
  LearnPlanTime(&plans, 1, PlanOrigin::kStock, 1000, limits);
  LearnPlanTime(&plans, 2, PlanOrigin::kLearned, 900, limits);
  BOOST_TEST(BestPlan(plans, limits)->fingerprint == 2);
  LearnPlanGivenUp(&plans, 2, PlanOrigin::kLearned, 5000, false, limits);
  BOOST_TEST(BestPlan(plans, limits)->fingerprint == 1);
  limits.now_s += 20 * limits.half_life_s;
  BOOST_TEST(BestPlan(plans, limits) == nullptr);
}

BOOST_AUTO_TEST_CASE(the_table_keeps_the_best_and_stays_finite) {
  std::mt19937 random(6);
  KnownPlans plans;
  GuardLimits limits = At(1e9);
  LearnPlanTime(&plans, 1, PlanOrigin::kStock, 1, limits);
  const double times[] = {0, -1, std::nan(""), INFINITY, 1e300, 1e-300, 5};
  for (int i = 0; i < 5000; ++i) {
    limits.now_s += LogUniform(&random, 1, 1000);
    uint64_t fingerprint = 2 + random() % 40;
    double ms = times[random() % 7];
    if (random() % 2) {
      LearnPlanTime(&plans, fingerprint, PlanOrigin::kLearned, ms <= 1 ? 100 : ms, limits);
    } else {
      LearnPlanGivenUp(&plans, fingerprint, PlanOrigin::kReplanned, ms, random() % 2 == 0, limits);
    }
    CountInterruption(&plans, limits);
    BOOST_REQUIRE(BestPlan(plans, limits) != nullptr);
    BOOST_REQUIRE(BestPlan(plans, limits)->fingerprint == 1);
    for (const KnownPlan& plan : plans.plans) {
      BOOST_REQUIRE(std::isfinite(plan.log_ms));
      BOOST_REQUIRE(std::isfinite(plan.log_square));
      BOOST_REQUIRE(plan.log_square >= -1e-3F);
      BOOST_REQUIRE(std::isfinite(plan.weight));
      BOOST_REQUIRE(std::isfinite(plan.given_up));
    }
    BOOST_REQUIRE(std::isfinite(plans.failed_tries));
    BOOST_REQUIRE(plans.interruptions <= 100);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
