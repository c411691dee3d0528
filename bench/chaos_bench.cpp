// chaos: statements of every shape, planned anew at random nodes, answer as they do with the extension off.
//
// The server is built with assertions, the extension with fault points: with "replan:force" a running statement is
// given another plan at nodes and rows that the dice choose, even when the plan is the same. Planner switches, memory,
// workers and the planner's idea of the tables' sizes are drawn anew for every run. One session runs everything, so
// that a leak adds up; every so often a statement is cancelled.
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <pqxx/pqxx>
#include <random>
#include <set>
#include <stdexcept>

#include "duel.h"

namespace query_shaper::bench {

namespace {

namespace fs = std::filesystem;

constexpr double kLeakSlackKb = 512;        // caches of the catalogue that fill late
constexpr double kLeakPerReplanBytes = 64;  // what a re-plan may add for good: nothing, within the noise of the above

constexpr int kRunsPerAnswer = 3;  // each interrupted elsewhere

const char* const kSegments = "SELECT count(*) FROM pg_ls_dir('pg_dynshmem')";
constexpr double kStatisticsSegments = 4;  // the server's own statistics of tables grow by these

struct Shape {
  std::string name;
  std::vector<std::string> script;
  bool ordered;  // the order of the rows is part of the answer
};

std::vector<Shape> ReadShapes(const Options& options) {
  const std::string chosen = options.Text("shapes", "");
  std::vector<Shape> shapes;
  for (const auto& entry : fs::directory_iterator(options.root + "/bench/chaos/shapes")) {
    const std::string name = entry.path().stem();
    if (!chosen.empty() && ("," + chosen + ",").find("," + name + ",") == std::string::npos) continue;
    const std::string text = ReadText(entry.path());
    shapes.push_back({name, SplitScript(text), text.rfind("-- ordered\n", 0) == 0});
  }
  if (shapes.empty()) throw std::runtime_error("no shape chosen");
  std::sort(shapes.begin(), shapes.end(), [](const Shape& a, const Shape& b) { return a.name < b.name; });
  return shapes;
}

class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  int Below(int n) { return static_cast<int>(std::uniform_int_distribution<int>(0, n - 1)(random_)); }
  bool Chance(double share) { return std::uniform_real_distribution<double>(0, 1)(random_) < share; }
  std::string Pick(std::initializer_list<const char*> words) { return words.begin()[Below(int(words.size()))]; }

