// The prefetch bench's sessions: a client that leafs through data with ever new parameters and thinks in between.
// And answers beside reads that fail.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "prefetch_cases.h"

namespace query_shaper::bench {

namespace {

constexpr int kTrained = 8;  // statements before which nothing is counted

struct Habit {
  const char* name;
  const char* column;
  long rows;       // of a page; 0: as many as one sensor has for all pages
  bool predicted;  // else nothing may be staged
};

// One sensor through time; a table in order; look-ups by parameters that jump.
const Habit kHabits[] = {
    {"one sensor, page by page", "strided", 0, true},
    {"in order, page by page", "id", 8000, true},
    {"parameters that jump", "scattered", 200, false},
};

struct Mode {
  const char* name;
  bool loaded;
  const char* configuration;
  const char* settings;
};

const Mode kModes[] = {
    {"index scan", false, "", ""},
    {"prefetch", true, "query_shaper.prefetch_stagers = 0", "SET query_shaper.prefetch = on"},
    {"staged", true, "query_shaper.prefetch_stagers = 2", "SET query_shaper.prefetch = on"},
};

std::string PageCondition(const Habit& habit, double rows, int page, int pages) {
  const long sensors = 5000, of_page = habit.rows > 0 ? habit.rows : static_cast<long>(rows) / sensors / pages;
  long low = static_cast<long>(rows / 4) + page * of_page;
  if (!habit.predicted) low = static_cast<long>(page * 7919L * 1001L % static_cast<long>(rows * 0.9));
  return std::string(habit.column) + " BETWEEN " + std::to_string(low) + " AND " + std::to_string(low + of_page - 1);
}

double Metric(pqxx::transaction_base* session, const std::string& name) {
  return std::stod(ValueOf(session, "SELECT value FROM query_shaper.metrics WHERE name = '" + name + "'"));
}

struct Session {
  std::vector<double> ms;
  double staged = 0, hits = 0, late = 0;
};

Session Leaf(const Options& options, ColdServer* server, const Mode& mode, const Habit& habit, int pages) {
  const double rows = RowsOf(options);
  const int think_ms = static_cast<int>(options.Number("think", 200));
  server->Restart(mode.loaded, true, mode.configuration);
  pqxx::connection connection(server->Connection());
  pqxx::nontransaction session(connection);
  session.exec(std::string(kScanOnly) + "SET enable_bitmapscan = off; " + mode.settings);
  const bool counted = std::string(mode.name) == "staged";
  pqxx::connection watcher_connection(server->Connection());
  pqxx::nontransaction watcher(watcher_connection);
  Session seen;
  const auto add = [&](double sign) {
    if (!counted) return;
    seen.staged += sign * Metric(&watcher, "staged_blocks_total");
    seen.hits += sign * Metric(&watcher, "staged_hits_total");
    seen.late += sign * Metric(&watcher, "staged_late_total");
  };
  for (int page = 0; page < pages; page++) {
    const double begun = NowMs() - QueuedMs(options, connection.backendpid());
    session.exec("SELECT sum(length(pad)) FROM reading WHERE " + PageCondition(habit, rows, page, pages));
    if (page >= kTrained) seen.ms.push_back(NowMs() - QueuedMs(options, connection.backendpid()) - begun);
    // What was staged for the next page counts with it.
    if (page + 1 == kTrained) add(-1);
    if (page + 1 < pages) std::this_thread::sleep_for(std::chrono::milliseconds(think_ms));
  }
  if (counted && habit.predicted) std::this_thread::sleep_for(std::chrono::milliseconds(think_ms));
  add(1);
  return seen;
}

// Distinct blocks of the pages that were counted.
double BlocksRead(ColdServer* server, const Habit& habit, double rows, int pages) {
  pqxx::connection connection(server->Connection());
  pqxx::nontransaction session(connection);
  double blocks = 0;
  for (int page = kTrained; page < pages; page++)
    blocks += std::stod(ValueOf(&session, "SELECT count(DISTINCT ((ctid::text::point)[0])::int) FROM reading WHERE " +
                                              PageCondition(habit, rows, page, pages)));
  return blocks;
}

// The first counted statement's staging began before the count did; the last one's staging is for a page that never
// comes. Both are one page.
bool CompareHabit(const Options& options, ColdServer* server, const Habit& habit, Json* result) {
  const double rows = RowsOf(options);
  const int pages = kTrained + static_cast<int>(options.Number("pages", 30));
  Json json;
  double medians[3] = {};
  Session staged;
  for (int i = 0; i < 3; i++) {
    Session seen = Leaf(options, server, kModes[i], habit, pages);
    medians[i] = Quantile(seen.ms, 0.5);
    json.Set(kModes[i].name, Json::Array(seen.ms));
    if (i == 2) staged = std::move(seen);
  }
  const double read = BlocksRead(server, habit, rows, pages);
  const double hit = staged.hits / read;
  const double wasted = staged.staged > 0 ? std::max(1 - staged.hits / staged.staged, 0.0) : 0;
  std::printf(
      "%s: index scan %.1f ms, prefetch %.1f ms, staged %.1f ms; of %.0f blocks read %.0f had been staged (%.0f were "
      "late), of %.0f staged\n",
      habit.name, medians[0], medians[1], medians[2], read, staged.hits, staged.late, staged.staged);
  std::fflush(stdout);
  json.Set("read", read).Set("staged_blocks", staged.staged).Set("hits", staged.hits).Set("late", staged.late);
  result->Set(habit.name, std::move(json));
  const std::string name = habit.name;
  if (!habit.predicted) return Check(name + ": blocks staged = 0", staged.staged, 0, 0);
  bool met = Check(name + ": share of blocks that had been staged >= 0.9", hit, 0.9, 1e9);
  met = Check(name + ": share of staged blocks never read <= 0.1", wasted, 0, 0.1) && met;
  return Check(name + ": time to prefetch alone <= 1", medians[2] / medians[1], 0, 1) && met;
}

std::string AnswerOf(ColdServer* server, const std::string& settings, const std::string& query, double* late,
                     double* asked) {
  // Reads of the catalogues are not what is tried here.
  server->Restart(true, true);
  {
    pqxx::connection connection(server->Connection());
    pqxx::nontransaction session(connection);
    session.exec(settings);
    session.exec("EXPLAIN " + query);
  }
  if (late != nullptr) {
    std::FILE* file = std::fopen(server->FaultsFile().c_str(), "w");
    if (file == nullptr) throw std::runtime_error("could not write " + server->FaultsFile());
    std::fputs("5 2000\n", file);
    std::fclose(file);
  }
  std::string answer;
  try {
    pqxx::connection connection(server->Connection());
    pqxx::nontransaction session(connection);
    session.exec(settings);
    if (late != nullptr) {
      const std::string plan = ValueOf(&session, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + query);
      *late += NumberAfter(plan, "Prefetches Late");
      *asked += NumberAfter(plan, "Prefetched Blocks");
    }
    answer = ValueOf(&session, query);
  } catch (const pqxx::sql_error& error) {
    answer = error.what();
  }
  std::filesystem::remove(server->FaultsFile());
  return answer;
}

}  // namespace

bool CompareSessions(const Options& options, ColdServer* server, Json* result) {
  bool met = true;
  for (const Habit& habit : kHabits)
    if (Selected(options, habit.column)) met = CompareHabit(options, server, habit, result) && met;
  return met;
}

// Answers and errors while reads fail that were asked for ahead. Only the slow file system can make them fail.
bool SurvivesFaults(const Options& options, ColdServer* server, Json* result) {
  if (!IsSlow(options)) return true;
  const double rows = RowsOf(options);
  const std::string scan = std::string(kScanOnly) + "SET enable_bitmapscan = off; ";
  const std::string queries[][2] = {
      {scan, RangeQuery("sum(length(pad))", "scattered", rows, 0.001, 0.85)},
      {scan, RangeQuery("sum(length(pad))", "strided", rows, 0.001, 0.85)},
      {LoopSettings(), JoinQuery(options, "SELECT sum(length(pad)) FROM keys JOIN reading ON id = k", 11)},
      {scan + "SET enable_bitmapscan = on; SET enable_indexscan = off; ",
       RangeQuery("sum(length(pad))", "scattered", rows, 0.001, 0.45)}};
  double wrong = 0, late = 0, asked = 0;
  for (const auto& query : queries) {
    const std::string right =
        AnswerOf(server, query[0] + "SET query_shaper.prefetch = off", query[1], nullptr, nullptr);
    const std::string found = AnswerOf(server, query[0] + "SET query_shaper.prefetch = on", query[1], &late, &asked);
    if (found == right) continue;
    wrong++;
    std::printf("  with faults: %s\n  without: %s\n", found.c_str(), right.c_str());
  }
  std::printf("  reads that fail the first time: %.0f asked for, %.0f of them waited for\n", asked, late);
  result->Set("faults_wrong", wrong).Set("faults_asked", asked).Set("faults_late", late);
  const bool met = Check("faults: wrong answers and errors = 0", wrong, 0, 0);
  return Check("faults: share counted late >= 0.05", asked > 0 ? late / asked : 0, 0.05, 1) && met;
}

}  // namespace query_shaper::bench
