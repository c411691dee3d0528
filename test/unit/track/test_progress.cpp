#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <memory>

#include "track/track_plans.h"

namespace query_shaper {

using namespace track_test;

BOOST_AUTO_TEST_SUITE(progress)

BOOST_AUTO_TEST_CASE(steady_scan_converges_from_a_wrong_prediction) {
  PlanTree plan = ScanPlan(1e6);
  for (double guess : {200.0, 20000.0}) {
    auto progress = std::make_unique<Progress>();
    progress->Begin(plan, Guess(guess, 1), nullptr, nullptr);
    NodeCounters counters[kMaxPlanNodes];
    TimeLeft left;
    for (double t = 10; t <= 1000; t += 10) {
      ScanAt(counters, t / 2000, 1);
      left = progress->Update(plan, counters, At(t));
    }
    BOOST_TEST(left.eta_ms > 800);
    BOOST_TEST(left.eta_ms < 1400);
    BOOST_TEST(left.low_ms <= left.eta_ms);
    BOOST_TEST(left.high_ms >= left.eta_ms);
    BOOST_TEST(left.progress > 0.4);
    BOOST_TEST(left.progress < 0.6);
  }
}

BOOST_AUTO_TEST_CASE(rows_are_refined_from_the_fraction_read) {
  PlanTree plan = ScanPlan(10);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  ScanAt(counters, 0.5, 0.4);
  progress->Update(plan, counters, At(500));
  BOOST_TEST(progress->nodes()[1].refined_rows > 350000);
  BOOST_TEST(progress->nodes()[1].refined_rows < 420000);
  BOOST_TEST(progress->work_ratio() > 1);
}

BOOST_AUTO_TEST_CASE(build_comes_before_probe) {
  PlanTree plan = JoinPlan();
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(2000, 0.3), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  TimeLeft left;
  double before = 0;
  for (double t = 10; t <= 1990; t += 10) {
    JoinAt(counters, t / 2000);
    left = progress->Update(plan, counters, At(t));
    BOOST_TEST(std::isfinite(left.eta_ms));
    if (t == 1000) {
      BOOST_TEST(progress->nodes()[3].progress == 1);
      BOOST_TEST(progress->nodes()[4].progress == 1);
      BOOST_TEST(progress->nodes()[2].progress == 0);
      before = left.eta_ms;
    }
  }
  BOOST_TEST(before > 600);
  BOOST_TEST(before < 1600);
  BOOST_TEST(left.eta_ms < 100);
}

BOOST_AUTO_TEST_CASE(work_done_is_told_by_subtree) {
  PlanTree plan = JoinPlan();
  auto progress = std::make_unique<Progress>();
  bool built[kMaxPlanNodes] = {}, all[kMaxPlanNodes] = {}, none[kMaxPlanNodes] = {};
  built[3] = all[0] = true;
  BOOST_TEST(progress->ShareOfWorkDone(plan, built) == 1);  // nothing known yet
  progress->Begin(plan, Guess(2000, 0.3), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  for (double t = 10; t <= 1990; t += 10) {
    JoinAt(counters, t / 2000);
    progress->Update(plan, counters, At(t));
    BOOST_TEST(progress->ShareOfWorkDone(plan, all) == 1);
    BOOST_TEST(progress->ShareOfWorkDone(plan, none) == 0);
    if (t == 1000) BOOST_TEST(progress->ShareOfWorkDone(plan, built) > 0.9);
  }
  BOOST_TEST(progress->ShareOfWorkDone(plan, built) > 0.1);
  BOOST_TEST(progress->ShareOfWorkDone(plan, built) < 0.8);
}

// A function is planned at next to nothing. It takes 150 ms here, what reads its three rows another 250.
BOOST_AUTO_TEST_CASE(a_slow_function_does_not_slow_the_rest) {
  PlanTree plan;
  AddNode(&plan, -1, ChildRole::kRoot, Operator::kAgg, 1).agg = AggStrategy::kPlain;
  AddNode(&plan, 0, ChildRole::kOuter, Operator::kHashJoin, 1e5).join = JoinKind::kInner;
  SetRelation(&AddNode(&plan, 1, ChildRole::kOuter, Operator::kSeqScan, 1e6), 1e6, 10000);
  AddNode(&plan, 1, ChildRole::kInner, Operator::kHash, 3);
  AddNode(&plan, 3, ChildRole::kOuter, Operator::kFunctionScan, 3);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(300, 0.5), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  for (double t = 10; t < 150; t += 10) BOOST_TEST(progress->Update(plan, counters, At(t)).eta_ms < 1000);
  counters[4].rows = 3;
  counters[4].ended = true;
  counters[1].held_rows = 3;
  counters[1].filled = true;
  counters[1].batches = 1;
  counters[2].total_units = 10000;
  for (double t = 150; t <= 390; t += 10) {
    counters[2].done_units = 10000 * (t - 149) / 250;
    counters[1].rows = 1e5 * (t - 149) / 250;
    TimeLeft left = progress->Update(plan, counters, At(t));
    BOOST_TEST(left.eta_ms < 2 * (400 - t) + 50);
    if (t > 180) BOOST_TEST(left.eta_ms > 0.5 * (400 - t) - 20);
  }
}

BOOST_AUTO_TEST_CASE(lock_makes_time_left_grow_and_release_ends_it) {
  PlanTree plan = ScanPlan(1e6);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(2000, 0.3), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  TimeLeft left;
  for (double t = 10; t <= 1000; t += 10) {
    ScanAt(counters, t / 2000, 1);
    left = progress->Update(plan, counters, At(t));
  }
  double running = left.eta_ms, last = 0;
  for (double t = 1010; t <= 4000; t += 10) {
    Tick tick = At(t, Wait::kLock);
    tick.cpu_ms = 1000 + 0.3 * (t - 1000);  // of the ticks, on a machine that others keep busy
    left = progress->Update(plan, counters, tick);
    if (t >= 1200) {
      BOOST_TEST(left.stalled);
      BOOST_TEST(left.eta_ms > last);
      BOOST_TEST(left.high_ms > left.eta_ms);
    }
    last = left.eta_ms;
  }
  BOOST_TEST(last > running + 2500);
  for (double t = 4010; t <= 4500; t += 10) {
    ScanAt(counters, (t - 3000) / 2000, 1);
    left = progress->Update(plan, counters, At(t));
  }
  BOOST_TEST(!left.stalled);
  BOOST_TEST(left.eta_ms < 900);
}

BOOST_AUTO_TEST_CASE(silent_sort_goes_on_by_time) {
  PlanTree plan;
  AddNode(&plan, -1, ChildRole::kRoot, Operator::kSort, 1e6).keys = 1;
  PlanNode& scan = AddNode(&plan, 0, ChildRole::kOuter, Operator::kSeqScan, 1e6);
  SetRelation(&scan, 1e6, 10000);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 0.5), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  counters[1].total_units = 10000;
  TimeLeft left;
  for (double t = 10; t <= 200; t += 10) {
    counters[1].done_units = std::min(10000.0, 50 * t);
    left = progress->Update(plan, counters, At(t));
  }
  counters[1].done_units = 0;
  for (double t = 210; t <= 400; t += 10) {
    left = progress->Update(plan, counters, At(t));
    BOOST_TEST(!left.stalled);
    BOOST_TEST(left.progress < 1);
    BOOST_TEST(left.eta_ms > 0);
  }
}

BOOST_AUTO_TEST_CASE(waiting_for_its_own_temporary_files_is_no_stall) {
  PlanTree plan = ScanPlan(1e6);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(2000, 0.3), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  ScanAt(counters, 0.3, 1);
  for (double t = 10; t <= 1000; t += 10) {
    Tick tick = At(t, Wait::kIo);
    tick.temp_blocks = t / 5;
    BOOST_TEST(!progress->Update(plan, counters, tick).stalled);
  }
  TimeLeft left;
  for (double t = 1010; t <= 1400; t += 10) {
    Tick tick = At(t, Wait::kIo);
    tick.temp_blocks = 200;
    left = progress->Update(plan, counters, tick);
  }
  BOOST_TEST(left.stalled);
}

BOOST_AUTO_TEST_CASE(limit_cuts_what_is_below) {
  PlanTree plan;
  AddNode(&plan, -1, ChildRole::kRoot, Operator::kLimit, 1000).limit_rows = 1000;
  PlanNode& scan = AddNode(&plan, 0, ChildRole::kOuter, Operator::kSeqScan, 1e6);
  SetRelation(&scan, 1e6, 10000);
  scan.quals = 1;
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(100, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  counters[0].rows = counters[1].rows = 500;
  counters[1].done_units = 50;
  counters[1].total_units = 10000;
  progress->Update(plan, counters, At(50));
  BOOST_TEST(progress->nodes()[1].refined_rows <= 1100);
  BOOST_TEST(progress->nodes()[0].refined_rows == 1000);
}

BOOST_AUTO_TEST_CASE(second_run_knows_better) {
  PlanTree plan = JoinPlan();
  // The build is four times as slow as the probe: the nominal model cannot know.
  auto share_at = [](double t) { return t < 1600 ? 0.5 * t / 1600 : 0.5 + 0.5 * (t - 1600) / 400; };
  Pace pace;
  double errors[2] = {0, 0};
  for (int run = 0; run < 2; ++run) {
    auto progress = std::make_unique<Progress>();
    progress->Begin(plan, Guess(run == 0 ? 500 : 2000, run == 0 ? 1 : 0.1), run == 0 ? nullptr : &pace, nullptr);
    NodeCounters counters[kMaxPlanNodes];
    for (double t = 10; t < 2000; t += 10) {
      JoinAt(counters, share_at(t));
      TimeLeft left = progress->Update(plan, counters, At(t));
      errors[run] += std::fabs(left.eta_ms - (2000 - t)) / 2000 / 199;
    }
    JoinAt(counters, 1);
    for (int i = 0; i < plan.count; ++i) counters[i].ended = true;
    PaceSample sample;
    progress->Finish(plan, counters, 2000, &sample);
    BOOST_TEST(sample.pipelines == 2);
    BOOST_TEST(sample.pipeline_ms[1] > 1400);
    BOOST_TEST(sample.pipeline_ms[0] < 600);
    BOOST_TEST(sample.curve[0] < sample.curve[kCurvePoints - 1]);
    LearnPace(sample, 0.9, &pace);
  }
  BOOST_TEST(errors[1] < 0.05);
  BOOST_TEST(errors[1] < errors[0]);
}

// The planner multiplies a million rows by a thousand each where the keys allow one: what that predicts is no more
// than what such rows would cost.
BOOST_AUTO_TEST_CASE(prediction_of_rows_that_cannot_be_is_cut) {
  double shown[2];
  for (bool unique : {false, true}) {
    PlanTree plan = JoinPlan();
    plan.nodes[1].rows = 1e9;
    plan.nodes[1].inner_unique = unique;
    auto progress = std::make_unique<Progress>();
    progress->Begin(plan, Guess(100000, 0.5), nullptr, nullptr);
    NodeCounters counters[kMaxPlanNodes];
    shown[unique] = progress->Update(plan, counters, At(1)).eta_ms;
  }
  BOOST_TEST(shown[1] < 0.2 * shown[0]);
}

BOOST_AUTO_TEST_CASE(nonsense_in_finite_figures_out) {
  double nan = std::numeric_limits<double>::quiet_NaN(), huge = 1e300;
  PlanTree plan = JoinPlan();
  plan.nodes[1].rows = nan;
  plan.nodes[4].rows = huge;
  auto progress = std::make_unique<Progress>();
  Estimate estimate = Guess(nan, nan);
  progress->Begin(plan, estimate, nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  for (int i = 0; i < plan.count; ++i) counters[i].rows = i % 2 ? huge : 0;
  counters[2].done_units = 20000;
  counters[2].total_units = 10000;
  for (double t : {0.0, 0.0, 5.0, 3.0, 1e9}) {
    TimeLeft left = progress->Update(plan, counters, At(t));
    BOOST_TEST(std::isfinite(left.eta_ms));
    BOOST_TEST(std::isfinite(left.high_ms));
    BOOST_TEST(left.eta_ms >= 0);
    BOOST_TEST(left.low_ms <= left.high_ms);
    BOOST_TEST(left.progress >= 0);
    BOOST_TEST(left.progress <= 1);
  }
  PlanTree empty;
  progress->Begin(empty, Guess(10, 1), nullptr, nullptr);
  BOOST_TEST(std::isfinite(progress->Update(empty, counters, At(10)).eta_ms));
}

BOOST_AUTO_TEST_CASE(trace_stays_spread_over_a_long_run) {
  PlanTree plan = ScanPlan(1e6);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  for (double t = 10; t <= 60000; t += 10) {
    ScanAt(counters, t / 60000, 1);
    progress->Update(plan, counters, At(t));
  }
  BOOST_TEST(progress->trace_count() >= Progress::kTracePoints / 2 - 1);
  BOOST_TEST(progress->trace_count() <= Progress::kTracePoints);
  double widest = 0;
  for (int i = 1; i < progress->trace_count(); ++i) {
    double gap = progress->trace()[i].elapsed_ms - progress->trace()[i - 1].elapsed_ms;
    BOOST_TEST(gap > 0);
    widest = std::max(widest, gap);
  }
  BOOST_TEST(widest < 60000.0 / 25);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
