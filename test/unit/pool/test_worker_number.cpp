// Workers against the time that they save.
#include <boost/test/unit_test.hpp>

#include <limits>

#include "core/pool/worker_number.h"

namespace query_shaper {
namespace {

int Worth(int planned, int most, double predicted_ms, double log_sd, double share = 1) {
  WorkerQuestion question;
  question.planned = planned;
  question.most = most;
  question.predicted_ms = predicted_ms;
  question.log_sd = log_sd;
  question.parallel_share = share;
  return WorkersWorth(question);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(worker_number)

BOOST_AUTO_TEST_CASE(short_statements_start_none) { BOOST_TEST(Worth(2, 2, 6.5, 0.3) == 0); }

BOOST_AUTO_TEST_CASE(long_ones_start_all_that_they_may) {
  BOOST_TEST(Worth(2, 8, 60000, 0.3) == 8);
  BOOST_TEST(Worth(2, 2, 60000, 0.3) == 2);
}

BOOST_AUTO_TEST_CASE(what_is_unsure_moves_nothing) {
  BOOST_TEST(Worth(2, 8, 60000, 1.5) == 2);
  BOOST_TEST(Worth(2, 8, 5, 1.5) == 2);
  BOOST_TEST(Worth(2, 8, std::numeric_limits<double>::quiet_NaN(), 0.3) == 2);
}

BOOST_AUTO_TEST_CASE(never_more_than_allowed) {
  for (int most = 0; most < 6; ++most)
    for (double ms : {1.0, 50.0, 5000.0, 1e7}) BOOST_TEST(Worth(4, most, ms, 0.3) <= most);
}

BOOST_AUTO_TEST_CASE(a_serial_plan_is_not_worth_more) { BOOST_TEST(Worth(2, 8, 1000, 0.3, 0.02) <= 2); }

BOOST_AUTO_TEST_CASE(longer_is_never_fewer) {
  int before = 0;
  for (double ms = 1; ms < 1e6; ms *= 1.5) {
    int now = Worth(2, 8, ms, 0.3);
    BOOST_TEST(now >= before);
    before = now;
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
