// Statements of many sessions, prepared statements, errors and COPY, as a client sees them.
#include <pqxx/pqxx>

#include "support/fixture.h"

BOOST_FIXTURE_TEST_SUITE(statements, Prepared)

BOOST_AUTO_TEST_CASE(concurrent_sessions_are_shown_each_with_its_own_figures) {
  constexpr int kSessions = 6;
  ClosedGate gate(101);
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < kSessions; i++) {
    sessions.push_back(std::make_unique<Session>());
    sessions[i]->Start("SELECT count(*) AS concurrent FROM line WHERE id <= " + std::to_string(15000 + i) +
                       " AND gate(id, 10000, 101)");
  }
  Session eye;
  const std::string shown =
      "SELECT count(DISTINCT pid) FROM query_shaper.activity a WHERE query LIKE '%concurrent%' AND "
      "query NOT LIKE '%activity%' AND nest_level = (SELECT min(nest_level) FROM query_shaper.activity b WHERE b.pid = "
      "a.pid) "
      "AND state = 'running' AND progress BETWEEN 0 AND 1 AND eta_low <= eta AND eta <= eta_high";
  BOOST_TEST(Eventually([&] { return eye.Value(shown) == std::to_string(kSessions); }));
  // Every scan has passed half its rows and stands at the gate.
  const std::string at_the_gate =
      "SELECT count(*) FROM query_shaper.activity_nodes n WHERE operator = 'Seq Scan' AND relation LIKE '%line' AND "
      "actual_rows BETWEEN 9000 AND 10000";
  BOOST_TEST(Eventually([&] { return eye.Value(at_the_gate) == std::to_string(kSessions); }));
  gate.Open();
  for (int i = 0; i < kSessions; i++) {
    const Outcome outcome = sessions[i]->Finish();
    BOOST_TEST(outcome.sqlstate == "");
    BOOST_TEST(outcome.value == std::to_string(15000 + i));
    const int pid = sessions[i]->pid();
    BOOST_TEST(Eventually([&] { return !Shows(&eye, pid); }));
  }
  // One statement: constants do not tell apart.
  const HistoryRow history = History(&eye, "concurrent FROM line");
  BOOST_TEST(history.entries == 1);
  BOOST_TEST(history.calls == kSessions);
}

BOOST_AUTO_TEST_CASE(prepared_statements_keep_their_answers_and_their_name) {
  pqxx::connection connection("");
  {
    pqxx::nontransaction transaction(connection);
    transaction.exec("SET query_shaper.min_cost = 0; SET plan_cache_mode = force_generic_plan");
  }
  connection.prepare("by_group", "SELECT count(*) AS prepared_one, max(id) FROM line WHERE grp = $1 AND id <= $2");
  for (int i = 0; i < 12; i++) {
    pqxx::nontransaction transaction(connection);
    const pqxx::row row = transaction.exec_prepared1("by_group", i, 10000);
    BOOST_TEST(row[0].as<int>() == 100);
    BOOST_TEST(row[1].as<int>() == (i == 0 ? 10000 : 9900 + i));
  }
  Session eye;
  HistoryRow history = History(&eye, "prepared_one");
  BOOST_TEST(history.entries == 1);
  BOOST_TEST(history.calls == 12);
  BOOST_TEST(history.rows == 12);
  // Custom plans of the same statement have the same name.
  {
    pqxx::nontransaction transaction(connection);
    transaction.exec("SET plan_cache_mode = force_custom_plan");
    BOOST_TEST(transaction.exec_prepared1("by_group", 7, 20000)[0].as<int>() == 200);
  }
  BOOST_TEST(eye.Value("SELECT count(DISTINCT query_id) || ' ' || sum(calls) FROM query_shaper.history WHERE query "
                       "LIKE '%prepared_one%' AND query NOT LIKE '%history%'") == "1 12");
  history = History(&eye, "prepared_one");
  BOOST_TEST(history.calls == 13);
}

BOOST_AUTO_TEST_CASE(a_running_prepared_statement_is_shown) {
  ClosedGate gate(102);
  Session session, eye;
  session.Run(
      "PREPARE waiting (int) AS SELECT count(*) AS prepared_two FROM line WHERE id > $1 AND gate(id, 10000, 102)");
  session.Start("EXECUTE waiting(100)");
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid(), "running"); }));
  gate.Open();
  BOOST_TEST(session.Finish().value == std::to_string(kLines - 100));
}

