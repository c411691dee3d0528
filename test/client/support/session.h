// A session whose statements run in the background, and what the tests ask of the server meanwhile.
// The server is the one that PGHOST, PGPORT, PGUSER and PGDATABASE name.
#pragma once
#include <libpq-fe.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace client_test {

struct Outcome {
  std::string sqlstate;  // empty: no error
  std::string message, detail, hint, context;
  long rows = 0;
  std::string value;  // first column of the last row
};

class Session {
 public:
  // Statements of any cost are tracked. user: empty for the environment's.
  explicit Session(const std::string& user = "");
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  int pid() const { return PQbackendPID(connection_); }
  PGconn* raw() { return connection_; }

  // Sends a statement and returns at once; Finish() waits for its outcome. COPY ... TO STDOUT counts its lines as rows.
  void Start(const std::string& sql);
  Outcome Finish();
  Outcome Run(const std::string& sql);
  // First column of the only row; fails the test on an error.
  std::string Value(const std::string& sql);

 private:
  PGconn* connection_;
};

// Polls until the condition holds; false after a minute.
bool Eventually(const std::function<bool()>& condition);

// Tables and functions of the tests, made once per program:
//   line (id 1..kLines, grp, label), empty table mark (id primary key)
//   gate(id, at, key): true; at row "at" it waits for the advisory lock "key"
constexpr int kLines = 20000;
void Prepare();

// Holds the advisory lock that a gate waits for.
class ClosedGate {
 public:
  explicit ClosedGate(int key);
  void Open();

 private:
  Session session_;
  int key_;
};

// Rows of query_shaper.activity with the state, of this process, at any nest level.
bool Shows(Session* eye, int pid, const std::string& state = "");

// The only row of query_shaper.history whose text contains the mark; waits until everything is stored.
struct HistoryRow {
  long entries = 0, calls = 0, rows = 0;
  double mean_ms = 0, max_ms = 0;
};
HistoryRow History(Session* eye, const std::string& mark);

}  // namespace client_test
