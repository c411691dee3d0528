// Predicted needs against what PostgreSQL itself counts for the same rows.
#include <boost/test/unit_test.hpp>

#include <cmath>

#include "core/pool/node_need.h"

namespace query_shaper {
namespace {

PlanTree OverScan(Operator op, double rows, int width) {
  PlanTree plan;
  plan.count = 2;
  plan.nodes[0].op = op;
  plan.nodes[0].rows = rows;
  plan.nodes[0].width = width;
  plan.nodes[0].parent = -1;
  plan.nodes[1].op = Operator::kSeqScan;
  plan.nodes[1].role = ChildRole::kOuter;
  plan.nodes[1].parent = 0;
  plan.nodes[1].depth = 1;
  plan.nodes[1].rows = rows;
  plan.nodes[1].width = width;
  return plan;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(node_need)

// EXPLAIN ANALYZE of PostgreSQL 15: SELECT g, md5(g::text) FROM generate_series(1, 1000000) g ORDER BY 2: width 36.
BOOST_AUTO_TEST_CASE(a_sort_takes_its_rows_and_their_array) {
  NodeNeed need = PredictNeed(OverScan(Operator::kSort, 1e6, 36), 0, 0.2, 1);
  BOOST_TEST(need.kb > 1e6 * (24 + 56) / 1024);
  BOOST_TEST(need.kb < 1e6 * (24 + 56 + 40) / 1024);
  BOOST_TEST(!need.hash_limit);
  BOOST_TEST(!need.gradual);
}

BOOST_AUTO_TEST_CASE(a_bounded_sort_takes_its_bound) {
  PlanTree plan = OverScan(Operator::kSort, 1e6, 36);
  plan.nodes[0].bounded = true;
  plan.nodes[0].limit_rows = 100;
  BOOST_TEST(PredictNeed(plan, 0, 0.2, 1).kb < 64);
}

// ExecChooseHashTableSize(): one batch when  rows x (16 + 16 + maxalign(width)) + 8 buckets  is within the limit.
BOOST_AUTO_TEST_CASE(a_hash_table_fits_the_limit_that_it_asks_for) {
  for (double rows : {1000.0, 65536.0, 65537.0, 3e6}) {
    PlanTree plan = OverScan(Operator::kHash, rows, 20);
    NodeNeed need = PredictNeed(plan, 0, 0.2, 1);
    double buckets = std::exp2(std::ceil(std::log2(std::max(rows, 1024.0))));
    double counted_kb = (rows * (16 + 16 + 24) + 8 * buckets) / 1024;
    BOOST_TEST(need.kb >= counted_kb);
    BOOST_TEST(need.kb <= 1.1 * counted_kb);
    BOOST_TEST(need.hash_limit);
  }
}

BOOST_AUTO_TEST_CASE(a_shared_table_holds_the_rows_of_all) {
  PlanTree plan = OverScan(Operator::kHash, 1e5, 20);
  double alone = PredictNeed(plan, 0, 0.2, 3).rows;
  plan.nodes[0].parallel_aware = true;
  BOOST_TEST(PredictNeed(plan, 0, 0.2, 3).rows == 3 * alone);
}

BOOST_AUTO_TEST_CASE(groups_are_counted_not_rows) {
  PlanTree plan = OverScan(Operator::kAgg, 1000, 12);
  plan.nodes[0].agg = AggStrategy::kHashed;
  plan.nodes[0].groups = 1000;
  plan.nodes[0].aggregates = 1;
  plan.nodes[1].rows = 1e7;
  NodeNeed need = PredictNeed(plan, 0, 0.2, 1);
  BOOST_TEST(need.kb < 300);
  BOOST_TEST(need.spill_kb > 1e5);  // but rows are what is written
  plan.nodes[0].agg = AggStrategy::kSorted;
  BOOST_TEST((PredictNeed(plan, 0, 0.2, 1).kind == NeedKind::kNone));
}

BOOST_AUTO_TEST_CASE(a_plain_aggregate_that_sorts_holds_its_input) {
  PlanTree plan = OverScan(Operator::kAgg, 1, 8);
  plan.nodes[0].agg = AggStrategy::kPlain;
  plan.nodes[0].sorted_inputs = 2;
  plan.nodes[1].rows = 1e6;
  NodeNeed need = PredictNeed(plan, 0, 0.2, 1);
  BOOST_TEST((need.kind == NeedKind::kDistinct));
  BOOST_TEST(need.kb > 2 * 1e6 * 24 / 1024);
}

BOOST_AUTO_TEST_CASE(a_sorted_aggregate_that_sorts_holds_a_group) {
  PlanTree plan = OverScan(Operator::kAgg, 100, 8);
  plan.nodes[0].agg = AggStrategy::kPlain;
  plan.nodes[0].sorted_inputs = 1;
  plan.nodes[0].groups = 1;
  plan.nodes[1].rows = 1e6;
  NodeNeed all = PredictNeed(plan, 0, 0.2, 1);
  plan.nodes[0].agg = AggStrategy::kSorted;
  plan.nodes[0].groups = 100;
  NodeNeed groups = PredictNeed(plan, 0, 0.2, 1);
  BOOST_TEST((groups.kind == NeedKind::kDistinct));
  BOOST_TEST(groups.kb < all.kb / 9);
  BOOST_TEST(groups.kb > all.kb / 101);  // one group may be larger than others
  BOOST_TEST(groups.high_kb > all.kb * 0.9);
  BOOST_TEST(groups.spill_kb == all.spill_kb);
  plan.nodes[0].groups = 1e5;
  BOOST_TEST(PredictNeed(plan, 0, 0.2, 1).wanted_kb() < groups.wanted_kb());
  plan.nodes[0].groups = plan.nodes[0].rows = std::nan("");
  BOOST_TEST(std::isfinite(PredictNeed(plan, 0, 0.2, 1).wanted_kb()));
}

BOOST_AUTO_TEST_CASE(a_window_holds_a_partition) {
  PlanTree plan = OverScan(Operator::kWindowAgg, 1e6, 8);
  plan.nodes[1].rows = 1e6;
  NodeNeed all = PredictWindowNeed(plan, 0, 1, true, 0.2), parts = PredictWindowNeed(plan, 0, 100, true, 0.2);
  BOOST_TEST((parts.kind == NeedKind::kWindow));
  BOOST_TEST(all.kb > 1e6 * 40 / 1024);
  BOOST_TEST(parts.kb < all.kb / 9);
  BOOST_TEST(parts.kb > all.kb / 101);  // one may be larger than others
  BOOST_TEST(parts.high_kb > all.kb * 0.9);
  BOOST_TEST(parts.spill_kb == all.spill_kb);
  NodeNeed few = PredictWindowNeed(plan, 0, 1, false, 0.2);
  BOOST_TEST(few.kb < all.kb / 1000);
  BOOST_TEST(few.spill_kb < all.spill_kb / 1000);
  BOOST_TEST(PredictWindowNeed(plan, 0, 1e9, true, 0.2).kb > 0);
  BOOST_TEST(PredictWindowNeed(plan, 0, std::nan(""), true, 0.2).kb == all.kb);
  plan.nodes[1].rows = 0;
  BOOST_TEST(std::isfinite(PredictWindowNeed(plan, 0, 100, true, 0.2).wanted_kb()));
}

BOOST_AUTO_TEST_CASE(what_it_is_unsure_of_widens_the_interval) {
  PlanTree plan = OverScan(Operator::kSort, 1e5, 8);
  NodeNeed sure = PredictNeed(plan, 0, 0.2, 1), unsure = PredictNeed(plan, 0, 1.5, 1);
  BOOST_TEST(sure.kb == unsure.kb);
  BOOST_TEST(sure.high_kb < unsure.high_kb);
  BOOST_TEST(sure.low_kb > unsure.low_kb);
  BOOST_TEST(sure.wanted_kb() > sure.kb);
  BOOST_TEST(sure.wanted_kb() < sure.high_kb);
}

BOOST_AUTO_TEST_CASE(joins_below_add_to_the_doubt_and_learning_takes_it_away) {
  PlanTree plan = OverScan(Operator::kSort, 1e5, 8);
  double scan = RowsLogSd(plan, 1, false);
  plan.nodes[1].op = Operator::kHashJoin;
  double join = RowsLogSd(plan, 1, false);
  BOOST_TEST(join > scan);
  BOOST_TEST(RowsLogSd(plan, 1, true) < scan);
}

BOOST_AUTO_TEST_CASE(nonsense_comes_to_nothing) {
  PlanTree plan = OverScan(Operator::kSort, std::nan(""), -4);
  NodeNeed need = PredictNeed(plan, 0, 0.2, 1);
  BOOST_TEST(std::isfinite(need.kb));
  plan.nodes[1].rows = -1;
  BOOST_TEST(PredictNeed(plan, 0, 0.2, 1).kb == 0);
  BOOST_TEST(PredictNeed(plan, 0, 0.2, 1).wanted_kb() == 0);
}

BOOST_AUTO_TEST_CASE(a_sort_merges_its_runs_at_once_from_this_limit_on) {
  for (double sorted_kb : {5000.0, 100000.0, 1e6, 2e7}) {
    double limit_kb = MergeKb(sorted_kb);
    // As many runs as it has buffers for, and not many more than that.
    BOOST_TEST(sorted_kb / limit_kb <= limit_kb / 272);
    BOOST_TEST(sorted_kb / (limit_kb / 2) > std::max(6.0, limit_kb / 2 / 272 / 1.5) - 6);
  }
  BOOST_TEST(MergeKb(0) == 0);
  BOOST_TEST(MergeKb(1e9) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
