// Refined rows by shape of plan, and what a finished run teaches of them.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <memory>

#include "track/track_plans.h"

namespace query_shaper {

using namespace track_test;

namespace {

double Refined(const Progress& progress, int i) { return static_cast<double>(progress.nodes()[i].refined_rows); }

}  // namespace

BOOST_AUTO_TEST_SUITE(refine)

BOOST_AUTO_TEST_CASE(inner_rows_follow_the_outer_fraction) {
  PlanTree plan;
  AddNode(&plan, -1, ChildRole::kRoot, Operator::kNestLoop, 1000).join = JoinKind::kInner;
  SetRelation(&AddNode(&plan, 0, ChildRole::kOuter, Operator::kSeqScan, 1000), 1000, 100);
  SetRelation(&AddNode(&plan, 0, ChildRole::kInner, Operator::kIndexScan, 1), 1e6, 10000);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  counters[1].done_units = 50;
  counters[1].total_units = 100;
  counters[1].rows = 500;
  counters[0].rows = counters[2].rows = 50000;  // a hundred a loop instead of one
  progress->Update(plan, counters, At(500));
  BOOST_TEST(Refined(*progress, 2) > 80000);
  BOOST_TEST(Refined(*progress, 2) < 120000);
  BOOST_TEST(Refined(*progress, 0) > 80000);
}

BOOST_AUTO_TEST_CASE(loops_with_different_keys_fetch_no_row_twice) {
  for (bool unique : {false, true}) {
    PlanTree plan;
    PlanNode& join = AddNode(&plan, -1, ChildRole::kRoot, Operator::kNestLoop, 1000);
    join.join = JoinKind::kInner;
    join.outer_unique = unique;
    SetRelation(&AddNode(&plan, 0, ChildRole::kOuter, Operator::kSeqScan, 1000), 1000, 100);
    SetRelation(&AddNode(&plan, 0, ChildRole::kInner, Operator::kIndexScan, 1), 60000, 10000);
    auto progress = std::make_unique<Progress>();
    progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
    NodeCounters counters[kMaxPlanNodes];
    counters[1].done_units = 50;
    counters[1].total_units = 100;
    counters[1].rows = 500;
    counters[0].rows = counters[2].rows = 50000;
    progress->Update(plan, counters, At(500));
    BOOST_TEST((Refined(*progress, 2) <= 60000) == unique);
  }
}

BOOST_AUTO_TEST_CASE(rows_of_a_join_stay_within_what_its_keys_allow) {
  for (bool unique : {false, true}) {
    PlanTree plan = JoinPlan();
    plan.nodes[1].outer_unique = unique;
    auto progress = std::make_unique<Progress>();
    progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
    NodeCounters counters[kMaxPlanNodes];
    JoinAt(counters, 0.55);
    counters[1].rows = 9e5;  // nine tenths of the hash table met in the first tenth of the probe
    progress->Update(plan, counters, At(550));
    BOOST_TEST((Refined(*progress, 1) <= 1e6) == unique);
  }
}

BOOST_AUTO_TEST_CASE(what_a_sample_tells_is_believed_before_anything_was_counted) {
  PlanTree plan = JoinPlan();
  plan.nodes[1].rows = 1;
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  JoinAt(counters, 0.1);
  progress->Update(plan, counters, At(100));
  BOOST_TEST(Refined(*progress, 1) < 1000);
  double rows[kMaxPlanNodes], log_sd[kMaxPlanNodes] = {};
  std::fill(rows, rows + kMaxPlanNodes, -1.0);
  rows[1] = 5e7;
  log_sd[1] = 0.1;
  progress->Believe(plan, rows, log_sd);
  progress->Update(plan, counters, At(110));
  BOOST_TEST(Refined(*progress, 1) > 2e7);
  BOOST_TEST(Refined(*progress, 1) < 1e8);
  BOOST_TEST(Refined(*progress, 4) == 1e6, boost::test_tools::tolerance(0.1));
}

// A nested loop whose look-ups return seven rows where one was planned, told by a sample before it is counted.
BOOST_AUTO_TEST_CASE(rows_told_of_a_join_are_not_multiplied_by_those_of_its_inputs) {
  PlanTree plan;
  AddNode(&plan, -1, ChildRole::kRoot, Operator::kNestLoop, 1000).join = JoinKind::kInner;
  SetRelation(&AddNode(&plan, 0, ChildRole::kOuter, Operator::kSeqScan, 1000), 1000, 100);
  AddNode(&plan, 0, ChildRole::kInner, Operator::kMemoize, 1);
  SetRelation(&AddNode(&plan, 2, ChildRole::kOuter, Operator::kIndexScan, 1), 1e6, 10000);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  counters[1].total_units = 100;
  counters[1].done_units = 1;
  counters[1].rows = 10;
  counters[0].rows = counters[2].rows = counters[3].rows = 70;
  progress->Update(plan, counters, At(10));
  double rows[kMaxPlanNodes], log_sd[kMaxPlanNodes] = {};
  std::fill(rows, rows + kMaxPlanNodes, -1.0);
  rows[0] = 7000;
  log_sd[0] = 0.1;
  progress->Believe(plan, rows, log_sd);
  for (double share : {0.02, 0.1, 0.5}) {
    counters[1].done_units = 100 * share;
    counters[1].rows = 1000 * share;
    counters[0].rows = counters[2].rows = counters[3].rows = 7000 * share;
    progress->Update(plan, counters, At(1000 * share));
    BOOST_TEST(Refined(*progress, 0) == 7000, boost::test_tools::tolerance(0.1));
    BOOST_TEST(Refined(*progress, 2) == 7000, boost::test_tools::tolerance(0.3));
  }
}

BOOST_AUTO_TEST_CASE(a_material_read_once_is_no_finished_loop) {
  PlanTree plan;
  AddNode(&plan, -1, ChildRole::kRoot, Operator::kNestLoop, 1e5).join = JoinKind::kInner;
  SetRelation(&AddNode(&plan, 0, ChildRole::kOuter, Operator::kSeqScan, 1000), 1000, 100);
  AddNode(&plan, 0, ChildRole::kInner, Operator::kMaterial, 100);
  SetRelation(&AddNode(&plan, 2, ChildRole::kOuter, Operator::kSeqScan, 100), 100, 10);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  counters[1].done_units = 10;
  counters[1].total_units = 100;
  counters[1].rows = 100;
  counters[2].rows = 10000;
  counters[2].ended = counters[3].ended = true;
  counters[3].rows = 100;
  progress->Update(plan, counters, At(100));
  BOOST_TEST(progress->nodes()[3].progress == 1);
  BOOST_TEST(progress->nodes()[2].progress < 0.2);
  BOOST_TEST(Refined(*progress, 2) > 80000);
}

BOOST_AUTO_TEST_CASE(rewound_inner_side_does_not_end_a_merge_join) {
  PlanTree plan;
  AddNode(&plan, -1, ChildRole::kRoot, Operator::kMergeJoin, 1000).join = JoinKind::kInner;
  AddNode(&plan, 0, ChildRole::kOuter, Operator::kSort, 1000);
  SetRelation(&AddNode(&plan, 1, ChildRole::kOuter, Operator::kSeqScan, 1000), 1000, 100);
  AddNode(&plan, 0, ChildRole::kInner, Operator::kSort, 1000);
  SetRelation(&AddNode(&plan, 3, ChildRole::kOuter, Operator::kSeqScan, 1000), 1000, 100);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  for (int i : {2, 4}) {
    counters[i].rows = 1000;
    counters[i].ended = true;
  }
  counters[1].sorted = counters[3].sorted = true;
  counters[1].rows = 250;
  counters[3].rows = counters[0].rows = 50000;
  progress->Update(plan, counters, At(500));
  BOOST_TEST(Refined(*progress, 0) > 90000);
}

// A merge join of two index scans, the inner one below a Material that duplicate keys rewind.
static PlanTree RewoundPlan(double joined) {
  PlanTree plan;
  AddNode(&plan, -1, ChildRole::kRoot, Operator::kMergeJoin, joined).join = JoinKind::kInner;
  SetRelation(&AddNode(&plan, 0, ChildRole::kOuter, Operator::kIndexScan, 1000), 1000, 100);
  AddNode(&plan, 0, ChildRole::kInner, Operator::kMaterial, 10000);
  SetRelation(&AddNode(&plan, 2, ChildRole::kOuter, Operator::kIndexScan, 10000), 10000, 1000);
  return plan;
}

BOOST_AUTO_TEST_CASE(rows_that_a_merge_join_reads_again_are_not_more_rows) {
  PlanTree plan = RewoundPlan(1e5);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  for (double share : {0.02, 0.05, 0.2, 0.5, 0.8, 0.95}) {
    counters[1].rows = 1000 * share;
    counters[3].rows = 10000 * share;
    // Each inner row is read ten times.
    counters[0].rows = counters[2].rows = 1e5 * share;
    progress->Update(plan, counters, At(1000 * share));
    BOOST_TEST(Refined(*progress, 0) > 0.8e5);
    BOOST_TEST(Refined(*progress, 0) < 1.25e5);
  }
}

BOOST_AUTO_TEST_CASE(the_inner_side_of_a_merge_join_of_many_ends_with_the_outer_one) {
  PlanTree plan = RewoundPlan(1e5);
  plan.nodes[2].rows = plan.nodes[3].rows = plan.nodes[3].relation_rows = 1e5;
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  // Nine tenths of its keys are beyond the last one of the outer side.
  counters[1].rows = 900;
  counters[3].rows = 9000;
  counters[0].rows = counters[2].rows = 9e4;
  progress->Update(plan, counters, At(900));
  BOOST_TEST(Refined(*progress, 3) < 2e4);
}

BOOST_AUTO_TEST_CASE(inner_rows_without_partners_do_not_refute_a_merge_join_of_many) {
  for (double joined : {1e5, 1000.0}) {
    PlanTree plan = RewoundPlan(joined);
    auto progress = std::make_unique<Progress>();
    progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
    const double rows[] = {joined, 1000, -1, 10000}, log_sd[] = {0.1, 0.1, 0.1, 0.1};
    progress->Believe(plan, rows, log_sd);
    NodeCounters counters[kMaxPlanNodes];
    counters[1].rows = 1;
    counters[2].rows = counters[3].rows = 5000;
    counters[0].rows = 0;
    progress->Update(plan, counters, At(50));
    // Each outer row meets a hundred of those to come, or the inner side ends with half of the outer one unread.
    if (joined > 1000) BOOST_TEST(Refined(*progress, 0) > 0.9 * joined);
    BOOST_TEST(Refined(*progress, 0) <= 1.01 * joined);
  }
}

BOOST_AUTO_TEST_CASE(none_of_many_rows_that_are_known_says_little) {
  PlanTree plan = JoinPlan();
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  const double rows[] = {-1, 1e6, 1e6, 1e6, 1e6}, log_sd[] = {0.1, 0.1, 0.1, 0.1, 0.1};
  progress->Believe(plan, rows, log_sd);
  NodeCounters counters[kMaxPlanNodes];
  JoinAt(counters, 0.75);
  counters[1].rows = 0;
  progress->Update(plan, counters, At(750));
  BOOST_TEST(Refined(*progress, 1) > 5e5);
  // A hundred, however, refute them.
  counters[1].rows = 100;
  progress->Update(plan, counters, At(760));
  BOOST_TEST(Refined(*progress, 1) < 1e5);
}

BOOST_AUTO_TEST_CASE(groups_saturate) {
  PlanTree plan;
  PlanNode& agg = AddNode(&plan, -1, ChildRole::kRoot, Operator::kAgg, 1e6);
  agg.agg = AggStrategy::kHashed;
  agg.groups = 1e6;
  SetRelation(&AddNode(&plan, 0, ChildRole::kOuter, Operator::kSeqScan, 1e6), 1e6, 10000);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  counters[0].rows = 0;
  counters[0].held_rows = 100;
  counters[1].done_units = 5000;
  counters[1].total_units = 10000;
  progress->Update(plan, counters, At(500));
  BOOST_TEST(Refined(*progress, 0) >= 100);
  BOOST_TEST(Refined(*progress, 0) < 1000);
}

BOOST_AUTO_TEST_CASE(groups_that_having_keeps_are_extrapolated_from_the_table_walked) {
  PlanTree plan;
  SetRelation(&AddNode(&plan, -1, ChildRole::kRoot, Operator::kNestLoop, 1), 1e6, 10000);
  PlanNode& groups = AddNode(&plan, 0, ChildRole::kOuter, Operator::kAgg, 1);
  groups.agg = AggStrategy::kHashed;
  groups.quals = 1;
  SetRelation(&AddNode(&plan, 0, ChildRole::kInner, Operator::kSeqScan, 1000), 1000, 100);
  SetRelation(&AddNode(&plan, 1, ChildRole::kOuter, Operator::kSeqScan, 1e6), 1e6, 10000);
  for (double walked : {-1.0, 0.01, 0.5, 1.0}) {
    auto progress = std::make_unique<Progress>();
    progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
    NodeCounters counters[kMaxPlanNodes];
    counters[3].done_units = counters[3].total_units = 10000;
    counters[3].rows = 1e6;
    counters[3].ended = true;
    counters[1].held_rows = 20000;
    counters[1].filled = true;
    counters[1].walked = walked;
    counters[1].rows = walked < 0 ? 50 : 5000 * walked;
    progress->Update(plan, counters, At(500));
    double low = walked < 0 ? 49 : 4000, high = walked < 0 ? 60 : 5600;
    BOOST_TEST(Refined(*progress, 1) >= low);
    BOOST_TEST(Refined(*progress, 1) <= high);
  }
}

// 400,000 groups of a million rows, of which memory holds 100,000: the others lie in eight files.
BOOST_AUTO_TEST_CASE(groups_beyond_memory_are_extrapolated_from_when_it_was_full) {
  PlanTree plan;
  PlanNode& groups = AddNode(&plan, -1, ChildRole::kRoot, Operator::kAgg, 150000);
  groups.agg = AggStrategy::kHashed;
  groups.groups = 150000;
  groups.memory_limit_kb = 8192;
  SetRelation(&AddNode(&plan, 0, ChildRole::kOuter, Operator::kSeqScan, 1e6), 1e6, 10000);
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  counters[0].rows = 0;
  counters[0].batches = 1;
  counters[1].total_units = 10000;
  // 115,000 rows show 100,000 of 400,000 equal groups.
  counters[0].held_rows = 1e5;
  counters[0].spilled = true;
  for (double share : {0.115, 0.4, 0.8}) {
    counters[1].rows = 1e6 * share;
    counters[1].done_units = 10000 * share;
    progress->Update(plan, counters, At(1000 * share));
  }
  BOOST_TEST(Refined(*progress, 0) > 200000);
  BOOST_TEST(Refined(*progress, 0) < 400000);
  counters[1].rows = 1e6;
  counters[1].done_units = 10000;
  counters[1].ended = true;
  counters[0].filled = true;
  counters[0].batches = 9;
  counters[0].to_read = 8;
  counters[0].rows = 1e5;
  const double left = progress->Update(plan, counters, At(1100)).eta_ms;
  BOOST_TEST(left > 100);
  // They turn out to hold fewer.
  counters[0].to_read = 1;
  counters[0].rows = 1e5 + 7e4;
  counters[0].held_rows = 1e4;
  progress->Update(plan, counters, At(1300));
  BOOST_TEST(Refined(*progress, 0) > 170000);
  BOOST_TEST(Refined(*progress, 0) < 210000);
}

BOOST_AUTO_TEST_CASE(what_runs_teach_is_expected_of_the_next) {
  PlanTree plan = JoinPlan();
  Pace pace;
  for (int run = 0; run < 3; ++run) {
    auto progress = std::make_unique<Progress>();
    progress->Begin(plan, Guess(1000, 1), run == 0 ? nullptr : &pace, nullptr);
    if (run == 2) {
      NodeCounters none[kMaxPlanNodes];
      progress->Update(plan, none, At(1));
      BOOST_TEST(Refined(*progress, 1) < 5e4);
      BOOST_TEST(Refined(*progress, 1) > 2e3);
      break;
    }
    NodeCounters counters[kMaxPlanNodes];
    JoinAt(counters, 1);
    counters[1].rows = 1e4;  // one row in a hundred of what the planner thinks
    for (int i = 0; i < plan.count; ++i) counters[i].ended = true;
    PaceSample sample;
    progress->Finish(plan, counters, 1000, &sample);
    BOOST_TEST(((sample.row_known >> 1) & 1) == 1);
    BOOST_TEST(std::fabs(static_cast<double>(sample.row_factor[1]) - std::log(0.01)) < 0.1);
    LearnPace(sample, 0.9, &pace);
  }
}

BOOST_AUTO_TEST_CASE(an_unread_join_keeps_its_estimate) {
  PlanTree plan = JoinPlan();
  auto progress = std::make_unique<Progress>();
  progress->Begin(plan, Guess(1000, 1), nullptr, nullptr);
  NodeCounters counters[kMaxPlanNodes];
  JoinAt(counters, 0.25);
  progress->Update(plan, counters, At(250));
  BOOST_TEST(Refined(*progress, 1) > 5e5);
  BOOST_TEST(progress->nodes()[1].progress < 0.6);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