 private:
  std::mt19937_64 random_;
};

std::vector<std::string> WithNumber(const std::vector<std::string>& script, int number) {
  std::vector<std::string> filled;
  for (std::string sql : script) {
    for (size_t at; (at = sql.find("{n}")) != std::string::npos;) sql.replace(at, 3, std::to_string(number));
    filled.push_back(sql);
  }
  return filled;
}

// What both runs of a shape plan under.
std::vector<std::string> Surroundings(Dice* dice) {
  std::vector<std::string> settings;
  for (const char* name : {"enable_hashjoin", "enable_mergejoin", "enable_nestloop", "enable_hashagg", "enable_sort",
                           "enable_memoize", "enable_indexscan", "enable_bitmapscan", "enable_seqscan",
                           "enable_incremental_sort", "enable_material", "enable_parallel_hash"}) {
    settings.push_back(std::string("SET ") + name + (dice->Chance(0.8) ? " = on" : " = off"));
  }
  settings.push_back(std::string("SET enable_partitionwise_join = ") + dice->Pick({"on", "off"}));
  settings.push_back(std::string("SET enable_partitionwise_aggregate = ") + dice->Pick({"on", "off"}));
  settings.push_back("SET work_mem = " + dice->Pick({"'64kB'", "'256kB'", "'4MB'", "'64MB'"}));
  const bool parallel = dice->Chance(0.35);
  settings.push_back(std::string("SET max_parallel_workers_per_gather = ") + (parallel ? "2" : "0"));
  settings.push_back(std::string("SET parallel_setup_cost = ") + (parallel ? "0" : "1000"));
  settings.push_back(std::string("SET parallel_tuple_cost = ") + (parallel ? "0" : "0.1"));
  settings.push_back(std::string("SET min_parallel_table_scan_size = ") + (parallel ? "0" : "'8MB'"));
  settings.push_back(std::string("SET parallel_leader_participation = ") + dice->Pick({"on", "on", "off"}));
  settings.push_back(std::string("SET jit = off"));
  settings.push_back(std::string("SET from_collapse_limit = ") + dice->Pick({"1", "8", "8"}));
  return settings;
}

std::vector<std::string> Interference(Dice* dice, bool forced) {
  std::vector<std::string> settings = {"SET query_shaper.mode = shape", "SET query_shaper.min_cost = 0",
                                       "SET query_shaper.replan = on", "SET query_shaper.replan_min_time = 0",
                                       "SET query_shaper.tick_interval = 1"};
  const bool ahead = dice->Chance(0.3);
  settings.push_back(std::string("SET query_shaper.fault = '") + (forced ? "replan:force" : "") +
                     (ahead ? ",prefetch:force" : "") + "'");
  settings.push_back(std::string("SET query_shaper.prefetch = ") + (ahead ? "on" : "off"));
  settings.push_back("SET query_shaper.replan_factor = " + dice->Pick({"1", "1", "1.5", "4"}));
  settings.push_back("SET query_shaper.replan_limit = " + dice->Pick({"1", "2", "3", "10"}));
  settings.push_back("SET query_shaper.learn_rows = " + dice->Pick({"on", "on", "off"}));
  settings.push_back("SET query_shaper.memoize_subplans = " + dice->Pick({"on", "on", "off"}));
  settings.push_back("SET query_shaper.grow_memory = " + dice->Pick({"on", "on", "off"}));
  settings.push_back("SET query_shaper.shadow = " + dice->Pick({"on", "off", "off"}));
  settings.push_back("SET query_shaper.shadow_min_time = " + dice->Pick({"0", "2000"}));
  return settings;
}

class Arena {
 public:
  Arena(const Options& options, Cluster* cluster)
      : session_(std::make_unique<pqxx::connection>(cluster->Connection("postgres"))),
        eye_(std::make_unique<pqxx::connection>(cluster->Connection("postgres"))) {
    Quiet(eye_.get(), "SET query_shaper.mode = off");
  }

  void Apply(const std::vector<std::string>& settings) {
    for (const std::string& setting : settings) Quiet(session_.get(), setting);
  }
  Answer Run(const std::vector<std::string>& script) { return RunScript(session_.get(), script); }

  // Back to the state before a script, whatever it left behind.
  void Clear(bool failed) {
    if (failed) Quiet(session_.get(), "ROLLBACK");
    Quiet(session_.get(), "SET statement_timeout = 0");
    Quiet(session_.get(), "SET query_shaper.mode = off");
    Quiet(session_.get(), "CLOSE ALL");
    Quiet(session_.get(), "DEALLOCATE ALL");
    Quiet(session_.get(), "RESET plan_cache_mode");
    Quiet(session_.get(), "RESET ROLE");
  }

  // The planner's idea of how many rows the tables hold, wrong by up to a thousand either way.
  void Distort(Dice* dice) {
    for (const char* table : {"a", "b", "c", "stale", "wide", "part_1", "part_2", "part_3a", "part_3b", "part2_1"}) {
      const double factor = dice->Chance(0.3) ? 1 : std::pow(10, dice->Below(7) - 3);
      Quiet(session_.get(), "UPDATE pg_class SET reltuples = greatest(1, (SELECT count(*) FROM ONLY " +
                                std::string(table) + ") * " + std::to_string(factor) + ") WHERE oid = '" + table +
                                "'::regclass");
    }
  }

  // Bytes in use in the session, once its caches have been thrown away.
  double MemoryKb() {
    Quiet(session_.get(), "DISCARD PLANS");
    return One(session_.get(), "SELECT sum(used_bytes) / 1024 FROM pg_backend_memory_contexts");
  }
  std::map<std::string, double> MemoryByContext() {
    std::map<std::string, double> memory;
    for (const auto& row : Quiet(session_.get(),
                                 "SELECT name, sum(used_bytes) / 1024 FROM pg_backend_memory_contexts "
                                 "GROUP BY 1")) {
      memory[row[0].c_str()] = row[1].as<double>();
    }
    return memory;
  }
  double Replans() {
    return One(eye_.get(), "SELECT coalesce(sum(value), 0) FROM query_shaper.metrics WHERE name LIKE '%replans_total'");
  }
  double One(const std::string& sql) { return One(eye_.get(), sql); }
  std::vector<std::string> LastEvents() {
    std::vector<std::string> events;
    for (const auto& row : Quiet(eye_.get(),
                                 "SELECT concat_ws(' ', at, action, verdict, node_id, reason, details) "
                                 "FROM query_shaper.events ORDER BY at DESC LIMIT 12"))
      events.emplace_back(row[0].c_str());
    return events;
  }
  pqxx::result Quiet(const std::string& sql) { return Quiet(eye_.get(), sql); }

