// Pausing, resuming and cancelling from another session, and who may.
#include "support/fixture.h"

namespace {

// Longer than any test waits.
const char kEndless[] = "SELECT count(*) FROM line a, line b, line c WHERE a.id + b.id + c.id > 0";

std::string Pause(int pid) { return "SELECT query_shaper.pause(" + std::to_string(pid) + ")"; }
std::string Resume(int pid) { return "SELECT query_shaper.resume(" + std::to_string(pid) + ")"; }
std::string Cancel(int pid) { return "SELECT pg_cancel_backend(" + std::to_string(pid) + ")"; }

bool MakeRole(Session* session, const std::string& role) {
  return session->Run("CREATE ROLE " + role + " LOGIN").sqlstate.empty() &&
         session->Run("GRANT USAGE ON SCHEMA query_shaper TO " + role).sqlstate.empty() &&
         session->Run("GRANT SELECT ON line TO " + role).sqlstate.empty();
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(control, Prepared)

BOOST_AUTO_TEST_CASE(a_cancel_arrives_as_such) {
  Session session, eye;
  session.Start(kEndless);
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid(), "running"); }));
  BOOST_TEST(eye.Value(Cancel(session.pid())) == "t");
  const Outcome outcome = session.Finish();
  BOOST_TEST(outcome.sqlstate == "57014");
  BOOST_TEST(outcome.message == "canceling statement due to user request");
  BOOST_TEST(Eventually([&] { return !Shows(&eye, session.pid()); }));
  BOOST_TEST(session.Value("SELECT count(*) FROM line") == std::to_string(kLines));
}

BOOST_AUTO_TEST_CASE(a_statement_timeout_arrives_as_such) {
  Session session;
  session.Run("SET statement_timeout = '200ms'");
  const Outcome outcome = session.Run(kEndless);
  BOOST_TEST(outcome.sqlstate == "57014");
  BOOST_TEST(outcome.message == "canceling statement due to statement timeout");
}

BOOST_AUTO_TEST_CASE(a_paused_statement_stands_still_and_goes_on) {
  ClosedGate gate(301);
  Session session, eye;
  const auto start = Clock::now();
  // What is left behind the gate lasts many ticks: the pause is asked for by one.
  session.Start("SELECT count(*) AS paused_one FROM line, generate_series(1, 20) g WHERE gate(id + 0 * g, 100, 301)");
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid(), "running"); }));
  BOOST_TEST(eye.Value(Pause(session.pid())) == "t");
  gate.Open();
  BOOST_REQUIRE(Eventually([&] { return Shows(&eye, session.pid(), "paused"); }));
  const auto paused = Clock::now();
  const std::string rows = "SELECT coalesce(sum(actual_rows), 0) FROM query_shaper.activity_nodes WHERE pid = " +
                           std::to_string(session.pid());
  const std::string rows_at_first = eye.Value(rows);
  for (int look = 0; look < 5; look++) {
    eye.Run("SELECT pg_sleep(0.1)");
    BOOST_TEST(eye.Value(rows) == rows_at_first);
    BOOST_TEST(Shows(&eye, session.pid(), "paused"));
  }
  const double paused_ms = Ms(Clock::now() - paused);
  BOOST_TEST(eye.Value(Resume(session.pid())) == "t");
  BOOST_TEST(session.Finish().value == std::to_string(20 * kLines));
  const double whole_ms = Ms(Clock::now() - start);
  const HistoryRow history = History(&eye, "paused_one");
  BOOST_TEST(history.calls == 1);
  BOOST_TEST(history.mean_ms <= whole_ms - paused_ms);
}

BOOST_AUTO_TEST_CASE(a_leader_that_waits_for_held_workers_is_paused) {
  Session session, eye;
  session.Run(
      "SET parallel_leader_participation = off; SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; "
      "SET parallel_tuple_cost = 1000; SET max_parallel_workers_per_gather = 2");
  session.Start(kEndless);
  const std::string pid = std::to_string(session.pid());
  BOOST_REQUIRE(Eventually(
      [&] { return eye.Value("SELECT count(*) > 0 FROM pg_stat_activity WHERE leader_pid = " + pid) == "t"; }));
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid(), "running"); }));
  BOOST_TEST(eye.Value(Pause(session.pid())) == "t");
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid(), "paused"); }));
  BOOST_TEST(eye.Value(Resume(session.pid())) == "t");
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid(), "running"); }));
  BOOST_TEST(eye.Value(Cancel(session.pid())) == "t");
  BOOST_TEST(session.Finish().sqlstate == "57014");
}

