#include <boost/test/unit_test.hpp>
#include <cmath>

#include "core/cardinality/sample_scale.h"

using query_shaper::PoolSample;
using query_shaper::SampledCount;
using query_shaper::SampleSettled;
using query_shaper::ScaledRows;
using query_shaper::ScaleSample;

BOOST_AUTO_TEST_SUITE(sample_scale)

BOOST_AUTO_TEST_CASE(the_whole_is_exact) {
  const ScaledRows rows = ScaleSample({.seen = 42, .contributors = 7, .probability = 1, .prior_rows = 1e6});
  BOOST_TEST(rows.rows == 42);
  BOOST_TEST(rows.low == 42);
  BOOST_TEST(rows.high == 42);
}

BOOST_AUTO_TEST_CASE(many_hits_leave_nothing_of_the_prior) {
  for (double prior : {1.0, 1e6, 1e12}) {
    const ScaledRows rows =
        ScaleSample({.seen = 30000, .contributors = 30000, .probability = 0.01, .prior_rows = prior});
    BOOST_TEST(rows.rows == 3e6, boost::test_tools::tolerance(0.02));
    BOOST_TEST(rows.low > 2.7e6);
    BOOST_TEST(rows.high < 3.3e6);
  }
}

BOOST_AUTO_TEST_CASE(without_a_hit_the_planner_is_believed_as_far_as_the_sample_allows) {
  // 50 of 1/0.01 would rarely have been seen: nothing speaks against them.
  const ScaledRows few = ScaleSample({.seen = 0, .contributors = 0, .probability = 0.01, .prior_rows = 50});
  BOOST_TEST(few.rows > 20);
  BOOST_TEST(few.rows <= 50);
  // A million would have shown.
  const ScaledRows many = ScaleSample({.seen = 0, .contributors = 0, .probability = 0.01, .prior_rows = 1e6});
  BOOST_TEST(many.rows < 100);
  BOOST_TEST(many.high < 1000);
  BOOST_TEST(many.low == 0);
}

BOOST_AUTO_TEST_CASE(a_prior_far_off_hardly_pulls) {
  const ScaledRows rows = ScaleSample({.seen = 100, .contributors = 20, .probability = 0.01, .prior_rows = 1});
  BOOST_TEST(rows.rows > 3000);
  BOOST_TEST(rows.rows < 10000);
}

BOOST_AUTO_TEST_CASE(samples_are_pooled) {
  SampledCount pooled = {.seen = 90, .contributors = 90, .probability = 0.01, .prior_rows = 1e4};
  BOOST_TEST(!SampleSettled(pooled));
  PoolSample(&pooled, {.seen = 410, .contributors = 410, .probability = 0.04, .prior_rows = 1e4});
  BOOST_TEST(SampleSettled(pooled));
  BOOST_TEST(pooled.dispersion == 1);
  BOOST_TEST(ScaleSample(pooled).rows == 1e4, boost::test_tools::tolerance(0.01));
  PoolSample(&pooled, {.seen = 9000, .contributors = 9000, .probability = 1, .prior_rows = 1e4});
  BOOST_TEST(SampleSettled(pooled));
  BOOST_TEST(ScaleSample(pooled).high == 9000);
}

BOOST_AUTO_TEST_CASE(samples_that_disagree_widen_the_limits) {
  SampledCount alike = {.seen = 1000, .contributors = 500, .probability = 0.01, .prior_rows = 1e5};
  SampledCount unlike = alike;
  PoolSample(&alike, {.seen = 4000, .contributors = 2000, .probability = 0.04, .prior_rows = 1e5});
  PoolSample(&unlike, {.seen = 16000, .contributors = 2000, .probability = 0.04, .prior_rows = 1e5});
  const ScaledRows narrow = ScaleSample(alike), wide = ScaleSample(unlike);
  BOOST_TEST(wide.high / wide.low > 2 * narrow.high / narrow.low);
  BOOST_TEST(!SampleSettled(unlike));
}

BOOST_AUTO_TEST_CASE(rows_of_few_sources_tell_less) {
  const ScaledRows many = ScaleSample({.seen = 1000, .contributors = 1000, .probability = 0.01, .prior_rows = 1e5});
  const ScaledRows few = ScaleSample({.seen = 1000, .contributors = 4, .probability = 0.01, .prior_rows = 1e5});
  BOOST_TEST(few.high / few.low > 2 * many.high / many.low);
  BOOST_TEST(many.low < 1e5);
  BOOST_TEST(many.high > 1e5);
}

BOOST_AUTO_TEST_CASE(limits_enclose_and_never_fall_below_what_was_seen) {
  for (double seen : {0.0, 1.0, 2.0, 17.0, 5000.0})
    for (double sources : {0.0, 1.0, 3.0, 1e6})
      for (double p : {1e-9, 0.001, 0.5, 0.999})
        for (double prior : {0.0, 1.0, 1e9}) {
          const ScaledRows rows =
              ScaleSample({.seen = seen, .contributors = sources, .probability = p, .prior_rows = prior});
          BOOST_TEST(std::isfinite(rows.high));
          BOOST_TEST(seen <= rows.low);
          BOOST_TEST(rows.low <= rows.rows);
          BOOST_TEST(rows.rows <= rows.high);
        }
}

BOOST_AUTO_TEST_SUITE_END()
