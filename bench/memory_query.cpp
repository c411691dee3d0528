// memory-query: what memory for single nodes is worth, one statement at a time.
//
//   single     one statement with a large sort beside small hash aggregates, one with a large sort above small hash
//              tables, one with a large sort and a large hash table:
//              work_mem as it is, high, and ours with a pool of --share of what the high one takes. As root in a memory
//              control group that has --spare MB beside what the high one takes, so that temporary files, tables and
//              nodes compete
//   spills     the templates of bench/workload: temporary bytes and time, stock against ours, pass by pass
//   alternate  statements whose parameter alternates: how much grants move
//   joins      16 hash joins at once in a memory control group that kills the server with a high work_mem
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <numeric>
#include <regex>
#include <stdexcept>
#include <thread>

#include "driver_templates.h"
#include "duel.h"
#include "memory_group.h"

namespace query_shaper::bench {

namespace {

// The largest private memory of a process while this object lives.
class PeakWatch {
 public:
  explicit PeakWatch(int pid)
      : pid_(pid), thread_([this] {
          while (!over_) {
            peak_kb_ = std::max(peak_kb_, PrivateKb(pid_));
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
          }
        }) {}
  ~PeakWatch() { (void)Stop(); }
  PeakWatch(const PeakWatch&) = delete;
  PeakWatch& operator=(const PeakWatch&) = delete;
  double Stop() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
    return peak_kb_;
  }

