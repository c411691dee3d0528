#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "core/pool/giving_way.h"

using namespace query_shaper;

namespace {

void Look(GivingWay* way, double others, int times, double priority = -10) {
  for (int i = 0; i < times; ++i) LookAround(way, others, 10, priority);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(giving_way)

BOOST_AUTO_TEST_CASE(while_a_processor_is_free_it_runs) {
  GivingWay way;
  Look(&way, 0.5, 1000);
  BOOST_TEST(way.share == 1);
  BOOST_TEST(RestMs(way, 10) == 0);
}

BOOST_AUTO_TEST_CASE(its_share_is_that_of_its_weight) {
  GivingWay way;
  Look(&way, 1.5, 1000);
  const double weight = std::pow(1.25, -10);
  BOOST_TEST(way.share == weight / (weight + 1.5), boost::test_tools::tolerance(1e-6));
  GivingWay higher;
  Look(&higher, 1.5, 1000, -1);
  BOOST_TEST(higher.share > way.share);
}

BOOST_AUTO_TEST_CASE(rests_make_the_share) {
  GivingWay way;
  Look(&way, 1.2, 1000, -5);
  const double rest_ms = RestMs(way, 10);
  BOOST_TEST(rest_ms > 0);
  BOOST_TEST(10 / (10 + rest_ms) == way.share, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(RestMs(way, 1e6) == kLongestRestMs);
}

BOOST_AUTO_TEST_CASE(a_short_burst_does_not_slow_it) {
  GivingWay way;
  Look(&way, 0, 100);
  Look(&way, 2, 5);
  BOOST_TEST(way.share == 1);
  Look(&way, 2, 30);
  BOOST_TEST(way.share < 1);
}

// About the bound it is one or the other.
BOOST_AUTO_TEST_CASE(a_load_that_hovers_does_not_make_it_swing) {
  GivingWay way;
  std::mt19937_64 random(1);
  Look(&way, 1.2, 200);
  int changes = 0;
  bool before = way.share < 1;
  for (int i = 0; i < 5000; ++i) {
    LookAround(&way, std::uniform_int_distribution<int>(0, 2)(random) == 0 ? 0.5 : 1.25, 10, -10);
    changes += before != way.share < 1;
    before = way.share < 1;
  }
  BOOST_TEST(changes <= 2);
}

BOOST_AUTO_TEST_CASE(raised_again_when_the_load_falls) {
  GivingWay way;
  Look(&way, 3, 1000);
  BOOST_TEST(way.share < 1);
  Look(&way, 0, 40);
  BOOST_TEST(way.share == 1);
}

BOOST_AUTO_TEST_CASE(others_of_no_lower_priority_and_nonsense_change_nothing) {
  GivingWay way;
  Look(&way, 5, 1000, 0);
  BOOST_TEST(way.share == 1);
  Look(&way, std::numeric_limits<double>::quiet_NaN(), 10);
  LookAround(&way, 5, -1, -10);
  BOOST_TEST(std::isfinite(way.others));
  Look(&way, 1e9, 1000, -1000);
  BOOST_TEST(way.share == kLeastShare);
}

BOOST_AUTO_TEST_SUITE_END()
