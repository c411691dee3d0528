// What the learner keeps of finished runs.
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

#include "core/predict/pace.h"

namespace query_shaper {

namespace {

PaceSample Straight(float build_ms, float probe_ms) {
  PaceSample sample;
  sample.pipelines = 2;
  sample.pipeline_ms[0] = probe_ms;
  sample.pipeline_ms[1] = build_ms;
  sample.pipeline_work[0] = sample.pipeline_work[1] = 1000;
  for (int i = 0; i < kCurvePoints; ++i) sample.curve[i] = static_cast<float>(i + 1) / (kCurvePoints + 1);
  return sample;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pace)

BOOST_AUTO_TEST_CASE(rates_are_kept_by_pipeline) {
  Pace pace;
  BOOST_TEST(PaceRate(pace, 0) == 0);
  for (int run = 0; run < 5; ++run) LearnPace(Straight(4000, 500), 0.9, &pace);
  BOOST_TEST(PaceRate(pace, 1) > 3.5);
  BOOST_TEST(PaceRate(pace, 0) < 0.7);
  BOOST_TEST(pace.weight > 3);
  BOOST_TEST(pace.weight < 5);
}

BOOST_AUTO_TEST_CASE(another_cut_of_the_plan_starts_anew) {
  Pace pace;
  LearnPace(Straight(4000, 500), 0.9, &pace);
  PaceSample other = Straight(1, 1);
  other.pipelines = 1;
  LearnPace(other, 0.9, &pace);
  BOOST_TEST(pace.pipelines == 1);
  BOOST_TEST(pace.weight == 1);
}

BOOST_AUTO_TEST_CASE(curve_is_monotone_and_knows_its_error) {
  Pace pace;
  LearnPace(Straight(100, 100), 0.9, &pace);
  double last = 0;
  for (double x = 0; x <= 1; x += 0.01) {
    double share = CurveTimeShare(pace, x);
    BOOST_TEST(share >= last);
    BOOST_TEST(std::fabs(share - x) < 0.02);
    last = share;
  }
  double before = static_cast<double>(pace.curve_spread);
  for (int run = 0; run < 20; ++run) LearnPace(Straight(100, 100), 0.9, &pace);
  BOOST_TEST(static_cast<double>(pace.curve_spread) < 0.3 * before);
  PaceSample bent = Straight(100, 100);
  for (float& point : bent.curve) point = point * point * point;
  double straight = static_cast<double>(pace.curve_spread);
  LearnPace(bent, 0.9, &pace);
  BOOST_TEST(static_cast<double>(pace.curve_spread) > straight);
}

BOOST_AUTO_TEST_CASE(broken_figures_are_left_out) {
  Pace pace;
  PaceSample sample = Straight(100, std::numeric_limits<float>::quiet_NaN());
  sample.nodes = 1;
  sample.row_known = 1;
  sample.row_factor[0] = std::numeric_limits<float>::infinity();
  sample.curve[3] = std::numeric_limits<float>::quiet_NaN();
  LearnPace(sample, 0.9, &pace);
  BOOST_TEST(std::isfinite(PaceRate(pace, 0)));
  BOOST_TEST(pace.row_weight[0] == 0);
  BOOST_TEST(pace.curve[kCurvePoints - 1] == 0);
}

BOOST_AUTO_TEST_CASE(band_comes_to_hold_four_of_five) {
  BandScale band;
  int inside = 0, counted = 0;
  for (int run = 0; run < 4000; ++run) {
    PaceSample sample;
    // A fixed walk over the quantiles of |z| of a normal with three times the shown deviation.
    double u = std::fmod(run * 0.6180339887, 1.0);
    sample.band_z[1] = static_cast<float>(3 * std::sqrt(-2 * std::log(1 - 0.999 * u)));
    if (run > 1000) {
      ++counted;
      inside += sample.band_z[1] <= band.z80[1][1];
    }
    LearnBand(sample, true, &band);
  }
  double share = static_cast<double>(inside) / counted;
  BOOST_TEST(share > 0.75);
  BOOST_TEST(share < 0.85);
  BOOST_TEST(band.z80[0][1] == BandScale{}.z80[0][1]);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
