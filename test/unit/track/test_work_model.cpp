// Where the work of sorts lies: runs while the input comes, merging at its end and with the rows given out.
#include <boost/test/unit_test.hpp>

#include "core/track/work_model.h"

namespace query_shaper {

namespace {

PlanNode SortNode(double memory_kb) {
  PlanNode node;
  node.op = Operator::kSort;
  node.keys = 1;
  node.width = 16;
  node.memory_limit_kb = memory_kb;
  return node;
}

NodeFlow Rows(double input, double output) {
  NodeFlow flow;
  flow.loops = 1;
  flow.outer_rows = input;
  flow.out_rows = output;
  return flow;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(work_model)

BOOST_AUTO_TEST_CASE(sort_beyond_memory_compares_while_its_input_comes) {
  const NodeFlow flow = Rows(1e6, 1e6);
  const PlanNode fits = SortNode(1e6), spills = SortNode(8192);  // nine runs, merged at once
  BOOST_TEST(InputWork(spills, flow) > 1.3 * InputWork(fits, flow));
  BOOST_TEST(OutputWork(spills, flow) > 1.5 * OutputWork(fits, flow));
  BOOST_TEST(BlindWork(spills, 1e6) < 0.2 * BlindWork(fits, 1e6));
}

BOOST_AUTO_TEST_CASE(many_runs_are_merged_before_the_first_row_comes_out) {
  const double one_pass = BlindWork(SortNode(8192), 1e6);
  BOOST_TEST(BlindWork(SortNode(1024), 1e6) > 3 * one_pass);
  // Linear in the rows, where a sort in memory is not.
  const double pass = BlindWork(SortNode(1024), 2e6) / BlindWork(SortNode(1024), 1e6);
  BOOST_TEST(pass == 2, boost::test_tools::tolerance(0.1));
}

BOOST_AUTO_TEST_CASE(equals_of_the_first_key_cost_a_look_at_the_next) {
  PlanNode sort = SortNode(1e6);
  sort.leading_values = 6;
  const double by_one = BlindWork(sort, 3e5);
  sort.keys = 2;
  BOOST_TEST(BlindWork(sort, 3e5) > 10 * by_one);
  sort.leading_values = 3e5;  // nobody's equal
  BOOST_TEST(BlindWork(sort, 3e5) == by_one, boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_CASE(bounded_sort_never_spills) {
  PlanNode node = SortNode(1024);
  node.bounded = true;
  const double blind = BlindWork(node, 1e6);
  node.memory_limit_kb = 1e6;
  BOOST_TEST(blind == BlindWork(node, 1e6));
  BOOST_TEST(InputWork(node, Rows(1e6, 10)) == InputWork(SortNode(1e6), Rows(1e6, 10)));
}

BOOST_AUTO_TEST_CASE(only_aggregates_that_sort_wait_for_it) {
  PlanNode node;
  node.op = Operator::kAgg;
  node.agg = AggStrategy::kPlain;
  node.aggregates = 4;
  node.distinct_input = true;
  node.sorted_inputs = 1;
  node.memory_limit_kb = 1e6;
  const double one = BlindWork(node, 1e6);
  node.sorted_inputs = 2;
  BOOST_TEST(BlindWork(node, 1e6) == 2 * one, boost::test_tools::tolerance(1e-9));
  node.sorted_inputs = 1;
  node.memory_limit_kb = 4096;
  BOOST_TEST(BlindWork(node, 1e7) < 20 * one);
  BOOST_TEST(InputWork(node, Rows(1e7, 0)) > 1e7 * 40e-6);
  node.distinct_input = false;
  BOOST_TEST(BlindWork(node, 1e7) == 0);
}

BOOST_AUTO_TEST_CASE(groups_beyond_memory_are_read_back_while_rows_come_out) {
  PlanNode node;
  node.op = Operator::kAgg;
  node.agg = AggStrategy::kHashed;
  node.keys = 2;
  node.width = 20;
  node.memory_limit_kb = 8192;  // a hundred thousand groups
  NodeFlow flow = Rows(6e5, 2e5);
  flow.out_share = 1;
  const double unjudged = OutputWork(node, flow);
  flow.groups = 5e4;
  BOOST_TEST(OutputWork(node, flow) == unjudged);
  flow.groups = 2e5;
  const double all = OutputWork(node, flow);
  BOOST_TEST(all > 1.5 * unjudged);
  BOOST_TEST(InputWork(node, flow) > InputWork(node, Rows(6e5, 2e5)));
  // Those that memory holds come out before anything is read back.
  flow.out_rows = 8e4;
  flow.out_share = 0.4;
  BOOST_TEST(OutputWork(node, flow) == 0.4 * unjudged, boost::test_tools::tolerance(1e-6));
  flow.out_rows = 1.6e5;
  flow.out_share = 0.8;
  BOOST_TEST(OutputWork(node, flow) > 0.5 * all);
  BOOST_TEST(OutputWork(node, flow) < 0.8 * all);
  // With room for all of them nothing is set aside, whatever the plan's limit.
  flow.room = 3e5;
  BOOST_TEST(OutputWork(node, flow) == 0.8 * unjudged, boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_CASE(keys_that_are_dear_to_compare_make_a_sort_dear) {
  PlanNode sort = SortNode(1e6);
  const double numbers = BlindWork(sort, 5e5);
  sort.compare_ns = 15;
  BOOST_TEST(BlindWork(sort, 5e5) > 3 * numbers);
  BOOST_TEST(InputWork(sort, Rows(5e5, 5e5)) == InputWork(SortNode(1e6), Rows(5e5, 5e5)));
  PlanNode distinct;
  distinct.op = Operator::kAgg;
  distinct.agg = AggStrategy::kPlain;
  distinct.distinct_input = true;
  distinct.sorted_inputs = 1;
  const double plain = BlindWork(distinct, 5e5);
  distinct.compare_ns = 15;
  BOOST_TEST(BlindWork(distinct, 5e5) > 3 * plain);
}

BOOST_AUTO_TEST_CASE(calls_over_texts_are_dearer_than_over_numbers) {
  PlanNode numbers;
  numbers.op = Operator::kAgg;
  numbers.agg = AggStrategy::kPlain;
  numbers.aggregates = 2;
  PlanNode texts = numbers;
  texts.call_ns = 90;
  const double more = InputWork(texts, Rows(1e6, 1)) - InputWork(numbers, Rows(1e6, 1));
  BOOST_TEST(more == 90.0, boost::test_tools::tolerance(1e-6));  // ms: 90 ns for each of a million rows
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
