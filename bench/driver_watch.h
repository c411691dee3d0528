// Runs a statement in one session and watches it from another, as a user with \watch would.
#pragma once
#include <pqxx/pqxx>
#include <string>
#include <vector>

namespace query_shaper::bench {

// A row of query_shaper.activity_nodes; -1 where nothing is known.
struct NodeView {
  int node_id = 0;
  int parent_id = -1;
  std::string op;
  double estimated_rows = -1, refined_rows = -1, actual_rows = -1, loops = -1, progress = -1;
};

struct Poll {
  double at_ms = 0;  // since the statement was sent, by the watcher's clock
  std::string state;
  double progress = 0, eta_ms = 0, low_ms = 0, high_ms = 0;  // -1 unknown
  std::vector<NodeView> nodes;
};

struct WatchedRun {
  std::string sql;
  double total_ms = 0;
  std::string error;        // empty: ran to its end
  size_t unseen = 0;        // polls while it ran that did not show it
  std::vector<Poll> polls;  // those that did
};

class Watcher {
 public:
  // Both sessions live as long as the watcher.
  explicit Watcher(const std::string& connection);

  WatchedRun Run(const std::string& sql, double interval_ms, double timeout_ms);
  // The same without watching.
  WatchedRun RunUnwatched(const std::string& sql, double timeout_ms);
  // False when the session does not show the process.
  bool Look(int pid, Poll* poll);

  pqxx::connection& runner() { return runner_; }

 private:
  pqxx::connection runner_, eye_;
};

}  // namespace query_shaper::bench
