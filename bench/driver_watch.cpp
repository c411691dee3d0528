// A statement in one session, polls of its progress in another.
#include "driver_watch.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "driver.h"

namespace query_shaper::bench {

namespace {

const char kPollSql[] =
    "SELECT a.state, coalesce(a.progress, -1), coalesce(extract(epoch FROM a.eta) * 1000, -1), "
    "coalesce(extract(epoch FROM a.eta_low) * 1000, -1), coalesce(extract(epoch FROM a.eta_high) * 1000, -1), "
    "(SELECT string_agg(concat_ws('|', n.node_id, coalesce(n.parent_id, -1), n.operator, "
    "coalesce(n.estimated_rows, -1), coalesce(n.refined_rows, -1), coalesce(n.actual_rows, -1), "
    "coalesce(n.loops, -1), coalesce(n.progress, -1)), ';' ORDER BY n.node_id) "
    "FROM query_shaper.activity_nodes n WHERE n.pid = a.pid AND n.nest_level = a.nest_level) "
    "FROM query_shaper.activity a WHERE a.pid = $1 ORDER BY a.nest_level LIMIT 1";

std::vector<NodeView> ParseNodes(const std::string& text) {
  std::vector<NodeView> nodes;
  std::istringstream rows(text);
  for (std::string row; std::getline(rows, row, ';');) {
    std::istringstream fields(row);
    std::vector<std::string> values;
    for (std::string value; std::getline(fields, value, '|');) values.push_back(value);
    if (values.size() != 8) continue;
    NodeView node;
    node.node_id = std::atoi(values[0].c_str());
    node.parent_id = std::atoi(values[1].c_str());
    node.op = values[2];
    node.estimated_rows = std::atof(values[3].c_str());
    node.refined_rows = std::atof(values[4].c_str());
    node.actual_rows = std::atof(values[5].c_str());
    node.loops = std::atof(values[6].c_str());
    node.progress = std::atof(values[7].c_str());
    nodes.push_back(node);
  }
  return nodes;
}

void SetTimeout(pqxx::nontransaction* transaction, double timeout_ms) {
  transaction->exec("SET statement_timeout = " + std::to_string(static_cast<long>(timeout_ms)));
}

// Statements that write are undone, so that every run finds the same rows.
double Execute(pqxx::connection* connection, const std::string& sql, std::atomic<double>* started) {
  pqxx::work transaction(*connection);
  const double start = NowMs();
  *started = start;
  transaction.exec(sql);
  const double total_ms = NowMs() - start;
  transaction.abort();
  return total_ms;
}

}  // namespace

Watcher::Watcher(const std::string& connection) : runner_(connection), eye_(connection) {
  pqxx::nontransaction transaction(eye_);
  transaction.exec("SET query_shaper.mode = off");
  transaction.exec("SET jit = off");
  eye_.prepare("poll", kPollSql);
}

bool Watcher::Look(int pid, Poll* poll) {
  pqxx::nontransaction transaction(eye_);
  const pqxx::result rows = transaction.exec_prepared("poll", pid);
  if (rows.empty()) return false;
  poll->state = rows[0][0].c_str();
  poll->progress = rows[0][1].as<double>();
  poll->eta_ms = rows[0][2].as<double>();
  poll->low_ms = rows[0][3].as<double>();
  poll->high_ms = rows[0][4].as<double>();
  if (!rows[0][5].is_null()) poll->nodes = ParseNodes(rows[0][5].c_str());
  return true;
}

WatchedRun Watcher::Run(const std::string& sql, double interval_ms, double timeout_ms) {
  WatchedRun run;
  run.sql = sql;
  {
    pqxx::nontransaction transaction(runner_);
    SetTimeout(&transaction, timeout_ms);
  }
  const int pid = runner_.backendpid();
  std::atomic<double> started{0};
  std::atomic<bool> over{false};
  std::thread thread([&] {
    try {
      run.total_ms = Execute(&runner_, sql, &started);
    } catch (const std::exception& error) {
      run.error = error.what();
    }
    over = true;
  });
  while (started == 0 && !over) std::this_thread::yield();
  size_t missed = 0;
  try {
    while (!over) {
      const double next = NowMs() + interval_ms;
      Poll poll;
      const double before = NowMs();
      const bool seen = Look(pid, &poll);
      const double middle = (before + NowMs()) / 2;
      poll.at_ms = middle - started;
      // A reply that arrives after the end may tell of nothing that still ran.
      if (!over) {
        if (seen && poll.eta_ms >= 0) {
          run.polls.push_back(std::move(poll));
        } else {
          missed++;
        }
      }
      const double rest = next - NowMs();
      if (rest > 0) std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(rest));
    }
  } catch (...) {
    thread.join();
    throw;
  }
  thread.join();
  run.unseen = missed;
  return run;
}

WatchedRun Watcher::RunUnwatched(const std::string& sql, double timeout_ms) {
  WatchedRun run;
  run.sql = sql;
  std::atomic<double> started{0};
  try {
    {
      pqxx::nontransaction transaction(runner_);
      SetTimeout(&transaction, timeout_ms);
    }
    run.total_ms = Execute(&runner_, sql, &started);
  } catch (const pqxx::sql_error& error) {
    run.error = error.what();
    // A transaction that was cut off by its timeout is not always rolled back by its object.
    pqxx::nontransaction transaction(runner_);
    transaction.exec("ROLLBACK");
  }
  return run;
}

}  // namespace query_shaper::bench
