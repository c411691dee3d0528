// stall: an UPDATE meets a locked row; how soon and how far its time left grows while it waits.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "driver.h"
#include "driver_watch.h"

namespace query_shaper::bench {

namespace {

struct StallTrace {
  double stalled_at_ms = -1;  // first poll at which the server says that the process waits for a lock
  double released_at_ms = -1;
  double total_ms = 0;
  std::vector<Poll> polls;
};

StallTrace WatchStall(const std::string& connection, int locked_id, double hold_ms, double interval_ms) {
  Watcher watcher(connection);
  pqxx::connection locker(connection);
  auto lock = std::make_unique<pqxx::work>(locker);
  lock->exec("SELECT 1 FROM parcel WHERE id = " + std::to_string(locked_id) + " FOR UPDATE");
  pqxx::connection eye(connection);
  const int pid = watcher.runner().backendpid();
  StallTrace trace;
  std::string error;
  std::atomic<bool> over{false};
  const double start = NowMs();
  std::jthread thread([&] {
    try {
      pqxx::work transaction(watcher.runner());
      transaction.exec("UPDATE parcel SET weight = weight + 1");
      trace.total_ms = NowMs() - start;
    } catch (const std::exception& failure) {
      error = failure.what();
    }
    over = true;
  });
  while (!over && NowMs() - start < 120000) {
    Poll poll;
    const bool seen = watcher.Look(pid, &poll);
    poll.at_ms = NowMs() - start;
    if (seen && !over) trace.polls.push_back(poll);
    if (trace.stalled_at_ms < 0) {
      pqxx::nontransaction transaction(eye);
      const auto waiting = transaction.exec("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = " +
                                            std::to_string(pid));
      if (!waiting.empty()) trace.stalled_at_ms = poll.at_ms;
    } else if (lock != nullptr && poll.at_ms - trace.stalled_at_ms > hold_ms) {
      lock.reset();
      trace.released_at_ms = NowMs() - start;
    }
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(interval_ms));
  }
  lock.reset();
  thread.join();
  if (!error.empty()) throw std::runtime_error(error);
  if (trace.stalled_at_ms < 0 || trace.released_at_ms < 0) throw std::runtime_error("the statement did not stall");
  return trace;
}

const Poll* LastBefore(const StallTrace& trace, double at_ms) {
  const Poll* last = nullptr;
  for (const Poll& poll : trace.polls) {
    if (poll.at_ms <= at_ms) last = &poll;
  }
  return last;
}

bool Report(const std::string& phase, const StallTrace& trace, Json* result) {
  const Poll* start = LastBefore(trace, trace.stalled_at_ms);
  Json json;
  json.Set("stalled_at_ms", trace.stalled_at_ms).Set("released_at_ms", trace.released_at_ms);
  json.Set("total_ms", trace.total_ms);
  std::printf("%s: stalled at %.0f ms, released at %.0f ms, ended at %.0f ms\n", phase.c_str(), trace.stalled_at_ms,
              trace.released_at_ms, trace.total_ms);
  bool met = false;
  if (start == nullptr) {
    std::printf("  the statement was not shown before it stalled\n");
  } else {
    // A band below 1 ms or 1 % of the time left would be noise, not growth.
    const double threshold = start->eta_ms + std::max(1.0, 0.01 * start->eta_ms);
    double grew_after_ms = -1;
    for (const Poll& poll : trace.polls) {
      const double since = poll.at_ms - trace.stalled_at_ms;
      if (since > 0 && poll.at_ms < trace.released_at_ms && grew_after_ms < 0 && poll.eta_ms > threshold) {
        grew_after_ms = since;
      }
    }
    for (const double since : {0.0, 250.0, 500.0, 1000.0, 2000.0, 3000.0}) {
      const Poll* poll = LastBefore(trace, trace.stalled_at_ms + since);
      if (trace.stalled_at_ms + since > trace.released_at_ms) break;
      std::printf("  %4.0f ms into the stall: eta %8.0f ms  [%.0f, %.0f]  progress %.3f\n", since, poll->eta_ms,
                  poll->low_ms, poll->high_ms, poll->progress);
    }
    const Poll* second = LastBefore(trace, trace.stalled_at_ms + 1000);
    const bool still_higher = second->eta_ms > threshold;
    json.Set("grew_after_ms", grew_after_ms).Set("eta_at_stall_ms", start->eta_ms);
    json.Set("eta_after_1s_ms", second->eta_ms);
    met = Check(phase + ", eta grew within 1000 ms of the stall", grew_after_ms, 0, 1000);
    met = Check(phase + ", eta after 1 s over eta at the stall", second->eta_ms / std::max(start->eta_ms, 1.0),
                still_higher ? 0 : 1e18, 1e18) &&
          met;
  }
  Json polls = Json::Array();
  for (const Poll& poll : trace.polls) {
    polls.Push(Json::Array({poll.at_ms, poll.progress, poll.eta_ms, poll.low_ms, poll.high_ms}));
  }
  result->Set(phase, std::move(json.Set("polls", std::move(polls))));
  return met;
}

}  // namespace

Verdict RunStall(const Options& options) {
  const int rows = static_cast<int>(options.Number("stall-rows", 600000));
  const double hold_ms = options.Number("hold", 3000);
  const double interval_ms = options.Number("interval", 20);
  Cluster cluster(options, "stall", "query_shaper", {"shared_buffers = '512MB'", "autovacuum = off"});
  const std::string connection = cluster.Connection("postgres");
  {
    pqxx::connection setup(connection);
    pqxx::nontransaction transaction(setup);
    transaction.exec("CREATE EXTENSION IF NOT EXISTS query_shaper");
    transaction.exec("DROP TABLE IF EXISTS parcel");
    transaction.exec("CREATE TABLE parcel (id int, weight int, label text)");
    transaction.exec("INSERT INTO parcel SELECT g, g % 90, 'parcel ' || g FROM generate_series(1, " +
                     std::to_string(rows) + ") g");
    transaction.exec("CREATE INDEX ON parcel (id)");
    transaction.exec("VACUUM ANALYZE parcel");
  }
  Json result;
  bool met = true;
  for (const char* phase : {"first", "repeated"}) {
    met = Report(phase, WatchStall(connection, rows / 2, hold_ms, interval_ms), &result) && met;
    pqxx::connection setup(connection);
    pqxx::nontransaction transaction(setup);
    transaction.exec("SELECT query_shaper.flush()");
    transaction.exec("VACUUM parcel");
  }
  WriteResult(options, "stall", std::move(result));
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
