#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "core/plan/features.h"

using namespace query_shaper;
using namespace query_shaper::feature;

namespace {

// Builds a plan node by node, parents first.
struct Builder {
  std::unique_ptr<PlanTree> plan = std::make_unique<PlanTree>();

  PlanNode& Add(int parent, ChildRole role, Operator op, double rows, double cost = 0) {
    PlanNode& node = plan->nodes[plan->count];
    node.node_id = plan->count++;
    node.parent = parent;
    node.role = role;
    node.op = op;
    node.rows = rows;
    node.total_cost = cost;
    node.width = 8;
    return node;
  }
  double Work(int index, const Moment& moment = {}) const {
    return std::expm1(ExtractFeatures(*plan, moment).values[index]);
  }
};

constexpr double kPercent = 1.0;

}  // namespace

BOOST_AUTO_TEST_SUITE(features)

BOOST_AUTO_TEST_CASE(every_feature_has_its_own_name) {
  std::set<std::string> names;
  for (int i = 0; i < kFeatureCount; ++i) {
    const std::string name = FeatureName(i);
    BOOST_TEST(!name.empty());
    BOOST_TEST(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
    names.insert(name);
  }
  BOOST_TEST(names.size() == static_cast<size_t>(kFeatureCount));
  BOOST_TEST(std::string(FeatureName(kSeqPages)) == "seq_pages");
  BOOST_TEST(std::string(FeatureName(kWindowRows)) == "window_rows");
  BOOST_TEST(std::string(FeatureName(kTotalCost)) == "total_cost");
  BOOST_TEST(std::string(FeatureName(kConcurrency)) == "concurrency");
  BOOST_TEST(std::string(FeatureName(-1)).empty());
  BOOST_TEST(std::string(FeatureName(kFeatureCount)).empty());
}

BOOST_AUTO_TEST_CASE(a_filtered_scan_reads_the_whole_relation) {
  Builder b;
  PlanNode& scan = b.Add(-1, ChildRole::kRoot, Operator::kSeqScan, 100, 2000);
  scan.relation_pages = 500;
  scan.relation_rows = 60000;
  scan.quals = 2;
  scan.cached_share = 0.75;
  BOOST_CHECK_CLOSE(b.Work(kSeqPages), 500, kPercent);
  BOOST_CHECK_CLOSE(b.Work(kSeqRows), 60000, kPercent);
  BOOST_CHECK_CLOSE(b.Work(kFilterChecks), 120000, kPercent);
  BOOST_CHECK_CLOSE(b.Work(kFilteredRows), 100, kPercent);
  BOOST_CHECK_CLOSE(b.Work(kUncachedPages), 125, kPercent);
  BOOST_CHECK_CLOSE(b.Work(kOutputRows), 100, kPercent);
  BOOST_CHECK_CLOSE(b.Work(kTotalCost), 2000, kPercent);
}

BOOST_AUTO_TEST_CASE(inner_sides_of_nested_loops_count_every_call) {
  Builder b;
  b.Add(-1, ChildRole::kRoot, Operator::kNestLoop, 3000, 5000).join = JoinKind::kInner;
  b.Add(0, ChildRole::kOuter, Operator::kSeqScan, 1000, 100);
  b.Add(0, ChildRole::kInner, Operator::kNestLoop, 3, 4).join = JoinKind::kInner;
  b.Add(2, ChildRole::kOuter, Operator::kIndexScan, 2, 1);
  b.Add(2, ChildRole::kInner, Operator::kIndexScan, 5, 1);
  // 1000 outer rows call the inner loop, whose own inner scan runs twice a call.
  BOOST_CHECK_CLOSE(b.Work(kIndexSearches), 1000 + 2000, kPercent);
  BOOST_CHECK_CLOSE(b.Work(kIndexRows), 1000 * 2 + 2000 * 5, kPercent);
  BOOST_CHECK_CLOSE(b.Work(kLoopOuterRows), 1000 + 2000, kPercent);
  BOOST_CHECK_CLOSE(b.Work(kJoins), 2, kPercent);
}

BOOST_AUTO_TEST_CASE(a_semi_join_stops_at_the_first_match) {
  Builder b;
  b.Add(-1, ChildRole::kRoot, Operator::kNestLoop, 500, 5000).join = JoinKind::kSemi;
  b.Add(0, ChildRole::kOuter, Operator::kSeqScan, 1000, 100);
  b.Add(0, ChildRole::kInner, Operator::kIndexScan, 40, 5);
  BOOST_CHECK_CLOSE(b.Work(kIndexRows), 1000, kPercent);
}

BOOST_AUTO_TEST_CASE(materialized_inputs_run_once_and_memoized_ones_as_often_as_they_miss) {
  Builder b;
  b.Add(-1, ChildRole::kRoot, Operator::kNestLoop, 50000, 900).join = JoinKind::kInner;
  b.Add(0, ChildRole::kOuter, Operator::kSeqScan, 1000, 100);
  b.Add(0, ChildRole::kInner, Operator::kMaterial, 50, 20);
  b.Add(2, ChildRole::kOuter, Operator::kSeqScan, 50, 19).relation_rows = 50;
  BOOST_CHECK_CLOSE(b.Work(kSeqRows), 1000 + 50, kPercent);
  BOOST_CHECK_CLOSE(b.Work(kLoopInnerRows), 50000, kPercent);

  Builder memo;
  memo.Add(-1, ChildRole::kRoot, Operator::kNestLoop, 1000, 100 + 10 + 200).join = JoinKind::kInner;
  memo.Add(0, ChildRole::kOuter, Operator::kSeqScan, 1000, 100);
  memo.Add(0, ChildRole::kInner, Operator::kMemoize, 1, 2);
  memo.Add(2, ChildRole::kOuter, Operator::kIndexScan, 1, 2);
  BOOST_CHECK_CLOSE(memo.Work(kIndexSearches), 100, kPercent);  // 200 paid at 2 a miss
}

BOOST_AUTO_TEST_CASE(subplans_are_counted_by_what_their_owner_pays) {
  Builder b;
  PlanNode& scan = b.Add(-1, ChildRole::kRoot, Operator::kSeqScan, 300, 3000 + 50);
  scan.relation_rows = 1000;
  b.Add(0, ChildRole::kSubPlan, Operator::kAgg, 1, 10).agg = AggStrategy::kPlain;
  b.Add(1, ChildRole::kOuter, Operator::kIndexScan, 7, 9);
  BOOST_CHECK_CLOSE(b.Work(kSubplanCalls), 305, kPercent);
  BOOST_CHECK_CLOSE(b.Work(kIndexRows), 305 * 7, kPercent);
}

BOOST_AUTO_TEST_CASE(a_limit_shortens_what_streams_and_not_what_sorts) {
  Builder streaming;
  streaming.Add(-1, ChildRole::kRoot, Operator::kLimit, 10, 1);
  streaming.Add(0, ChildRole::kOuter, Operator::kSeqScan, 1000, 100).relation_rows = 100000;
  BOOST_CHECK_CLOSE(streaming.Work(kSeqRows), 1000, kPercent);

  Builder sorting;
  sorting.Add(-1, ChildRole::kRoot, Operator::kLimit, 10, 120.1);
  PlanNode& sort = sorting.Add(0, ChildRole::kOuter, Operator::kSort, 1000, 130);
  sort.startup_cost = 120;
  sort.bounded = true;
  sorting.Add(1, ChildRole::kOuter, Operator::kSeqScan, 1000, 100).relation_rows = 100000;
  BOOST_CHECK_CLOSE(sorting.Work(kSeqRows), 100000, kPercent);
  BOOST_CHECK_CLOSE(sorting.Work(kSortCompares), 1000 * std::log2(10.0), kPercent);
}

BOOST_AUTO_TEST_CASE(sorts_hashes_and_groups_spill_beyond_their_memory) {
  Builder b;
  PlanNode& sort = b.Add(-1, ChildRole::kRoot, Operator::kSort, 100000, 500);
  sort.memory_limit_kb = 1024;
  b.Add(0, ChildRole::kOuter, Operator::kSeqScan, 100000, 100);
  BOOST_CHECK_CLOSE(b.Work(kSortRows), 100000, kPercent);
  BOOST_TEST(b.Work(kSpillKb) > 1024);
  BOOST_CHECK_CLOSE(b.Work(kExpectedKb), 1024, kPercent);
  b.plan->nodes[0].memory_limit_kb = 1e6;
  BOOST_TEST(b.Work(kSpillKb) == 0);

  Builder agg;
  PlanNode& node = agg.Add(-1, ChildRole::kRoot, Operator::kAgg, 5000, 500);
  node.agg = AggStrategy::kHashed;
  node.groups = 5000;
  node.aggregates = 2;
  agg.Add(0, ChildRole::kOuter, Operator::kSeqScan, 100000, 100);
  BOOST_CHECK_CLOSE(agg.Work(kGroups), 5000, kPercent);
  BOOST_CHECK_CLOSE(agg.Work(kHashAggregateRows), 100000, kPercent);
  BOOST_CHECK_CLOSE(agg.Work(kAggregateCalls), 300000, kPercent);
}

BOOST_AUTO_TEST_CASE(workers_share_a_parallel_scan) {
  Builder b;
  b.Add(-1, ChildRole::kRoot, Operator::kGather, 100, 1000).workers = 2;
  PlanNode& scan = b.Add(0, ChildRole::kOuter, Operator::kSeqScan, 40, 900);
  scan.parallel_aware = true;
  scan.relation_rows = 24000;
  scan.relation_pages = 240;
  BOOST_CHECK_CLOSE(b.Work(kSeqRows), 10000, kPercent);  // the planner divides by 2 + 0.4
  BOOST_CHECK_CLOSE(b.Work(kWorkers), 2, kPercent);
}

BOOST_AUTO_TEST_CASE(the_moment_enters_on_its_circle) {
  Builder b;
  b.Add(-1, ChildRole::kRoot, Operator::kResult, 1, 1);
  Moment moment;
  moment.hour = 6;
  moment.weekday = 0;
  moment.concurrency = 3;
  moment.seconds_since_last_run = 99;
  const FeatureVector features = ExtractFeatures(*b.plan, moment);
  BOOST_CHECK_CLOSE(features.values[kHourSine], 1, kPercent);
  BOOST_CHECK_SMALL(features.values[kHourCosine], 1e-9);
  BOOST_CHECK_CLOSE(features.values[kWeekdayCosine], 1, kPercent);
  BOOST_CHECK_CLOSE(features.values[kConcurrency], std::log(4.0), kPercent);
  BOOST_CHECK_CLOSE(features.values[kSinceLastRun], std::log(100.0), kPercent);
}

BOOST_AUTO_TEST_CASE(any_plan_gives_finite_features) {
  // Whatever a plan claims: huge costs, negative rows, NaN, broken links.
  std::mt19937 random(42);
  const double wild[] = {
      0, -1, 1e30, 1e300, -1e300, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(), 7};
  const auto any = [&] { return wild[random() % 8]; };
  auto plan = std::make_unique<PlanTree>();
  for (int round = 0; round < 3000; ++round) {
    plan->count = static_cast<int>(random() % 140);
    for (int i = 0; i < kMaxPlanNodes; ++i) {
      PlanNode& node = plan->nodes[i];
      node.parent = static_cast<int>(random() % 140) - 5;
      node.role = static_cast<ChildRole>(random() % 6);
      node.op = static_cast<Operator>(random() % 45);
      node.join = static_cast<JoinKind>(random() % 7);
      node.agg = static_cast<AggStrategy>(random() % 5);
      node.rows = any();
      node.total_cost = any();
      node.startup_cost = any();
      node.groups = any();
      node.relation_rows = any();
      node.relation_pages = any();
      node.index_pages = any();
      node.cached_share = any();
      node.memory_limit_kb = any();
      node.width = static_cast<int>(random());
      node.quals = static_cast<int16_t>(random());
      node.workers = static_cast<int16_t>(random());
      node.aggregates = static_cast<int16_t>(random());
    }
    Moment moment;
    moment.hour = any();
    moment.seconds_since_last_run = any();
    moment.work_mem_kb = any();
    moment.concurrency = static_cast<int>(random());
    const FeatureVector features = ExtractFeatures(*plan, moment);
    for (int i = 0; i < kFeatureCount; ++i) {
      BOOST_REQUIRE_MESSAGE(std::isfinite(features.values[i]), FeatureName(i));
      BOOST_REQUIRE_MESSAGE(std::fabs(features.values[i]) < 45, FeatureName(i));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
