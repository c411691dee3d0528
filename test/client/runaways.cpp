// Runaways as their clients meet them: cancelled or held, look-alikes too, until they are lifted.
#include <boost/test/unit_test.hpp>

#include "support/session.h"

using client_test::Eventually;
using client_test::Outcome;
using client_test::Session;

namespace {

struct Stale {
  Stale() {
    client_test::Prepare();
    Session session;
    session.Run("CREATE TABLE IF NOT EXISTS stale (id int, k int) WITH (autovacuum_enabled = off)");
    if (session.Value("SELECT count(*) FROM stale") != "0") return;
    session.Run("INSERT INTO stale VALUES (1, 1)");
    session.Run("ANALYZE stale");
    session.Run("INSERT INTO stale SELECT g, g % 10 FROM generate_series(2, 4000) g");
  }
};

void Watch(Session* session, const char* runaway) {
  session->Run("SET query_shaper.replan = off");
  session->Run("SET query_shaper.learn_rows = off");
  session->Run("SET query_shaper.runaway_min_time = 100");
  session->Run(std::string("SET query_shaper.runaway = ") + runaway);
}

// One statement that runs long against its statistics, of a form of its own.
std::string Long(const std::string& name, int constant = 0) {
  return "SELECT count(*) AS " + name + ", min('" + name +
         "') FROM stale a JOIN stale b ON a.k <> b.k JOIN stale c ON c.k <> a.k " + "WHERE a.id + b.id + c.id > " +
         std::to_string(constant);
}

std::string EventsOf(Session* eye, int pid, const std::string& action, const std::string& verdict) {
  eye->Run("SELECT query_shaper.flush()");
  return eye->Value("SELECT count(*) FROM query_shaper.events WHERE pid = " + std::to_string(pid) + " AND action = '" +
                    action + "' AND verdict = '" + verdict + "'");
}

std::string Pid(const Session& session) { return std::to_string(session.pid()); }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(runaways, Stale)

BOOST_AUTO_TEST_CASE(a_runaway_is_cancelled_with_its_reasons) {
  Session session, eye;
  Watch(&session, "cancel");
  session.Run("SET query_shaper.min_cost = 1000");  // planned cheap: tracked late
  const Outcome outcome = session.Run(Long("cheap"));
  BOOST_TEST(outcome.sqlstate == "57014");
  BOOST_TEST(outcome.message == "canceling statement due to runaway limit");
  BOOST_TEST(outcome.detail.find("predicted to take") != std::string::npos);
  BOOST_TEST(outcome.hint.find("query_shaper.runaway") != std::string::npos);
  BOOST_TEST(EventsOf(&eye, session.pid(), "cancel", "done") == "1");
  // The next statement is not hit, and a user's cancel keeps its own words.
  BOOST_TEST(session.Value("SELECT count(*) FROM stale") == "4000");
  session.Run("SET query_shaper.runaway = off");
  session.Start(Long("cheap", 1));
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid(), "running"); }));
  eye.Run("SELECT pg_cancel_backend(" + Pid(session) + ")");
  BOOST_TEST(session.Finish().message == "canceling statement due to user request");
}

BOOST_AUTO_TEST_CASE(a_statement_inside_a_function_is_cancelled_with_its_caller) {
  Session session;
  Watch(&session, "cancel");
  session.Run(
      "CREATE OR REPLACE FUNCTION patient() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM count(*) AS inner_one "
      "FROM "
      "stale a JOIN stale b ON a.k <> b.k JOIN stale c ON c.k <> a.k WHERE a.id + b.id + c.id > 0; RETURN 'ended'; "
      "EXCEPTION WHEN OTHERS THEN RETURN 'swallowed'; END $$");
  const Outcome outcome = session.Run("SELECT patient()");
  BOOST_TEST(outcome.sqlstate == "57014");
  BOOST_TEST(outcome.message == "canceling statement due to runaway limit");
}