 private:
  static pqxx::result Quiet(pqxx::connection* connection, const std::string& sql) {
    pqxx::nontransaction transaction(*connection);
    return transaction.exec(sql);
  }
  static double One(pqxx::connection* connection, const std::string& sql) {
    return Quiet(connection, sql)[0][0].as<double>();
  }

  std::unique_ptr<pqxx::connection> session_, eye_;
};

// Lines of the log that nothing in here explains.
std::vector<std::string> Complaints(const std::string& log) {
  std::vector<std::string> complaints;
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);) {
    const bool bad = line.find("WARNING:  ") != std::string::npos || line.find("PANIC:  ") != std::string::npos ||
                     line.find("FATAL:  ") != std::string::npos || line.find("TRAP: ") != std::string::npos ||
                     line.find("was terminated by signal") != std::string::npos ||
                     line.find(" XX") != std::string::npos;
    // A cancelled statement terminates its workers; a script that failed outside of its transaction is rolled back
    // twice.
    const bool expected = line.find("there is no transaction in progress") != std::string::npos ||
                          line.find("terminating background worker") != std::string::npos;
    if (bad && !expected) complaints.push_back(line);
  }
  return complaints;
}

// Of statements that failed; those of a plan given up end by themselves.
double WorkersTerminated(const std::string& log) {
  double count = 0;
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);)
    count += line.find("terminating background worker") != std::string::npos;
  return count;
}

// Points this process, and so the clusters that it starts, at the server with assertions and at an extension built for
// it. --plain takes the server and the stage as they are.
void ChooseServer(const Options& options, std::string* stage) {
  if (options.Has("plain")) return;
  const std::string scripts = options.root + "/scripts/";
  CommandResult server = RunCommand(ShellQuote(scripts + "assert_server.sh"));
  while (!server.output.empty() && server.output.back() == '\n') server.output.pop_back();
  if (server.status != 0) throw std::runtime_error("no server with assertions: " + server.output);
  const std::string bindir = server.output + "/pgsql/bin";
  *stage = fs::temp_directory_path().string() + "/qs-chaos.XXXXXX";
  if (mkdtemp(stage->data()) == nullptr) throw std::runtime_error("could not make a temporary directory");
  fs::permissions(*stage, fs::perms(0755));
  std::printf("building for the server with assertions\n");
  std::fflush(stdout);
  const CommandResult built =
      RunCommand(ShellQuote(scripts + "stage.sh") + " chaos " + ShellQuote(*stage) +
                 " PG_CONFIG=" + ShellQuote(bindir + "/pg_config") + " QUERY_SHAPER_FAULTS=1 2>&1");
  if (built.status != 0) throw std::runtime_error("the extension was not built: " + built.output);
  setenv("PG_BINDIR", bindir.c_str(), 1);
  setenv("QUERY_SHAPER_STAGE", stage->c_str(), 1);
}

}  // namespace

