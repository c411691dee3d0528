#include "core/decide/memo_worth.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <random>
#include <unordered_set>

using query_shaper::DistinctValues;
using query_shaper::JudgeMemo;
using query_shaper::MemoRecord;

namespace {

// A cache without bound over draws of equally likely values, judged as the server does.
MemoRecord Draw(int runs, int values, double run_ns, double runs_before, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> value(1, values);
  std::unordered_set<int> seen;
  for (int i = 0; i < runs; ++i) seen.insert(value(random));
  double distinct = static_cast<double>(seen.size());
  return {.runs = double(runs),
          .hits = runs - distinct,
          .rows_kept = distinct,
          .draws = double(runs),
          .distinct = distinct,
          .run_ns = run_ns,
          .runs_before = runs_before,
          .capacity = 1e9};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(memo_worth)

BOOST_AUTO_TEST_CASE(distinct_values_are_found_again) {
  for (double values : {1.0, 10.0, 1000.0, 1e6})
    for (double draws : {values / 4 + 2, values, values * 3}) {
      double shown = values * -std::expm1(-draws / values);
      if (draws - shown > 1e-6 * draws)
        BOOST_TEST(DistinctValues(draws, shown) == values, boost::test_tools::tolerance(1e-3));
    }
  BOOST_TEST(std::isinf(DistinctValues(100, 100)));
}

BOOST_AUTO_TEST_CASE(few_values_are_kept_whatever_a_run_costs) {
  for (double run_ns : {800.0, 1e4, 1e9}) BOOST_TEST(JudgeMemo(Draw(256, 20, run_ns, 256, 1)).keep);
}

BOOST_AUTO_TEST_CASE(distinct_parameters_of_cheap_runs_are_given_up) {
  MemoRecord record = Draw(256, 2000000000, 1000, 256, 1);
  BOOST_TEST_REQUIRE(record.hits == 0);
  query_shaper::MemoVerdict verdict = JudgeMemo(record);
  BOOST_TEST(!verdict.keep);
  // One try more costs at most half a percent of the rest.
  BOOST_TEST(verdict.rest_ns >= 200 * 256 * 300.0);
}

BOOST_AUTO_TEST_CASE(distinct_parameters_of_long_runs_do_no_harm) {
  BOOST_TEST(JudgeMemo(Draw(256, 2000000000, 1e6, 256, 1)).keep);
}

BOOST_AUTO_TEST_CASE(many_runs_to_come_make_rare_repeats_worth_it) {
  // 50,000 values: 4,096 draws repeat one in twenty-five.
  MemoRecord record = Draw(4096, 50000, 2000, 4096, 7);
  BOOST_TEST(record.hits * 2000 < 4096 * 300.0);
  BOOST_TEST(!JudgeMemo(record).keep);
  record.runs_before = 1e6;
  BOOST_TEST(JudgeMemo(record).keep);
  // Not when only one result in ten fits.
  record.capacity = 5000;
  BOOST_TEST(!JudgeMemo(record).keep);
}

BOOST_AUTO_TEST_CASE(a_chance_repeat_is_no_pattern) {
  MemoRecord record = {.runs = 256,
                       .hits = 2,
                       .rows_kept = 254,
                       .draws = 256,
                       .distinct = 254,
                       .run_ns = 1000,
                       .runs_before = 1e9,
                       .capacity = 1e9};
  BOOST_TEST(!JudgeMemo(record).keep);
}

BOOST_AUTO_TEST_CASE(results_of_many_rows_cost_more_to_keep) {
  MemoRecord record = {.runs = 1000,
                       .hits = 300,
                       .rows_kept = 700,
                       .draws = 0,
                       .distinct = 0,
                       .run_ns = 2000,
                       .runs_before = 1000,
                       .capacity = 1e9};
  BOOST_TEST(JudgeMemo(record).keep);
  record.rows_kept = 70000;
  BOOST_TEST(!JudgeMemo(record).keep);
}

BOOST_AUTO_TEST_CASE(a_run_of_unknown_time_is_no_gain) { BOOST_TEST(!JudgeMemo(Draw(256, 20, 0, 256, 1)).keep); }

BOOST_AUTO_TEST_SUITE_END()