BOOST_AUTO_TEST_CASE(a_cancel_reaches_a_paused_statement) {
  Session session, eye;
  session.Start(kEndless);
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid(), "running"); }));
  BOOST_TEST(eye.Value(Pause(session.pid())) == "t");
  BOOST_REQUIRE(Eventually([&] { return Shows(&eye, session.pid(), "paused"); }));
  BOOST_TEST(eye.Value(Cancel(session.pid())) == "t");
  BOOST_TEST(session.Finish().sqlstate == "57014");
  BOOST_TEST(Eventually([&] { return !Shows(&eye, session.pid()); }));
  // A pause that was not resumed does not hold the next statement.
  BOOST_TEST(session.Value("SELECT count(*) FROM line") == std::to_string(kLines));
}

BOOST_AUTO_TEST_CASE(a_paused_session_can_be_terminated) {
  Session session, eye;
  session.Start(kEndless);
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid(), "running"); }));
  const int pid = session.pid();
  BOOST_TEST(eye.Value(Pause(pid)) == "t");
  BOOST_REQUIRE(Eventually([&] { return Shows(&eye, pid, "paused"); }));
  BOOST_TEST(eye.Value("SELECT pg_terminate_backend(" + std::to_string(pid) + ", 30000)") == "t");
  BOOST_TEST(session.Finish().sqlstate == "57P01");
  BOOST_TEST(Eventually([&] { return !Shows(&eye, pid); }));
}

BOOST_AUTO_TEST_CASE(parallel_queries_pause_and_end_with_the_right_answer) {
  Session session, eye;
  session.Run("SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0");
  session.Run("SET max_parallel_workers_per_gather = 2");
  session.Start("SELECT count(*) FROM line a, line b WHERE a.id + b.id > 0 AND a.id <= 2000");
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid()); }));
  // It may have ended by now: then the answer alone is checked.
  const Outcome pause = eye.Run(Pause(session.pid()));
  if (pause.sqlstate.empty() && pause.value == "t") {
    eye.Run("SELECT pg_sleep(0.2)");
    eye.Run(Resume(session.pid()));
  }
  BOOST_TEST(session.Finish().value == std::to_string(2000L * kLines));
}

BOOST_AUTO_TEST_CASE(nobody_pauses_the_statements_of_others_without_the_right) {
  Session owner;
  BOOST_REQUIRE(MakeRole(&owner, "amina"));
  BOOST_REQUIRE(MakeRole(&owner, "boris"));
  BOOST_REQUIRE(MakeRole(&owner, "chiara"));
  BOOST_REQUIRE(owner.Run("GRANT pg_signal_backend TO chiara").sqlstate.empty());
  Session amina("amina"), boris("boris");
  amina.Start(kEndless);
  boris.Start(kEndless);
  BOOST_TEST(
      Eventually([&] { return Shows(&owner, amina.pid(), "running") && Shows(&owner, boris.pid(), "running"); }));

  Session other_amina("amina"), other_boris("boris");
  BOOST_TEST(other_boris.Run(Pause(amina.pid())).sqlstate == "42501");
  BOOST_TEST(other_amina.Run(Pause(boris.pid())).sqlstate == "42501");
  BOOST_TEST(other_boris.Run(Pause(owner.pid())).sqlstate == "42501");
  BOOST_TEST(Shows(&owner, amina.pid(), "running"));

  BOOST_TEST(other_amina.Value(Pause(amina.pid())) == "t");
  BOOST_TEST(Eventually([&] { return Shows(&owner, amina.pid(), "paused"); }));
  BOOST_TEST(other_boris.Run(Resume(amina.pid())).sqlstate == "42501");
  BOOST_TEST(Shows(&owner, amina.pid(), "paused"));

  // Membership in pg_signal_backend suffices, as for pg_cancel_backend().
  Session chiara("chiara");
  BOOST_TEST(chiara.Value(Pause(boris.pid())) == "t");
  BOOST_TEST(Eventually([&] { return Shows(&owner, boris.pid(), "paused"); }));
  BOOST_TEST(chiara.Value(Resume(boris.pid())) == "t");
  BOOST_TEST(Eventually([&] { return Shows(&owner, boris.pid(), "running"); }));

  // What others run is hidden, as in pg_stat_activity.
  const std::string text = "SELECT coalesce(min(query), '') FROM query_shaper.activity WHERE pid = ";
  BOOST_TEST(other_boris.Value(text + std::to_string(amina.pid())).find("FROM line") == std::string::npos);
  BOOST_TEST(other_amina.Value(text + std::to_string(amina.pid())).find("FROM line") != std::string::npos);

  owner.Run(Cancel(amina.pid()));
  owner.Run(Cancel(boris.pid()));
  BOOST_TEST(amina.Finish().sqlstate == "57014");
  BOOST_TEST(boris.Finish().sqlstate == "57014");
}

BOOST_AUTO_TEST_SUITE_END()
