#include <boost/test/unit_test.hpp>
#include <array>
#include <limits>
#include <utility>

#include "core/decide/plan_doubt.h"

namespace query_shaper {

namespace {

PlanNode& Add(PlanTree* plan, int parent, ChildRole role, Operator op, double rows, double cost) {
  PlanNode& node = plan->nodes[plan->count++];
  node.parent = parent;
  node.role = role;
  node.op = op;
  node.rows = rows;
  node.total_cost = cost;
  return node;
}

// Nested loop over one outer row with an inner index scan of cost 10 and 5 rows.
PlanTree Loop(Operator inner, double inner_cost, double inner_rows, double outer_rows, double cost) {
  PlanTree plan;
  Add(&plan, -1, ChildRole::kRoot, Operator::kNestLoop, outer_rows * inner_rows, cost);
  Add(&plan, 0, ChildRole::kOuter, Operator::kSeqScan, outer_rows, 100);
  Add(&plan, 0, ChildRole::kInner, inner, inner_rows, inner_cost);
  return plan;
}

const double kNothing[8] = {-1, -1, -1, -1, -1, -1, -1, -1};

}  // namespace

BOOST_AUTO_TEST_SUITE(plan_doubt)

BOOST_AUTO_TEST_CASE(limits_start_from_one_row_and_grow) {
  BOOST_TEST(RowLimit(0, 10) == 11u);
  BOOST_TEST(RowLimit(50, 10) == 501u);
  BOOST_TEST(RowLimit(50, 0.1) == 51u);
  BOOST_TEST(RowLimit(1e30, 10) == std::numeric_limits<uint64_t>::max());
  BOOST_TEST(RaisedRowLimit(500, 10) == 5001u);
  BOOST_TEST(RaisedRowLimit(500, 1) == 1001u);
}

BOOST_AUTO_TEST_CASE(a_plan_costs_what_it_was_planned_at_when_nothing_is_known) {
  PlanTree plan = Loop(Operator::kIndexScan, 10, 5, 20, 310);
  BOOST_TEST(CostUnder(plan, kNothing) == 310, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(a_loop_costs_with_its_outer_rows) {
  PlanTree plan = Loop(Operator::kIndexScan, 10, 5, 1, 111);
  const double known[] = {-1, 1000, -1};
  BOOST_TEST(CostUnder(plan, known) == 100 + 1000 * 10 + 1000 * 1, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(a_materialised_inner_side_is_made_once) {
  PlanTree plan = Loop(Operator::kMaterial, 500, 100, 1, 620);
  const double known[] = {-1, 1000, -1};
  double cost = CostUnder(plan, known);
  BOOST_TEST(cost > 600 + 999 * 0.5);
  BOOST_TEST(cost < 600 + 1000 * 500);
}

BOOST_AUTO_TEST_CASE(growth_goes_up_the_tree) {
  PlanTree plan;
  Add(&plan, -1, ChildRole::kRoot, Operator::kSort, 10, 150);
  Add(&plan, 0, ChildRole::kOuter, Operator::kHashJoin, 10, 140);
  Add(&plan, 1, ChildRole::kOuter, Operator::kSeqScan, 10, 100);
  Add(&plan, 1, ChildRole::kInner, Operator::kHash, 5, 20);
  Add(&plan, 3, ChildRole::kOuter, Operator::kSeqScan, 5, 20);
  const double known[] = {-1, -1, 1000, -1, -1};
  double cost = CostUnder(plan, known);
  BOOST_TEST(cost > 150 + 500);
  BOOST_TEST(cost < 150 + 10000);
}

BOOST_AUTO_TEST_CASE(a_set_has_the_same_rows_in_both_plans) {
  // Counting the rows is most of both plans' costs: with what each believes of them the new one would be a gain.
  auto counting = [](double rows, uint64_t inner_set) {
    PlanTree plan;
    Add(&plan, -1, ChildRole::kRoot, Operator::kAgg, 1, 1000 + 0.0025 * rows);
    Add(&plan, 0, ChildRole::kOuter, Operator::kHashJoin, rows, 1000);
    Add(&plan, 1, ChildRole::kOuter, Operator::kSeqScan, 100, 400);
    Add(&plan, 1, ChildRole::kInner, Operator::kHash, 100, 400);
    return std::pair(plan, std::array<SetName, 4>{SetName{}, {7, 1}, {3, 0}, {inner_set, 0}});
  };
  auto [running, running_names] = counting(1e8, 4);
  auto [fresh, fresh_names] = counting(1e7, 5);
  double believed[] = {-1, 1e8, -1, 50};
  ShareBeliefs(running, running_names.data(), fresh, fresh_names.data(), believed);
  BOOST_TEST(believed[0] == -1);
  BOOST_TEST(believed[1] == 1e7);
  BOOST_TEST(believed[2] == 100);
  BOOST_TEST(believed[3] == 50);  // of a set that only the running plan has
  const double unshared[] = {-1, 1e8, -1, 50};
  const double fresh_cost = CostUnder(fresh, nullptr);
  BOOST_TEST(CostUnder(running, unshared) > 5 * fresh_cost);
  BOOST_TEST(CostUnder(running, believed) < 1.2 * fresh_cost);
  // The same set under other constants is another one.
  believed[1] = 1e8;
  fresh_names[1].constants = 2;
  ShareBeliefs(running, running_names.data(), fresh, fresh_names.data(), believed);
  BOOST_TEST(believed[1] == 1e8);
}

BOOST_AUTO_TEST_CASE(an_exact_count_stops_the_growth) {
  PlanTree plan = Loop(Operator::kIndexScan, 10, 5, 1, 111);
  PlanTree aggregated;
  Add(&aggregated, -1, ChildRole::kRoot, Operator::kSort, 5, 120);
  for (int i = 0; i < plan.count; ++i) {
    PlanNode node = plan.nodes[i];
    node.parent = i == 0 ? 0 : node.parent + 1;
    if (i == 0) node.role = ChildRole::kOuter;
    aggregated.nodes[aggregated.count++] = node;
  }
  const double free[] = {-1, -1, 1000, -1};
  const double exact[] = {-1, 5, 1000, -1};
  BOOST_TEST(CostUnder(aggregated, exact) < CostUnder(aggregated, free));
}

BOOST_AUTO_TEST_CASE(a_subplan_run_once_is_not_paid_for_twice) {
  PlanTree plan;
  Add(&plan, -1, ChildRole::kRoot, Operator::kAgg, 1, 1100);
  Add(&plan, 0, ChildRole::kInitPlan, Operator::kSeqScan, 10, 1000);
  Add(&plan, 0, ChildRole::kOuter, Operator::kSeqScan, 100, 90);
  BOOST_TEST(CostUnder(plan, kNothing) == 1100, boost::test_tools::tolerance(1e-9));
  const double known[] = {-1, -1, 10000};
  BOOST_TEST(CostUnder(plan, known) < 1000 + 90 + 10 * 101 + 1);
  BOOST_TEST(CostUnder(plan, known) > 1100);
}

BOOST_AUTO_TEST_CASE(the_way_down_an_index_is_paid_for_once) {
  PlanTree plan = Loop(Operator::kIndexOnlyScan, 0.5, 4, 100, 155);
  plan.nodes[2].startup_cost = 0.4;
  const double known[] = {-1, -1, 400};
  // 100 loops of 0.4 and of 100 times the 0.1 that four rows cost, and 100 times the 5 of the pairs.
  BOOST_TEST(CostUnder(plan, known) == 100 + 100 * (0.4 + 10) + 100 * 5, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(rows_of_a_join_are_paid_for) {
  auto join = [](Operator op, double cost) {
    PlanTree plan;
    Add(&plan, -1, ChildRole::kRoot, Operator::kAgg, 1, cost + 2500);
    Add(&plan, 0, ChildRole::kOuter, op, 1e6, cost);
    Add(&plan, 1, ChildRole::kOuter, Operator::kSeqScan, 100, 400);
    Add(&plan, 1, ChildRole::kInner, Operator::kSort, 100, 400);
    return CostUnder(plan, nullptr);
  };
  BOOST_TEST(join(Operator::kMergeJoin, 1000) == 800 + 10000 + 2500, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(join(Operator::kHashJoin, 800) == 800 + 10000 + 2500, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(join(Operator::kMergeJoin, 12000) == 12000 + 2500, boost::test_tools::tolerance(1e-9));
  // Of a hundred inner scans at 400 nothing is left for the rows.
  BOOST_TEST(join(Operator::kNestLoop, 40400) == 40400 + 10000 + 2500, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(asking_stays_cheap) {
  BOOST_TEST(MayAsk(20, 0, 20));
  BOOST_TEST(!MayAsk(19, 0, 20));
  BOOST_TEST(!MayAsk(100, 30, 20));
  BOOST_TEST(MayAsk(1000, 30, 20));
}

BOOST_AUTO_TEST_CASE(time_in_doubt) {
  TimeQuestion question;
  question.elapsed_ms = 100;
  question.eta_ms = 10000;
  question.predicted_ms = 50;
  question.predicted_log_sd = 0.5;
  question.predicted = true;
  BOOST_TEST(TimeExploded(question));
  question.asked_ms = 60;
  BOOST_TEST(!TimeExploded(question));
  question.asked_ms = 0;
  question.predicted_ms = 5000;
  BOOST_TEST(!TimeExploded(question));
  question.predicted_ms = 50;
  question.eta_ms = 30;
  BOOST_TEST(!TimeExploded(question));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
