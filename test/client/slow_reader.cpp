// A client that does not read: its statement waits, the time left says so, and no row is lost.
#include <cstdlib>

#include "support/fixture.h"

BOOST_FIXTURE_TEST_SUITE(slow_reader, Prepared)

BOOST_AUTO_TEST_CASE(time_left_grows_while_the_client_does_not_read) {
  Session session, eye;
  // 40 MB are more than sockets hold.
  session.Start("SELECT repeat('x', 2000) AS unread FROM line");
  const std::string pid = std::to_string(session.pid());
  BOOST_REQUIRE(Eventually(
      [&] { return eye.Value("SELECT wait_event = 'ClientWrite' FROM pg_stat_activity WHERE pid = " + pid) == "t"; }));
  BOOST_TEST(Shows(&eye, session.pid(), "running"));
  const std::string eta =
      "SELECT coalesce(max(extract(epoch FROM eta)), -1) FROM query_shaper.activity WHERE pid = " + pid;
  const double at_first = std::atof(eye.Value(eta).c_str());
  BOOST_TEST(at_first >= 0);
  BOOST_TEST(Eventually([&] { return std::atof(eye.Value(eta).c_str()) > at_first * 1.5 + 0.001; }));
  BOOST_TEST(eye.Value("SELECT bool_and(progress < 1) FROM query_shaper.activity WHERE pid = " + pid) == "t");
  const Outcome outcome = session.Finish();
  BOOST_TEST(outcome.sqlstate == "");
  BOOST_TEST(outcome.rows == kLines);
  BOOST_TEST(outcome.value.size() == 2000);
  BOOST_TEST(History(&eye, "AS unread").rows == kLines);
}

BOOST_AUTO_TEST_CASE(a_client_that_goes_away_leaves_nothing_behind) {
  Session eye;
  int pid = 0;
  {
    Session session;
    pid = session.pid();
    session.Start("SELECT repeat('x', 2000) FROM line");
    BOOST_REQUIRE(Eventually([&] { return Shows(&eye, pid, "running"); }));
  }
  BOOST_TEST(Eventually([&] { return !Shows(&eye, pid); }));
  BOOST_TEST(Eventually(
      [&] { return eye.Value("SELECT count(*) FROM pg_stat_activity WHERE pid = " + std::to_string(pid)) == "0"; }));
}

BOOST_AUTO_TEST_SUITE_END()
