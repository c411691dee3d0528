// The test of predictions against tracked runs: its quantiles, its false alarms, what it blames, what it adapts to.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <random>

#include "core/decide/discrepancy.h"
#include "core/decide/runaway_policy.h"
#include "track/track_plans.h"

namespace query_shaper {

namespace {

using track_test::AddNode;
using track_test::At;
using track_test::Guess;
using track_test::JoinPlan;
using track_test::ScanPlan;
using track_test::SetRelation;

struct Seen {
  Discrepancy last;
  double first_late = -1;     // share of the run at which it was late first, -1 never
  double first_gap = -1;      // the same of any gap
  double first_runaway = -1;  // the same of being a runaway
};

using Fill = std::function<void(NodeCounters*, double share)>;

// A run of total_ms under a tick of 10 ms, or fewer for long ones.
Seen Follow(const PlanTree& plan, const Estimate& estimate, const DiscrepancyContext& context, double total_ms,
            double until, const Fill& fill, const RunawayLimits& limits = {}) {
  auto progress = std::make_unique<Progress>();
  auto test = std::make_unique<DiscrepancyTest>();
  progress->Begin(plan, estimate, nullptr, nullptr);
  test->Begin(plan, estimate, progress->nodes(), context);
  Seen seen;
  RunawayWatch watch;
  double step_ms = std::max(10.0, total_ms / 400);
  for (double now_ms = step_ms; now_ms < until * total_ms; now_ms += step_ms) {
    NodeCounters counters[kMaxPlanNodes];
    double share = now_ms / total_ms;
    fill(counters, share);
    TimeLeft left = progress->Update(plan, counters, At(now_ms));
    Consumption consumption;
    consumption.elapsed_ms = consumption.cpu_ms = now_ms;
    seen.last = test->Update(plan, counters, progress->nodes(), left, consumption);
    if (seen.last.late && seen.first_late < 0) seen.first_late = share;
    if (seen.last.extent != GapExtent::kNone && seen.first_gap < 0) seen.first_gap = share;
    if (JudgeRunaway(seen.last, {estimate.targets[kTimeMs].value, 0, 5, false}, now_ms, limits, &watch) &&
        seen.first_runaway < 0)
      seen.first_runaway = share;
  }
  return seen;
}

void AsPlanned(NodeCounters* counters, double share) { track_test::JoinAt(counters, share); }

// A nested loop whose outer side was estimated at `planned` rows and has 1e5, each with one row of the inner side.
PlanTree LoopPlan(double planned) {
  PlanTree plan;
  AddNode(&plan, -1, ChildRole::kRoot, Operator::kAgg, 1).agg = AggStrategy::kPlain;
  AddNode(&plan, 0, ChildRole::kOuter, Operator::kNestLoop, planned).join = JoinKind::kInner;
  PlanNode& scan = AddNode(&plan, 1, ChildRole::kOuter, Operator::kSeqScan, planned);
  SetRelation(&scan, 1e6, 10000);
  scan.quals = 2;
  SetRelation(&AddNode(&plan, 1, ChildRole::kInner, Operator::kIndexScan, 1), 1e6, 10000);
  plan.nodes[0].total_cost = 20000 + 10 * planned;
  return plan;
}

void LoopAt(NodeCounters* counters, double share) {
  counters[0].rows = 0;
  counters[1].rows = 1e5 * share;
  counters[2].rows = 1e5 * share;
  counters[2].done_units = 10000 * share;
  counters[2].total_units = 10000;
  counters[3].rows = counters[3].loops = 1e5 * share;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(discrepancy)

BOOST_AUTO_TEST_CASE(thresholds_are_quantiles) {
  // Tables of Student's t with 30 degrees of freedom and of the normal distribution.
  BOOST_TEST(GapThreshold(0.05, 1, 0) == 2.0423, boost::test_tools::tolerance(1e-3));
  BOOST_TEST(GapThreshold(0.05, 10, 0) == 3.0298, boost::test_tools::tolerance(1e-3));
  BOOST_TEST(GapThreshold(0.05, 1, 1e9) == 1.95996, boost::test_tools::tolerance(1e-4));
  BOOST_TEST(GapThreshold(0.001, 1, 1e9) == 3.29053, boost::test_tools::tolerance(1e-4));
  BOOST_TEST(GapThreshold(0.005, 20, 0) > GapThreshold(0.005, 5, 0));
  BOOST_TEST(GapThreshold(0.005, 5, 10) < GapThreshold(0.005, 5, 0));
}

BOOST_AUTO_TEST_CASE(a_run_within_its_distribution_raises_no_alarm) {
  std::mt19937 random(11);
  std::normal_distribution<double> normal;
  int alarms = 0, runaways = 0;
  constexpr int kRuns = 1500;
  RunawayLimits limits;
  limits.factor = 3;
  limits.least_ms = 0;
  for (int run = 0; run < kRuns; ++run) {
    double log_sd = std::uniform_real_distribution<double>(0.2, 1)(random);
    double predicted_ms = std::exp(std::uniform_real_distribution<double>(4, 9)(random));
    double total_ms = predicted_ms * std::exp(log_sd * normal(random));
    Seen seen = Follow(JoinPlan(), Guess(predicted_ms, log_sd), {}, total_ms, 1, AsPlanned, limits);
    alarms += seen.first_late >= 0;
    runaways += seen.first_runaway >= 0;
  }
  BOOST_TEST(alarms <= kRuns * 0.005);
  BOOST_TEST(runaways <= kRuns * 0.005);
}

BOOST_AUTO_TEST_CASE(a_slow_whole_is_widespread) {
  Seen seen = Follow(JoinPlan(), Guess(100, 0.4), {}, 20000, 0.5, AsPlanned);
  BOOST_TEST((seen.last.extent == GapExtent::kWidespread));
  BOOST_TEST(seen.last.late);
  BOOST_TEST(seen.last.node == -1);
  BOOST_TEST(seen.last.origins == 0);
  BOOST_TEST(seen.first_late < 0.1);
}

BOOST_AUTO_TEST_CASE(a_filter_that_errs_is_the_local_origin) {
  Seen seen = Follow(LoopPlan(5), Guess(50, 0.5), {}, 20000, 0.3, LoopAt);
  BOOST_TEST((seen.last.extent == GapExtent::kLocal));
  // Not the join above it, nor the look-ups that it loops.
  BOOST_TEST(seen.last.node == 2);
  BOOST_TEST(seen.last.origins == 1);
  BOOST_TEST(seen.last.own_log_ratio > 5);
  BOOST_TEST(seen.first_gap < 0.05);
}

BOOST_AUTO_TEST_CASE(a_join_that_errs_is_the_local_origin) {
  PlanTree plan = JoinPlan();
  plan.nodes[1].rows = 10;
  Seen seen = Follow(plan, Guess(200, 0.5), {}, 5000, 0.9, AsPlanned);
  BOOST_TEST((seen.last.extent == GapExtent::kLocal));
  BOOST_TEST(seen.last.node == 1);
}

BOOST_AUTO_TEST_CASE(several_origins_are_widespread) {
  // Two scans, both far off, in a hash join.
  PlanTree plan = JoinPlan();
  plan.nodes[1].rows = 10;
  for (int scan : {2, 4}) {
    plan.nodes[scan].rows = 20;
    plan.nodes[scan].quals = 2;
  }
  plan.nodes[3].rows = 20;
  Seen seen = Follow(plan, Guess(100, 0.5), {}, 5000, 0.9, [](NodeCounters* counters, double share) {
    AsPlanned(counters, share);
    counters[2].rows = 100 * counters[2].done_units;
    counters[4].rows = share >= 0.5 ? 1e6 : 100 * counters[4].done_units;
  });
  BOOST_TEST((seen.last.extent == GapExtent::kWidespread));
  BOOST_TEST(seen.last.origins >= 2);
}

BOOST_AUTO_TEST_CASE(rows_as_planned_are_no_gap) {
  Seen seen = Follow(LoopPlan(1e5), Guess(5000, 0.5), {}, 5500, 1, LoopAt);
  BOOST_TEST(seen.first_gap < 0);
  Seen scan = Follow(ScanPlan(5e5), Guess(1000, 0.5), {}, 1100, 1,
                     [](NodeCounters* counters, double share) { track_test::ScanAt(counters, share, 0.5); });
  BOOST_TEST(scan.first_gap < 0);
}

BOOST_AUTO_TEST_CASE(the_threshold_follows_history_and_load) {
  // Three times the predicted time: alarming for a steady statement, not for one that strays or on a server under load.
  Estimate steady = Guess(1000, 0.2);
  DiscrepancyContext known;
  known.runs = 20;
  known.history_log_sd = 0.15;
  BOOST_TEST(Follow(JoinPlan(), steady, known, 3500, 0.95, AsPlanned).first_late >= 0);
  DiscrepancyContext straying = known;
  straying.history_log_sd = 0.8;
  BOOST_TEST(Follow(JoinPlan(), steady, straying, 3500, 0.95, AsPlanned).first_late < 0);
  DiscrepancyContext loaded = known;
  loaded.load = 8;
  BOOST_TEST(Follow(JoinPlan(), steady, loaded, 3500, 0.95, AsPlanned).first_late < 0);
}

BOOST_AUTO_TEST_CASE(other_quantities_are_held_against_their_predictions) {
  PlanTree plan = JoinPlan();
  Estimate estimate = Guess(1000, 0.5);
  estimate.targets[kBlocks] = {1000, 800, 1250};
  estimate.targets[kTempKb] = {0, 0, 0};
  estimate.targets[kMemoryKb] = {5000, 4000, 6250};
  auto progress = std::make_unique<Progress>();
  DiscrepancyTest test;
  progress->Begin(plan, estimate, nullptr, nullptr);
  test.Begin(plan, estimate, progress->nodes(), {});
  NodeCounters counters[kMaxPlanNodes];
  AsPlanned(counters, 0.5);
  TimeLeft left = progress->Update(plan, counters, At(500));
  Consumption consumption;
  consumption.elapsed_ms = consumption.cpu_ms = 500;
  consumption.blocks = 500;
  consumption.memory_kb = 4800;
  Discrepancy found = test.Update(plan, counters, progress->nodes(), left, consumption);
  for (const Gap& gap : found.whole) BOOST_TEST(std::fabs(gap.z) < found.other_threshold);
  BOOST_TEST((found.extent == GapExtent::kNone));
  consumption.memory_kb = 500000;
  found = test.Update(plan, counters, progress->nodes(), left, consumption);
  BOOST_TEST(found.whole[kGapMemory].z > found.other_threshold);
  BOOST_TEST((found.extent == GapExtent::kWidespread));
  BOOST_TEST(!found.late);
  consumption.memory_kb = 5000;
  consumption.blocks = 100000;
  found = test.Update(plan, counters, progress->nodes(), left, consumption);
  BOOST_TEST(found.whole[kGapBlocks].z > found.other_threshold);
  consumption.blocks = 500;
  consumption.cpu_ms = 60000;
  found = test.Update(plan, counters, progress->nodes(), left, consumption);
  BOOST_TEST(found.whole[kGapCpu].z > found.other_threshold);
}

BOOST_AUTO_TEST_CASE(nonsense_raises_no_alarm) {
  std::mt19937 random(12);
  const double odd[] = {NAN, INFINITY, -INFINITY, -1, 0, 1e300};
  auto pick = [&] { return odd[random() % 6]; };
  for (int run = 0; run < 500; ++run) {
    PlanTree plan = LoopPlan(pick());
    Estimate estimate = Guess(pick(), pick());
    for (Quantity& target : estimate.targets) target = {pick(), pick(), pick()};
    NodeProgress nodes[kMaxPlanNodes] = {};
    NodeCounters counters[kMaxPlanNodes];
    for (int i = 0; i < plan.count; ++i) {
      auto value = [&] { return static_cast<float>(pick()); };
      nodes[i] = {value(), value(), value(), value(), value()};
      counters[i].rows = pick();
      counters[i].held_rows = pick();
    }
    DiscrepancyContext context = {pick(), pick(), pick()};
    DiscrepancyTest test;
    test.Begin(plan, estimate, nodes, context);
    TimeLeft left = {pick(), pick(), pick(), pick(), pick(), false};
    Consumption consumption = {pick(), pick(), pick(), pick(), pick()};
    Discrepancy found = test.Update(plan, counters, nodes, left, consumption);
    for (const Gap& gap : found.whole) BOOST_TEST(std::isfinite(gap.z));
    BOOST_TEST(found.node < plan.count);
    RunawayWatch watch;
    JudgeRunaway(found, {pick(), pick(), pick(), run % 2 == 0}, pick(), {pick(), pick()}, &watch);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(runaway_policy)

// Statements whose statistics were stale: every kind of error, each many times beyond its prediction.
BOOST_AUTO_TEST_CASE(runaways_are_flagged_before_a_fifth_of_their_time) {
  std::mt19937 random(13);
  int flagged = 0, all = 0;
  for (int run = 0; run < 300; ++run) {
    double log_sd = std::uniform_real_distribution<double>(0.3, 1.2)(random);
    double predicted_ms = std::exp(std::uniform_real_distribution<double>(0, 6)(random));
    double fold = std::exp(std::uniform_real_distribution<double>(std::log(100), std::log(10000))(random));
    double total_ms = std::max(20000.0, predicted_ms * fold);
    bool loop = run % 2;
    Seen seen = Follow(loop ? LoopPlan(1 + run % 20) : JoinPlan(), Guess(predicted_ms, log_sd), {}, total_ms, 0.25,
                       loop ? LoopAt : AsPlanned);
    ++all;
    flagged += seen.first_runaway >= 0 && seen.first_runaway < 0.2;
  }
  BOOST_TEST(flagged >= 0.8 * all);
}

BOOST_AUTO_TEST_CASE(below_the_least_time_nothing_runs_away) {
  Seen seen = Follow(JoinPlan(), Guess(1, 0.3), {}, 9000, 1, AsPlanned);
  BOOST_TEST(seen.first_late >= 0);
  BOOST_TEST(seen.first_runaway < 0);
  RunawayLimits limits;
  limits.least_ms = 5000;
  BOOST_TEST(Follow(JoinPlan(), Guess(1, 0.3), {}, 9000, 1, AsPlanned, limits).first_runaway >= 0);
}

BOOST_AUTO_TEST_CASE(a_judgement_must_hold) {
  Discrepancy found;
  found.late = true;
  found.total_ms = 1e6;
  found.total_log_sd = 0.1;
  RunawayWatch watch;
  BOOST_TEST(!JudgeRunaway(found, {10, 0, 5, false}, 200, {}, &watch));
  BOOST_TEST(!JudgeRunaway(found, {10, 0, 5, false}, 250, {}, &watch));
  Discrepancy calm = found;
  calm.late = false;
  BOOST_TEST(!JudgeRunaway(calm, {10, 0, 5, false}, 255, {}, &watch));
  BOOST_TEST(!JudgeRunaway(found, {10, 0, 5, false}, 270, {}, &watch));
  BOOST_TEST(JudgeRunaway(found, {10, 0, 5, false}, 340, {}, &watch));
  BOOST_TEST(!JudgeRunaway(found, {10, 0, 5, true}, 345, {}, &watch));
  // Ten times the prediction is within the doubt.
  found.total_log_sd = 3;
  found.total_ms = 20000;
  BOOST_TEST(!JudgeRunaway(found, {100, 0, 5, false}, 350, {}, &watch));
}

BOOST_AUTO_TEST_CASE(what_never_ran_is_judged_by_the_upper_end_of_its_prediction) {
  Discrepancy found;
  found.late = true;
  found.total_ms = 2e7;  // extrapolated from a thousandth of it
  found.total_log_sd = 0.1;
  auto judge = [&](const RunawayPrediction& predicted, double running_ms) {
    RunawayWatch watch;
    JudgeRunaway(found, predicted, running_ms, {}, &watch);
    return JudgeRunaway(found, predicted, running_ms * 1.1, {}, &watch);
  };
  BOOST_TEST(judge({3000, 43000, 5, false}, 20000));
  BOOST_TEST(!judge({3000, 43000, 0, false}, 4000));
  // Time that is over needs no belief, whoever it is.
  BOOST_TEST(judge({3000, 43000, 0, false}, 431000));
  BOOST_TEST(judge({3000, 4000, 0, false}, 15000));
  // What another plan of the statement is known to take is usual.
  found.total_ms = 30000;
  BOOST_TEST(judge({1200, 5000, 1, false}, 7000));
  BOOST_TEST(!judge({1200, 5000, 1, false, 27000}, 29000));
}

BOOST_AUTO_TEST_CASE(who_stays_within_the_limit_behaves) {
  BOOST_TEST(Behaved(100, 9000, {10, 10000}));
  BOOST_TEST(Behaved(5000, 45000, {10, 10000}));
  BOOST_TEST(!Behaved(100, 11000, {10, 10000}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