BOOST_AUTO_TEST_CASE(a_sort_is_cancelled_too) {
  Session session;
  Watch(&session, "cancel");
  const Outcome outcome = session.Run(
      "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY a.id * b.id * c.id) n FROM stale a JOIN stale b ON a.k "
      "<> b.k "
      "JOIN stale c ON c.k <> a.k) x");
  BOOST_TEST(outcome.message == "canceling statement due to runaway limit");
}

BOOST_AUTO_TEST_CASE(a_runaway_is_held_until_resumed_and_so_is_its_look_alike) {
  Session session, eye;
  Watch(&session, "pause");
  session.Start(Long("held"));
  BOOST_REQUIRE(Eventually([&] { return Shows(&eye, session.pid(), "paused"); }));
  BOOST_TEST(EventsOf(&eye, session.pid(), "pause", "done") == "1");
  BOOST_TEST(eye.Value("SELECT count(*) FROM query_shaper.events WHERE pid = " + Pid(session) +
                       " AND action = 'pause' AND reason LIKE '%query_shaper.resume(" + Pid(session) + ")%'") == "1");
  BOOST_TEST(eye.Value("SELECT query_shaper.resume(" + Pid(session) + ")") == "t");
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid(), "running"); }));
  eye.Run("SELECT pg_cancel_backend(" + Pid(session) + ")");
  BOOST_TEST(session.Finish().message == "canceling statement due to user request");

  // Another session, another constant: held before its first row.
  Session other;
  Watch(&other, "pause");
  other.Start(Long("held", 7));
  BOOST_REQUIRE(Eventually([&] { return Shows(&eye, other.pid(), "paused"); }));
  BOOST_TEST(eye.Value("SELECT sum(actual_rows) FROM query_shaper.activity_nodes WHERE actual_rows > 0 AND pid = " +
                       Pid(other)) == "");
  eye.Run("SELECT pg_cancel_backend(" + Pid(other) + ")");
  BOOST_TEST(other.Finish().sqlstate == "57014");

  const std::string query_id =
      eye.Value("SELECT max(query_id) FROM query_shaper.events WHERE action = 'pause' AND pid = " + Pid(session));
  BOOST_TEST(eye.Value("SELECT query_shaper.lift_runaway(" + query_id + ")") == "t");
  other.Run("SET query_shaper.runaway_min_time = '1h'");
  other.Start(Long("held", 8));
  BOOST_TEST(Eventually([&] { return Shows(&eye, other.pid(), "running"); }));
  BOOST_TEST(Eventually([&] {
    return eye.Value("SELECT coalesce(max(actual_rows), 0) > 0 FROM query_shaper.activity_nodes WHERE pid = " +
                     Pid(other)) == "t";
  }));
  eye.Run("SELECT pg_cancel_backend(" + Pid(other) + ")");
  BOOST_TEST(other.Finish().message == "canceling statement due to user request");
}

BOOST_AUTO_TEST_CASE(advice_leaves_it_alone) {
  Session session, eye;
  Watch(&session, "advise");
  session.Start(Long("advised"));
  BOOST_TEST(Eventually([&] { return EventsOf(&eye, session.pid(), "cancel", "advised") == "1"; }));
  BOOST_TEST(Shows(&eye, session.pid(), "running"));
  eye.Run("SELECT pg_cancel_backend(" + Pid(session) + ")");
  BOOST_TEST(session.Finish().message == "canceling statement due to user request");
}

BOOST_AUTO_TEST_CASE(parallel_workers_are_cancelled_with_their_leader) {
  Session session, eye;
  Watch(&session, "cancel");
  session.Run("SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0");
  session.Run("SET max_parallel_workers_per_gather = 2");
  BOOST_TEST(session.Run(Long("together")).message == "canceling statement due to runaway limit");
  BOOST_TEST(Eventually([&] {
    return eye.Value("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'") == "0";
  }));
}

BOOST_AUTO_TEST_SUITE_END()
