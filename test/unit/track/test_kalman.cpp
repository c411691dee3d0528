#include <boost/test/unit_test.hpp>

#include <cmath>

#include "core/track/kalman.h"

namespace query_shaper {

BOOST_AUTO_TEST_SUITE(kalman)

BOOST_AUTO_TEST_CASE(follows_a_steady_run_and_narrows) {
  KalmanFilter filter;
  filter.Seed(1000, 800, 0.3, 0.3);
  double wide = filter.EtaSdMs();
  for (int t = 10; t <= 500; t += 10) filter.Step(10, 1000.0 - t, 20, 0, 1, 0.5, 0.3, 3);
  BOOST_TEST(std::fabs(filter.EtaMs() - 500) < 50);
  BOOST_TEST(filter.EtaSdMs() < wide / 4);
}

BOOST_AUTO_TEST_CASE(speed_stays_within_its_bounds) {
  KalmanFilter filter;
  filter.Seed(1000, 100, 1, 1);
  for (int t = 0; t < 100; ++t) filter.Step(10, 1000, 10, 0, 500, 1, 0.3, 3);
  BOOST_TEST(filter.speed() <= 3);
  for (int t = 0; t < 100; ++t) filter.Step(10, 1000, 10, 0, 0, 0.01, 0.3, 3);
  BOOST_TEST(filter.speed() >= 0.3);
}

BOOST_AUTO_TEST_CASE(coasting_shrinks_work_and_widens_the_band) {
  KalmanFilter filter;
  filter.Seed(1000, 10, 1, 0.05);
  double before = filter.EtaSdMs();
  for (int t = 0; t < 20; ++t) filter.Coast(10);
  BOOST_TEST(std::fabs(filter.remaining() - 800) < 1);
  BOOST_TEST(filter.EtaSdMs() > before);
}

BOOST_AUTO_TEST_CASE(long_gap_leaves_figures_finite) {
  KalmanFilter filter;
  filter.Seed(1e9, 1e9, 1e-3, 1);
  filter.Coast(1e12);
  filter.Step(1e12, 0, 1, 0, 0, 1, 1e-6, 1);
  BOOST_TEST(std::isfinite(filter.EtaMs()));
  BOOST_TEST(std::isfinite(filter.EtaSdMs()));
  BOOST_TEST(filter.EtaMs() >= 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