 private:
  int pid_;
  std::atomic<bool> over_ = false;
  double peak_kb_ = 0;
  std::thread thread_;  // last: it reads the others
};

struct Measured {
  double ms = 1e300, peak_kb = 0, temp_kb = 0;
  uint64_t checksum = 0;
};

double TempKb(Contender* server) {
  const std::string& any = server->databases().front();
  return server->Ask(any, "SELECT sum(temp_bytes) / 1024 FROM pg_stat_database")[0][0].as<double>();
}

// Figures of a session arrive when it has ended.
double TempKbOf(Contender* server, const std::function<void()>& work) {
  server->Reconnect();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const double before = TempKb(server);
  work();
  server->Reconnect();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  return TempKb(server) - before;
}

// One run more, of which the best counts: what disturbs only adds.
void MeasureOnce(Contender* server, const Options& options, const std::string& work_mem, const std::string& sql,
                 double timeout_ms, Measured* best) {
  pqxx::connection connection(server->cluster().Connection("memory"));
  const Answer ready = RunScript(
      &connection,
      {"SET work_mem = '" + work_mem + "'", "SET max_parallel_workers_per_gather = 0", "SET jit = off",
       "SET statement_timeout = " + std::to_string(static_cast<long>(timeout_ms)), "SELECT count(*) FROM pg_class"});
  if (!ready.ended()) throw std::runtime_error("could not prepare: " + ready.message);
  const int pid = connection.backendpid();
  const double base_kb = PrivateKb(pid), cpu_before = ProcessCpuMs(pid), before = NowMs();
  PeakWatch watch(pid);
  const Answer answer = RunScript(&connection, {sql});
  const double wall_ms = NowMs() - before;
  const double peak_kb = watch.Stop() - base_kb;
  const double ms = options.Text("clock", "wall") == "cpu" ? ProcessCpuMs(pid) - cpu_before : wall_ms;
  if (!answer.ended()) throw std::runtime_error("statement failed: " + answer.message);
  best->checksum = answer.checksum;
  best->peak_kb = std::max(best->peak_kb, peak_kb);
  best->ms = std::min(best->ms, ms);
}

Measured Measure(Contender* server, const Options& options, const std::string& work_mem, const std::string& sql,
                 int repeats, double timeout_ms) {
  Measured best;
  for (int i = 0; i < repeats; i++) MeasureOnce(server, options, work_mem, sql, timeout_ms, &best);
  return best;
}

struct SingleStatement {
  const char* name;
  const char* sql;
};

// A large sort beside four hash aggregates of some 35 MB, a small sort and a small hash table.
const SingleStatement kOneLarge = {
    "single",
    "SELECT count(*), max(x.line), max(x.rank),"
    "  (SELECT max(n) FROM (SELECT visitor, count(*) AS n FROM visits GROUP BY visitor) v) AS most,"
    "  (SELECT max(sum) FROM (SELECT page, sum(spent) FROM visits GROUP BY page) p) AS dearest,"
    "  (SELECT max(min) FROM (SELECT referrer, min(at) FROM visits GROUP BY referrer) r) AS newest,"
    "  (SELECT min(max) FROM (SELECT campaign, max(at) FROM visits GROUP BY campaign) c) AS oldest,"
    "  (SELECT max(rank) FROM (SELECT rank() OVER (ORDER BY visitor) FROM visits WHERE spent < 5) s) AS sorted,"
    "  (SELECT max(d.text) FROM facts f JOIN details d USING (id) WHERE d.weight < 0.15) AS joined "
    "FROM (SELECT line, rank() OVER (ORDER BY at) FROM ("
    "  SELECT at, page || ' from ' || referrer || ' by ' || campaign AS line FROM visits WHERE spent < 95 OFFSET 0) l) "
    "x "
    "WHERE x.rank <= 100000"};

// A large sort above four hash tables of some ten MB, which are little slower in parts, and a small hash aggregate.
const SingleStatement kOneLargeAboveJoins = {
    "above joins",
    "SELECT count(*), max(x.a), max(x.b), max(x.c), max(x.d), max(x.rank), sum(g.c) FROM ("
    "  SELECT f.customer, a.text AS a, b.text AS b, c.text AS c, d.text AS d, f.note,"
    "    rank() OVER (PARTITION BY f.product ORDER BY f.at) AS rank"
    "  FROM facts f LEFT JOIN (SELECT id, text FROM details WHERE id <= 125000) a USING (id)"
    "  LEFT JOIN (SELECT id, text FROM details WHERE id > 875000) b USING (id)"
    "  LEFT JOIN (SELECT id, text FROM details WHERE id BETWEEN 200000 AND 325000) c USING (id)"
    "  LEFT JOIN (SELECT id, text FROM details WHERE id BETWEEN 500000 AND 625000) d USING (id)"
    "  WHERE coalesce(a.text, b.text, c.text, d.text, f.note) < '8') x "
    "JOIN (SELECT customer, count(*) AS c FROM facts GROUP BY customer) g USING (customer)"};

// A large sort and a large hash table.
const SingleStatement kTwoLarge = {
    "two large",
    "SELECT count(*), max(x.text), max(x.rank) FROM ("
    "  SELECT d.text, f.customer, rank() OVER (PARTITION BY f.product ORDER BY d.weight) AS rank"
    "  FROM facts f JOIN details d USING (id)) x "
    "JOIN (SELECT customer, count(*) AS c FROM facts GROUP BY customer) g USING (customer) "
    "JOIN (SELECT product, max(id) AS last FROM facts WHERE id < 20000 GROUP BY product ORDER BY 2) p ON p.product = "
    "g.c"};

// A server in control groups of its own, its data not cached; without a limit one with its data cached.
struct Pressed {
  Pressed(const Options& options, const std::string& name, bool shaped, const DataTemplate& data, double timeout_ms,
          double limit_mb, double disk_mb, const std::vector<std::string>& settings)
      : server(options, name, shaped, data, {"memory"}, timeout_ms, settings) {
    if (limit_mb <= 0) {
      server.Warm();
      return;
    }
    const std::string group = "query_shaper_single_" + name + "_" + std::to_string(getpid());
    EvictData(server.cluster());
    memory = std::make_unique<MemoryGroup>(group, limit_mb);
    memory->TakeServer(server.cluster());
    if (disk_mb > 0) disk = std::make_unique<DiskGroup>(group, server.cluster(), disk_mb);
  }
  // They outlive the server.
  std::unique_ptr<MemoryGroup> memory;
  std::unique_ptr<DiskGroup> disk;
  Contender server;
};

Verdict Single(const Options& options, const DataTemplate& data, const SingleStatement& one, Json* result) {
  const std::string name = one.name;
  const double timeout_ms = options.Number("timeout", 120000);
  const int repeats = static_cast<int>(options.Number("repeats", 3));
  const double share = options.Number("share", 0.6), spare_mb = options.Number("spare", 96);
  const double disk_mb = options.Number("disk", 0);
  const bool pressed = geteuid() == 0 && spare_mb > 0;
  std::vector<std::string> settings = {"shared_buffers = '32MB'"};
  double need_kb = 0;
  {
    Contender stock(options, "stock", false, data, {"memory"}, timeout_ms, settings);
    need_kb = Measure(&stock, options, "1GB", one.sql, 1, timeout_ms).peak_kb;
  }
  const double limit_mb = pressed ? need_kb / 1024 + spare_mb : 0;
  Pressed stock(options, "stock", false, data, timeout_ms, limit_mb, disk_mb, settings);
  // A claim gets half of the pool at most.
  const long pool_mb = static_cast<long>(share * need_kb / 1024);
  settings.push_back("query_shaper.memory_pool = '" + std::to_string(2 * pool_mb) + "MB'");
  Pressed ours(options, "ours", true, data, timeout_ms, limit_mb, disk_mb, settings);
  const Measured first = Measure(&ours.server, options, "4MB", one.sql, 1, timeout_ms);
  ours.server.Ask("memory", "SELECT query_shaper.flush()");
  Measured low, high, learned;
  for (int i = 0; i < repeats; i++) {
    MeasureOnce(&stock.server, options, "4MB", one.sql, timeout_ms, &low);
    MeasureOnce(&stock.server, options, "1GB", one.sql, timeout_ms, &high);
    MeasureOnce(&ours.server, options, "4MB", one.sql, timeout_ms, &learned);
  }
  const double gain = (low.ms - learned.ms) / (low.ms - high.ms);
  std::printf(
      "  %s%s: work_mem 4MB %.0f ms, %.0f MB; 1GB %.0f ms, %.0f MB; ours first %.0f ms, %.0f MB; later %.0f ms, "
      "%.0f MB\n",
      one.name, pressed ? (", group of " + std::to_string(static_cast<int>(limit_mb)) + " MB").c_str() : "", low.ms,
      low.peak_kb / 1024, high.ms, high.peak_kb / 1024, first.ms, first.peak_kb / 1024, learned.ms,
      learned.peak_kb / 1024);
  Json json;
  json.Set("limit_mb", limit_mb).Set("disk_mb", disk_mb).Set("low_ms", low.ms);
  json.Set("low_peak_kb", low.peak_kb).Set("high_ms", high.ms).Set("high_peak_kb", high.peak_kb);
  json.Set("first_ms", first.ms).Set("first_peak_kb", first.peak_kb).Set("ms", learned.ms);
  json.Set("peak_kb", learned.peak_kb);
  result->Set(name, std::move(json));
  bool met = false;
  // A gain that is lost in what the same statement takes from run to run has no share.
  if (high.ms <= 0.95 * low.ms)
    met = Check(name + ": share of the gain of a high work_mem", gain, 0.95, 1e9);
  else
    met =
        Check(name + ": a high work_mem gains nothing; time over its", learned.ms / std::min(low.ms, high.ms), 0, 1.05);
  met = Check(name + ": peak memory, share of that of a high work_mem", learned.peak_kb / high.peak_kb, 0, 0.6) && met;
  met = Check(name + ": answers that differ", (first.checksum != low.checksum) + (learned.checksum != low.checksum), 0,
              0) &&
        met;
  return met ? Verdict::kMet : Verdict::kMissed;
}

// The templates of bench/workload, their constants drawn once.
std::vector<Entrant> WorkloadStatements(const Options& options, Contender* server) {
  std::vector<Entrant> entrants;
  std::mt19937_64 random(options.seed());
  for (Template query : ReadTemplates(options)) {
    if (!Chosen(options, "queries", query.name) || (query.data != "gene" && query.data != "stats")) continue;
    for (Parameter& parameter : query.parameters)
      for (const auto& row : server->Ask(query.data, parameter.candidates_sql))
        parameter.candidates.push_back(row[0].as<std::string>());
    pqxx::connection connection(server->cluster().Connection(query.data));
    Entrant entrant;
    entrant.name = query.name;
    entrant.database = query.data;
    entrant.script = {Instantiate(query, &connection, &random)};
    entrants.push_back(std::move(entrant));
  }
  return entrants;
}

Verdict Spills(const Options& options, Json* result) {
  const double timeout_ms = options.Number("timeout", 120000);
  const std::vector<std::string> databases = {"gene", "stats"};
  const DataTemplate data(options, databases);
  Contender stock(options, "stock", false, data, databases, timeout_ms);
  Contender ours(options, "ours", true, data, databases, timeout_ms,
                 {"query_shaper.memory_pool = '" + options.Text("pool", "2GB") + "'"});
  for (Contender* server : {&stock, &ours}) server->Warm();
  const std::vector<Entrant> entrants = WorkloadStatements(options, &stock);
  const int passes = static_cast<int>(options.Number("passes", 3));
  std::vector<double> temp_kb, ms;
  std::vector<Answer> expected;
  int differing = 0;
  auto pass = [&](Contender* server) {
    double total_ms = 0;
    temp_kb.push_back(TempKbOf(server, [&] {
      for (size_t i = 0; i < entrants.size(); i++) {
        const Answer answer = server->Run(entrants[i].database, entrants[i].script);
        total_ms += ContestMs(options, answer, timeout_ms);
        if (options.Has("verbose"))
          std::printf("  %s %-32s %8.0f ms\n", server == &stock ? "stock" : "ours ", entrants[i].name.c_str(),
                      ContestMs(options, answer, timeout_ms));
        if (server == &stock && expected.size() < entrants.size())
          expected.push_back(answer);
        else if (i < expected.size() && !answer.SameAs(expected[i])) {
          differing++;
          std::printf("  DIFFERENT answer: %s\n", entrants[i].name.c_str());
        }
      }
    }));
    ms.push_back(total_ms);
  };
  pass(&stock);
  for (int i = 0; i < passes; i++) {
    pass(&ours);
    for (const std::string& database : databases) ours.Ask(database, "SELECT query_shaper.flush()");
  }
  pass(&stock);
  const double stock_ms = std::min(ms.front(), ms.back());
  for (size_t i = 0; i < ms.size(); i++)
    std::printf("  spills: %s %.0f MB of temporary files, %.0f ms\n",
                i == 0 || i + 1 == ms.size() ? "stock" : ("ours, pass " + std::to_string(i)).c_str(), temp_kb[i] / 1024,
                ms[i]);
  Json json;
  json.Set("temp_kb", Json::Array(temp_kb)).Set("ms", Json::Array(ms));
  result->Set("spills", std::move(json));
  const size_t last = static_cast<size_t>(passes);
  bool met = Check("spills: temporary bytes of the first pass, share of stock's", temp_kb[1] / temp_kb[0], 0, 0.6);
  met = Check("spills: temporary bytes of the last pass, share of stock's", temp_kb[last] / temp_kb[0], 0, 0.1) && met;
  met = Check("spills: time of the last pass, share of stock's", ms[last] / stock_ms, 0, 1.02) && met;
  met = Check("spills: answers that differ", differing, 0, 0) && met;
  return met ? Verdict::kMet : Verdict::kMissed;
}

double GrantedKb(pqxx::nontransaction* session, const std::string& sql) {
  double kb = 0;
  const std::regex granted("Granted: ([0-9]+)kB");
  for (const auto& row : session->exec("EXPLAIN (ANALYZE, TIMING off) " + sql)) {
    const std::string line = row[0].as<std::string>();
    std::smatch match;
    if (std::regex_search(line, match, granted)) kb += std::stod(match[1]);
  }
  return kb;
}

Verdict Alternate(const Options& options, const DataTemplate& data, Json* result) {
  const std::vector<std::string> statements = {
      "SELECT id, note FROM skewed WHERE kind = %d ORDER BY note",
      "SELECT note, count(*) FROM skewed WHERE kind = %d GROUP BY note",
      "SELECT count(s.note || d.text) FROM skewed s JOIN details d USING (id) WHERE s.kind = %d",
      "SELECT count(DISTINCT note) FROM skewed WHERE kind = %d",
  };
  Contender ours(options, "ours", true, data, {"memory"}, 60000, {"query_shaper.memory_pool = '1GB'"});
  ours.Warm();
  pqxx::connection connection(ours.cluster().Connection("memory"));
  pqxx::nontransaction session(connection);
  for (const char* setting : {"work_mem = '64kB'", "max_parallel_workers_per_gather = 0", "jit = off"})
    session.exec(std::string("SET ") + setting);
  const int runs = static_cast<int>(options.Number("runs", 16));
  int changed = 0, compared = 0;
  for (const std::string& statement : statements) {
    double before = 0;
    for (int run = 0; run < runs; run++) {
      char sql[512];
      std::snprintf(sql, sizeof sql, statement.c_str(), run % 2 == 0 ? 100 : 20);
      const double granted = std::max(64.0, GrantedKb(&session, sql));
      if (run >= 5) {
        compared++;
        changed += std::max(granted, before) > 2 * std::min(granted, before);
      }
      if (options.Has("verbose")) std::printf("  %-70s run %d: %.0f kB\n", sql, run, granted);
      before = granted;
    }
  }
  std::printf("  alternate: %d of %d grants changed by more than twice\n", changed, compared);
  Json json;
  json.Set("changed", changed).Set("compared", compared);
  result->Set("alternate", std::move(json));
  return Check("alternate: share of grants that change by more than twice after five runs",
               static_cast<double>(changed) / compared, 0, 0.1)
             ? Verdict::kMet
             : Verdict::kMissed;
}

struct Crowd {
  int failed = 0;
  double kills = 0, wall_ms = 0;
};

// 16 hash joins of some 110 MB each, the server in a control group of its own.
Crowd Join16(const Options& options, Contender* server, const std::string& work_mem, double limit_mb) {
  MemoryGroup group("query_shaper_joins_" + std::to_string(getpid()), limit_mb);
  group.TakeServer(server->cluster());
  Crowd crowd;
  std::atomic<int> failed = 0;
  const double before = NowMs();
  std::vector<std::thread> clients;
  for (int client = 0; client < 16; client++)
    clients.emplace_back([&, client] {
      try {
        pqxx::connection connection(server->cluster().Connection("memory"));
        pqxx::nontransaction session(connection);
        session.exec("SET work_mem = '" + work_mem + "'");
        session.exec("SET max_parallel_workers_per_gather = 0");
        session.exec("SET enable_mergejoin = off");
        const auto rows =
            session.exec("SELECT count(f.note || d.text) FROM facts f JOIN details d USING (id) WHERE f.product >= " +
                         std::to_string(client % 4));
        failed += rows[0][0].as<long>() < 900000;
      } catch (const std::exception&) {
        failed++;
      }
    });
  for (std::thread& client : clients) client.join();
  crowd.failed = failed;
  crowd.wall_ms = NowMs() - before;
  crowd.kills = group.Kills();
  group.LetGo();
  return crowd;
}

Verdict Joins(const Options& options, const DataTemplate& data, Json* result) {
  const double limit_mb = options.Number("limit", 900);
  const std::vector<std::string> settings = {"shared_buffers = '64MB'", "max_parallel_workers = 0"};
  std::vector<std::string> ours_settings = settings;
  ours_settings.push_back("query_shaper.memory_pool = '" + std::to_string(static_cast<int>(limit_mb * 0.6)) + "MB'");
  Crowd high, low, shaped;
  {
    Contender stock(options, "stock", false, data, {"memory"}, 600000, settings);
    high = Join16(options, &stock, "256MB", limit_mb);
  }
  {
    Contender stock(options, "stock", false, data, {"memory"}, 600000, settings);
    low = Join16(options, &stock, "4MB", limit_mb);
  }
  Contender ours(options, "ours", true, data, {"memory"}, 600000, ours_settings);
  shaped = Join16(options, &ours, "4MB", limit_mb);
  std::printf(
      "  joins: stock, work_mem 256MB: %d failed, %.0f killed; 4MB: %d failed, %.0f ms; ours: %d failed, %.0f "
      "killed, %.0f ms\n",
      high.failed, high.kills, low.failed, low.wall_ms, shaped.failed, shaped.kills, shaped.wall_ms);
  Json json;
  json.Set("stock_high_failed", high.failed).Set("stock_low_ms", low.wall_ms).Set("failed", shaped.failed);
  json.Set("killed", shaped.kills).Set("ms", shaped.wall_ms);
  result->Set("joins", std::move(json));
  bool met = Check("joins: stock with a high work_mem fails", high.failed, 1, 16);
  met = Check("joins: ours fails", shaped.failed + shaped.kills, 0, 0) && met;
  met = Check("joins: time, share of stock's with a low work_mem", shaped.wall_ms / low.wall_ms, 0, 1.02) && met;
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace

Verdict RunMemoryQuery(const Options& options) {
  Json result;
  Verdict verdict = Verdict::kMet;
  auto add = [&](Verdict one) { verdict = std::max(verdict, one); };
  std::unique_ptr<DataTemplate> data;
  auto made = [&]() -> const DataTemplate& {
    if (data == nullptr) data = std::make_unique<DataTemplate>(options, std::vector<std::string>{"memory"});
    return *data;
  };
  if (Chosen(options, "only", "single")) {
    for (const SingleStatement* one : {&kOneLarge, &kOneLargeAboveJoins, &kTwoLarge})
      if (Chosen(options, "statements", one->name)) add(Single(options, made(), *one, &result));
  }
  if (Chosen(options, "only", "alternate")) add(Alternate(options, made(), &result));
  if (Chosen(options, "only", "spills") && !options.DataDir().empty()) add(Spills(options, &result));
  if (Chosen(options, "only", "joins") && geteuid() == 0) add(Joins(options, made(), &result));
  WriteResult(options, "memory-query", std::move(result));
  return verdict;
}

}  // namespace query_shaper::bench