Verdict RunChaos(const Options& options) {
  const double wanted = options.Number("replans", 1000);
  const double seconds = options.Number("minutes", 20) * 60;
  const bool show = options.Has("verbose");
  const std::vector<Shape> shapes = ReadShapes(options);
  std::string stage;
  const struct Environment {
    const char* bindir = getenv("PG_BINDIR");
    const char* stage = getenv("QUERY_SHAPER_STAGE");
    const std::string* made;
    ~Environment() {  // the benches that follow want theirs back
      bindir != nullptr ? setenv("PG_BINDIR", bindir, 1) : unsetenv("PG_BINDIR");
      stage != nullptr ? setenv("QUERY_SHAPER_STAGE", stage, 1) : unsetenv("QUERY_SHAPER_STAGE");
      std::error_code ignored;
      if (!made->empty()) fs::remove_all(*made, ignored);
    }
  } environment{.made = &stage};
  ChooseServer(options, &stage);

  Cluster cluster(options, "chaos", "query_shaper",
                  {"shared_buffers = '64MB'", "autovacuum = off", "dynamic_shared_memory_type = mmap",
                   "log_min_messages = warning", "max_parallel_workers = 8", "log_line_prefix = '%m [%p] %b %e '"});
  const std::string schema = options.root + "/bench/chaos/schema.sql";
  const CommandResult loaded = RunCommand(cluster.ClientEnvironment() +
                                          " psql -X -q -v ON_ERROR_STOP=1 -d postgres -c 'CREATE EXTENSION "
                                          "query_shaper' -f " +
                                          ShellQuote(schema) + " 2>&1");
  if (loaded.status != 0) throw std::runtime_error("loading failed: " + loaded.output);

  Arena arena(options, &cluster);
  Dice dice(options.seed());
  std::vector<std::string> differing;
  std::map<std::string, double> replans_by_shape;
  std::map<std::string, double> memory_before;
  double runs = 0, cancelled = 0, slow = 0, failed_alike = 0, memory_start_kb = -1, replans_at_start = 0;
  double segments_before = 0;
  const double begun = NowMs();
  int round = 0;
  for (double replans = 0; NowMs() - begun < 1000 * seconds && (replans < wanted || round < 4); round++) {
    for (const Shape& shape : shapes) {
      const std::vector<std::string> script = WithNumber(shape.script, dice.Below(100));
      arena.Apply({"SET query_shaper.mode = off", "SET query_shaper.fault = ''", "SET statement_timeout = 0"});
      arena.Distort(&dice);
      arena.Apply({"SET statement_timeout = '3s'"});
      const std::vector<std::string> surroundings = Surroundings(&dice);
      arena.Apply(surroundings);
      const Answer expected = arena.Run(script);
      arena.Clear(!expected.ended());
      if (expected.timed_out()) {  // by dice so badly planned that it says nothing
        slow++;
        continue;
      }
      for (int run = 0; run < kRunsPerAnswer; run++) {
        arena.Apply({"SET statement_timeout = '20s'"});
        const bool cut = dice.Chance(0.05);
        const std::string cut_at = "SET statement_timeout = " + std::to_string(1 + dice.Below(40));
        const std::vector<std::string> interference = Interference(&dice, dice.Chance(0.85));
        arena.Apply(interference);
        const double before = arena.Replans();
        // Last: on a loaded machine any statement takes so long.
        if (cut) arena.Apply({cut_at});
        Answer got;
        try {
          got = arena.Run(script);
        } catch (const std::exception&) {  // the server is gone
          std::printf("  LOST at %s (round %d)\n", shape.name.c_str(), round + 1);
          for (const std::string& sql : interference) std::printf("    %s\n", sql.c_str());
          for (const std::string& sql : script) std::printf("    %s\n", sql.c_str());
          for (const std::string& line : Complaints(cluster.dir() + "/log")) std::printf("  LOG %s\n", line.c_str());
          throw;
        }
        // The timeout of a cut run may strike here, too.
        for (int attempt = 0;; attempt++) {
          try {
            arena.Clear(!got.ended());
            break;
          } catch (const pqxx::sql_error& error) {
            if (!cut || attempt == 100) throw;
          }
        }
        runs++;
        replans_by_shape[shape.name] += arena.Replans() - before;
        if (got.timed_out()) {
          (cut ? cancelled : slow)++;
          continue;
        }
        failed_alike += !expected.ended() && got.sqlstate == expected.sqlstate;
        if (!got.SameAs(expected) || (shape.ordered && got.in_order != expected.in_order)) {
          differing.push_back(shape.name);
          std::printf("  DIFFERENT %s (round %d): %zu rows %s %s, expected %zu rows %s\n", shape.name.c_str(),
                      round + 1, got.rows, got.sqlstate.c_str(), got.message.c_str(), expected.rows,
                      expected.sqlstate.c_str());
          std::printf("    %s\n    expected %s\n", got.first_row.c_str(), expected.first_row.c_str());
          for (const auto* texts : {&surroundings, &interference, &script})
            for (const std::string& sql : *texts) std::printf("    %s\n", sql.c_str());
          for (const std::string& event : arena.LastEvents()) std::printf("    %s\n", event.c_str());
          std::fflush(stdout);
        }
      }
    }
    replans = arena.Replans();
    if (round == 1) {  // by now the caches hold what they will
      arena.Apply({"SET statement_timeout = 0"});
      memory_start_kb = arena.MemoryKb();
      memory_before = arena.MemoryByContext();
      replans_at_start = replans;
      segments_before = arena.One(kSegments);
    }
    if (show) std::printf("  round %d: %.0f re-plans, %.0f runs\n", round + 1, replans, runs);
    std::fflush(stdout);
  }
  const double replans = arena.Replans();
  arena.Apply({"SET statement_timeout = 0"});
  const double memory_end_kb = arena.MemoryKb();

  std::printf(
      "%.0f runs of %zu shapes in %d rounds, %.0f re-plans, %.0f cancelled, %.0f too slow, %.0f failed as they "
      "should\n",
      runs, shapes.size(), round, replans, cancelled, slow, failed_alike);
  const double terminated = WorkersTerminated(cluster.dir() + "/log");
  std::printf("  parallel workers terminated: %.0f\n", terminated);
  std::string untouched;
  for (const auto& [name, count] : replans_by_shape) {
    if (count == 0) untouched += " " + name;
  }
  if (!untouched.empty()) std::printf("  never planned anew:%s\n", untouched.c_str());
  if (show) {
    for (const auto& [name, kb] : arena.MemoryByContext()) {
      if (kb - memory_before[name] > 16) std::printf("  %s grew by %.0f kB\n", name.c_str(), kb - memory_before[name]);
    }
  }

  // Buffers, locks, files and segments: a pin left behind would keep VACUUM (FREEZE) from cleaning its page.
  std::string leaks;
  try {
    arena.Quiet("SET statement_timeout = '60s'");
    arena.Quiet("VACUUM (FREEZE)");
  } catch (const pqxx::sql_error& error) {
    leaks += std::string(" VACUUM: ") + error.what();
  }
  const double locks = arena.One(
      "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.backend_type = 'client backend' AND "
      "a.pid <> pg_backend_pid()");
  const double files = arena.One("SELECT count(*) FROM pg_ls_tmpdir()");
  const double segments = arena.One(kSegments) - segments_before;
  const std::vector<std::string> complaints = Complaints(cluster.dir() + "/log");
  for (const std::string& line : complaints) std::printf("  LOG %s\n", line.c_str());
  if (!leaks.empty()) std::printf("  LEAK%s\n", leaks.c_str());

  constexpr double kWorkersPerFailure = 6;  // two of each Gather
  bool met = Check("re-plans", replans, wanted, 1e300);
  met = Check("answers that differ", static_cast<double>(differing.size()), 0, 0) && met;
  met = Check("statements too slow to tell, share", slow / (runs + slow), 0, 0.05) && met;
  met = Check("complaints in the server's log", static_cast<double>(complaints.size()), 0, 0) && met;
  const double allowed_kb = kLeakSlackKb + kLeakPerReplanBytes * (replans - replans_at_start) / 1024;
  met = Check("memory grown since the second round, kB", memory_end_kb - memory_start_kb, -1e300, allowed_kb) && met;
  met = Check("locks and temporary files left", locks + files, 0, 0) && met;
  met = Check("segments of shared memory more than then", segments, -1e300, kStatisticsSegments) && met;
  met = Check("workers terminated beyond those of failed statements", terminated, 0,
              kWorkersPerFailure * (cancelled + slow + failed_alike)) &&
        met;
  met = leaks.empty() && met;
  Json result, by_shape;
  for (const auto& [name, count] : replans_by_shape) by_shape.Set(name, count);
  result.Set("runs", runs).Set("rounds", double(round)).Set("replans", replans).Set("cancelled", cancelled);
  result.Set("terminated", terminated);
  result.Set("failed_alike", failed_alike).Set("differing", differing.size()).Set("complaints", complaints.size());
  result.Set("memory_start_kb", memory_start_kb).Set("memory_end_kb", memory_end_kb).Set("locks", locks);
  result.Set("files", files).Set("segments", segments).Set("replans_by_shape", std::move(by_shape));
  WriteResult(options, "chaos", std::move(result));
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
