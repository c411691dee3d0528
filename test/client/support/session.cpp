#include "support/session.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace client_test {

Session::Session(const std::string& user) {
  const std::string options = user.empty() ? "" : "user=" + user;
  connection_ = PQconnectdb(options.c_str());
  BOOST_REQUIRE_MESSAGE(PQstatus(connection_) == CONNECTION_OK, PQerrorMessage(connection_));
  if (user.empty()) {
    BOOST_REQUIRE_EQUAL(Run("SET query_shaper.min_cost = 0").sqlstate, "");
  }
}

Session::~Session() { PQfinish(connection_); }

void Session::Start(const std::string& sql) {
  BOOST_REQUIRE_MESSAGE(PQsendQuery(connection_, sql.c_str()) == 1, PQerrorMessage(connection_));
}

Outcome Session::Finish() {
  Outcome outcome;
  while (PGresult* result = PQgetResult(connection_)) {
    const ExecStatusType status = PQresultStatus(result);
    const auto field = [&](int code) {
      const char* text = PQresultErrorField(result, code);
      return std::string(text == nullptr ? "" : text);
    };
    if (status == PGRES_COPY_OUT) {
      char* buffer = nullptr;
      while (PQgetCopyData(connection_, &buffer, 0) > 0) {
        outcome.rows++;
        PQfreemem(buffer);
      }
    } else if (status == PGRES_TUPLES_OK) {
      outcome.rows = PQntuples(result);
      if (outcome.rows > 0) outcome.value = PQgetvalue(result, PQntuples(result) - 1, 0);
    } else if (status == PGRES_FATAL_ERROR && outcome.sqlstate.empty()) {
      // The first error tells why; after a FATAL one libpq adds that the connection is gone.
      outcome.sqlstate = field(PG_DIAG_SQLSTATE);
      // A lost connection has no SQLSTATE.
      if (outcome.sqlstate.empty()) outcome.sqlstate = "lost";
      outcome.message = field(PG_DIAG_MESSAGE_PRIMARY);
      outcome.detail = field(PG_DIAG_MESSAGE_DETAIL);
      outcome.hint = field(PG_DIAG_MESSAGE_HINT);
      outcome.context = field(PG_DIAG_CONTEXT);
    }
    PQclear(result);
  }
  return outcome;
}

Outcome Session::Run(const std::string& sql) {
  Start(sql);
  return Finish();
}

std::string Session::Value(const std::string& sql) {
  const Outcome outcome = Run(sql);
  BOOST_REQUIRE_MESSAGE(outcome.sqlstate.empty(), sql << ": " << outcome.sqlstate << " " << outcome.message);
  BOOST_REQUIRE_MESSAGE(outcome.rows == 1, sql << ": " << outcome.rows << " rows");
  return outcome.value;
}

bool Eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

void Prepare() {
  static bool done = false;
  if (done) return;
  // Before the extension exists its settings may be unknown to a session that asks for them; here it is preloaded.
  Session session;
  for (const char* sql : {
           "CREATE EXTENSION IF NOT EXISTS query_shaper",
           "CREATE TABLE line (id int, grp int, label text)",
           "CREATE TABLE mark (id int PRIMARY KEY)",
           "INSERT INTO line SELECT g, g % 100, 'line ' || g FROM generate_series(1, 20000) g",
           "VACUUM ANALYZE line",
           "CREATE FUNCTION gate(id int, at int, key int) RETURNS boolean LANGUAGE plpgsql COST 100 AS $$"
           "BEGIN IF id = at THEN PERFORM pg_advisory_lock_shared(key); PERFORM pg_advisory_unlock_shared(key); END IF;"
           "RETURN true; END $$",
       }) {
    const Outcome outcome = session.Run(sql);
    BOOST_REQUIRE_MESSAGE(outcome.sqlstate.empty(), sql << ": " << outcome.message);
  }
  done = true;
}

ClosedGate::ClosedGate(int key) : key_(key) { session_.Run("SELECT pg_advisory_lock(" + std::to_string(key) + ")"); }

void ClosedGate::Open() { session_.Run("SELECT pg_advisory_unlock(" + std::to_string(key_) + ")"); }

bool Shows(Session* eye, int pid, const std::string& state) {
  const std::string of_state = state.empty() ? "" : " AND state = '" + state + "'";
  return eye->Value("SELECT count(*) > 0 FROM query_shaper.activity WHERE pid = " + std::to_string(pid) + of_state) ==
         "t";
}

HistoryRow History(Session* eye, const std::string& mark) {
  BOOST_REQUIRE_EQUAL(eye->Run("SELECT query_shaper.flush()").sqlstate, "");
  const std::string where =
      " FROM query_shaper.history WHERE query LIKE '%" + mark + "%' AND query NOT LIKE '%history%'";
  HistoryRow row;
  row.entries = std::atol(eye->Value("SELECT count(*)" + where).c_str());
  row.calls = std::atol(eye->Value("SELECT coalesce(sum(calls), 0)" + where).c_str());
  row.rows = std::atol(eye->Value("SELECT coalesce(sum(rows), 0)" + where).c_str());
  row.mean_ms = std::atof(eye->Value("SELECT coalesce(max(mean_ms), 0)" + where).c_str());
  row.max_ms = std::atof(eye->Value("SELECT coalesce(max(max_ms), 0)" + where).c_str());
  return row;
}

}  // namespace client_test