BOOST_AUTO_TEST_CASE(errors_keep_sqlstate_detail_and_hint) {
  Session session;
  Outcome outcome = session.Run("SELECT sum(100 / (id - 15000)) FROM line");
  BOOST_TEST(outcome.sqlstate == "22012");
  BOOST_TEST(outcome.message == "division by zero");

  outcome = session.Run("INSERT INTO mark SELECT id % 5 FROM line");
  BOOST_TEST(outcome.sqlstate == "23505");
  BOOST_TEST(outcome.detail == "Key (id)=(1) already exists.");

  session.Run(
      "CREATE OR REPLACE FUNCTION complain(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF i = 12345 THEN "
      "RAISE EXCEPTION 'the line is bad' USING ERRCODE = 'QS777', DETAIL = 'line 12345', HINT = 'mend it'; END IF; "
      "RETURN i; END $$");
  outcome = session.Run("SELECT max(complain(id)) FROM line");
  BOOST_TEST(outcome.sqlstate == "QS777");
  BOOST_TEST(outcome.message == "the line is bad");
  BOOST_TEST(outcome.detail == "line 12345");
  BOOST_TEST(outcome.hint == "mend it");
  BOOST_TEST(outcome.context.find("complain(integer)") != std::string::npos);

  // Nothing is left behind, neither of the statement nor in the session.
  Session eye;
  BOOST_TEST(Eventually([&] { return !Shows(&eye, session.pid()); }));
  BOOST_TEST(session.Value("SELECT count(*) FROM line") == std::to_string(kLines));
  BOOST_TEST(session.Value("SELECT count(*) FROM mark") == "0");
}

BOOST_AUTO_TEST_CASE(an_error_inside_a_savepoint_leaves_the_rest_of_the_transaction_tracked) {
  ClosedGate gate(103);
  Session session, eye;
  session.Run("BEGIN");
  session.Run("INSERT INTO mark VALUES (900001)");
  session.Run("SAVEPOINT s");
  BOOST_TEST(session.Run("SELECT 1 / (id - 500) FROM line").sqlstate == "22012");
  session.Run("ROLLBACK TO s");
  session.Start("SELECT count(*) FROM line WHERE gate(id, 19000, 103)");
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid(), "running"); }));
  gate.Open();
  BOOST_TEST(session.Finish().value == std::to_string(kLines));
  session.Run("COMMIT");
  BOOST_TEST(session.Value("SELECT count(*) FROM mark WHERE id = 900001") == "1");
  session.Run("DELETE FROM mark");
}

BOOST_AUTO_TEST_CASE(copy_of_a_query_is_shown_and_remembered) {
  ClosedGate gate(104);
  Session session, eye;
  session.Start("COPY (SELECT id AS copied, label FROM line WHERE gate(id, 10000, 104)) TO STDOUT");
  BOOST_TEST(Eventually([&] { return Shows(&eye, session.pid(), "running"); }));
  gate.Open();
  const Outcome outcome = session.Finish();
  BOOST_TEST(outcome.sqlstate == "");
  BOOST_TEST(outcome.rows == kLines);
  const HistoryRow history = History(&eye, "AS copied");
  BOOST_TEST(history.calls == 1);
  BOOST_TEST(history.rows == kLines);
}

BOOST_AUTO_TEST_CASE(statements_that_write_change_each_row_once) {
  Session session, eye;
  session.Run("CREATE TABLE tally AS SELECT id, 0 AS n FROM line");
  BOOST_TEST(session.Run("UPDATE tally SET n = n + 1 WHERE id % 2 = 0").sqlstate == "");
  BOOST_TEST(session.Run("DELETE FROM tally WHERE id % 10 = 0").sqlstate == "");
  BOOST_TEST(session.Value("SELECT count(*) || ' ' || sum(n) || ' ' || max(n) FROM tally") == "18000 8000 1");
  BOOST_TEST(History(&eye, "UPDATE tally").rows == kLines / 2);
  BOOST_TEST(History(&eye, "DELETE FROM tally").rows == kLines / 10);
  session.Run("DROP TABLE tally");
}

BOOST_AUTO_TEST_SUITE_END()
