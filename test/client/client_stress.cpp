// The load of the stress bench with a small bound: polls, pauses, resumes and cancels beside pgbench and parallel
// queries.
#include <boost/test/unit_test.hpp>

#include "stress_load.h"

BOOST_AUTO_TEST_CASE(nothing_is_lost_stuck_or_wrong_under_polls_pauses_and_cancels) {
  query_shaper::bench::StressPlan plan;
  plan.seconds = 20;
  plan.polls = 1000;
  plan.rows = 50000;
  const query_shaper::bench::StressOutcome outcome = query_shaper::bench::RunStressLoad(plan);
  for (const std::string& fault : outcome.faults) BOOST_ERROR(fault);
  BOOST_TEST(outcome.polls >= 1000);
  BOOST_TEST(outcome.queries > 0);
  BOOST_TEST(outcome.batches > 0);
  BOOST_TEST(outcome.cursors > 0);
  BOOST_TEST(outcome.pauses > 0);
  BOOST_TEST(outcome.resumes > 0);
  BOOST_TEST(outcome.cancelled > 0);
  BOOST_TEST(outcome.pgbench_transactions > 0);
}
