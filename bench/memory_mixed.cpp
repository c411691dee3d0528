// memory-mixed: analytic and short statements of many clients at once, the whole server in a memory control group (v1).
//
// Servers with nothing loaded and ever larger work_mem against ours with a pool: the same statements in the same order
// from each client. Temporary files and the page cache compete for the same memory, as in a container.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <numeric>
#include <pqxx/pqxx>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include "driver_templates.h"
#include "duel.h"
#include "memory_group.h"
#include "tpch_queries.h"

namespace query_shaper::bench {

namespace {

namespace fs = std::filesystem;

struct Statement {
  std::string name, database;
  std::vector<std::string> script;
};

struct Load {
  std::vector<Statement> analytic;  // the clients take them in this order
  std::vector<Statement> shorts;
  size_t clients = 6, short_clients = 2;
  double short_pause_ms = 100;
  bool tell_each = false;
};

struct Figures {
  std::string name;
  double seconds = 0, statements = 0, mean_ms = 0, temp_mb = 0, peak_mb = 0, idle_mb = 0, kills = 0, errors = 0;
  double short_p50 = 0, short_p95 = 0, short_count = 0, reserved_mb = 0;
  std::map<std::string, std::vector<double>> by_name;
  double PerMinute() const { return statements / seconds * 60; }
};

// Looks at all backends every few milliseconds.
class Watcher {
 public:
  explicit Watcher(int postmaster) : postmaster_(postmaster) {
    thread_ = std::thread([this] {
      while (!done_) {
        Look();
        usleep(20000);
      }
    });
  }
  ~Watcher() { Stop(); }
  void Stop() {
    done_ = true;
    if (thread_.joinable()) thread_.join();
  }
  double peak_mb() const { return peak_kb_ / 1024; }

 private:
  void Look() {
    double sum = 0;
    for (const int pid : ChildrenOf(postmaster_))
      if (known_.count(pid) > 0 || IsBackend(pid)) sum += PrivateKb(pid);
    peak_kb_ = std::max(peak_kb_, sum);
  }
  // Clients' and parallel workers', by the title; not the server's own helpers.
  bool IsBackend(int pid) {
    if (others_.count(pid) > 0) return false;
    std::ifstream in("/proc/" + std::to_string(pid) + "/cmdline");
    std::string title;
    std::getline(in, title);
    const bool backend = title.find("bench") != std::string::npos ||
                         title.find("postgres: postgres") != std::string::npos ||
                         title.find("parallel worker") != std::string::npos;
    (backend ? known_ : others_).insert(pid);
    return backend;
  }
  int postmaster_;
  std::set<int> known_, others_;
  double peak_kb_ = 0;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

double TempMb(const std::string& connection_text) {
  pqxx::connection connection(connection_text);
  pqxx::nontransaction session(connection);
  return session.exec1("SELECT sum(temp_bytes) / 1048576.0 FROM pg_stat_database")[0].as<double>();
}

// One user, with a session in each database.
class Client {
 public:
  Client(const Cluster* cluster, const std::string& settings) : cluster_(cluster), settings_(settings) {}

  void Run(const Statement& statement) {
    const double before = NowMs();
    try {
      pqxx::nontransaction session(*SessionIn(statement.database));
      for (const std::string& sql : statement.script) session.exec(sql);
    } catch (const std::exception& error) {
      ++errors;
      message = statement.name + ": " + error.what();
      sessions_.clear();
      usleep(500000);
    }
    times.push_back(NowMs() - before);
    names.push_back(statement.name);
  }

  // What sessions have counted arrives when they end.
  void Leave() { sessions_.clear(); }

  std::vector<double> times;
  std::vector<std::string> names;
  int errors = 0;
  std::string message;

 private:
  pqxx::connection* SessionIn(const std::string& database) {
    std::unique_ptr<pqxx::connection>& session = sessions_[database];
    if (session == nullptr) {
      session = std::make_unique<pqxx::connection>(cluster_->Connection(database));
      if (!settings_.empty()) pqxx::nontransaction(*session).exec(settings_);
    }
    return session.get();
  }
  const Cluster* cluster_;
  std::string settings_;
  std::map<std::string, std::unique_ptr<pqxx::connection>> sessions_;
};

Figures RunLoad(const std::string& name, const Cluster* cluster, const MemoryGroup* group, const Load& load,
                const std::string& settings) {
  Figures figures;
  figures.name = name;
  const std::string connection = cluster->Connection("gene");
  const double temp_before = TempMb(connection), kills_before = group->Kills();
  std::vector<Client> clients, shorts;
  for (size_t c = 0; c < load.clients; c++) clients.emplace_back(cluster, settings);
  for (size_t c = 0; c < load.short_clients; c++) shorts.emplace_back(cluster, settings);
  std::atomic<bool> done = false;
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads, short_threads;
  Watcher watcher(PostmasterOf(*cluster));
  const double before = NowMs();
  for (Client& client : clients)
    threads.emplace_back([&] {
      for (size_t i; (i = next++) < load.analytic.size();) client.Run(load.analytic[i]);
    });
  for (size_t c = 0; c < shorts.size(); c++)
    short_threads.emplace_back([&, c] {
      std::mt19937_64 random(c);
      while (!done) {
        shorts[c].Run(load.shorts[random() % load.shorts.size()]);
        usleep(static_cast<useconds_t>(load.short_pause_ms * 1000));
      }
    });
  for (std::thread& thread : threads) thread.join();
  figures.seconds = (NowMs() - before) / 1000;
  done = true;
  for (std::thread& thread : short_threads) thread.join();
  watcher.Stop();
  for (std::vector<Client>* group : {&clients, &shorts})
    for (Client& client : *group) client.Leave();
  figures.peak_mb = watcher.peak_mb();
  double sum_ms = 0;
  for (const Client& client : clients) {
    figures.errors += client.errors;
    if (client.errors > 0) std::printf("  %s: %s\n", name.c_str(), client.message.c_str());
    for (size_t i = 0; i < client.times.size(); i++) {
      sum_ms += client.times[i];
      figures.by_name[client.names[i]].push_back(client.times[i]);
    }
    figures.statements += static_cast<double>(client.times.size() - static_cast<size_t>(client.errors));
  }
  figures.mean_ms = sum_ms / std::max(1.0, figures.statements);
  std::vector<double> short_times;
  for (const Client& client : shorts) {
    figures.errors += client.errors;
    short_times.insert(short_times.end(), client.times.begin(), client.times.end());
  }
  figures.short_count = static_cast<double>(short_times.size());
  figures.short_p50 = Quantile(short_times, 0.5);
  figures.short_p95 = Quantile(short_times, 0.95);
  figures.temp_mb = TempMb(connection) - temp_before;
  figures.kills = group->Kills() - kills_before;
  std::printf(
      "  %-12s %6.1f s  %6.1f/min  mean %7.0f ms  temp %7.0f MB  private peak %6.0f MB  short p50 %5.1f p95 %6.1f "
      "ms (%.0f)  kills %.0f errors %.0f\n",
      name.c_str(), figures.seconds, figures.PerMinute(), figures.mean_ms, figures.temp_mb, figures.peak_mb,
      figures.short_p50, figures.short_p95, figures.short_count, figures.kills, figures.errors);
  if (load.tell_each)
    for (const auto& [statement, times] : figures.by_name)
      std::printf("    %-28s %8.0f ms\n", statement.c_str(), Quantile(times, 0.5));
  std::fflush(stdout);
  return figures;
}

// The queries of bench/mixed, and TPC-H's own where there is a kit: each as often as `each` says, in rounds of another
// order.
Load MakeLoad(const Options& options) {
  Load load;
  load.clients = static_cast<size_t>(options.Number("clients", 6));
  load.short_clients = static_cast<size_t>(options.Number("short-clients", 2));
  load.short_pause_ms = options.Number("short-pause", load.short_pause_ms);
  load.tell_each = options.Has("verbose");
  std::vector<Statement> statements;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(options.root + "/bench/mixed")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    const Template query = ParseTemplate(file.stem(), ReadText(file));
    if (query.data == "tpch" && TpchKit(options).empty()) continue;
    const bool is_short = query.name.rfind("short", 0) == 0;
    if (is_short || Chosen(options, "statements", query.name))
      (is_short ? load.shorts : statements).push_back({query.name, query.data, {query.sql}});
  }
  if (!TpchKit(options).empty())
    for (const TpchQuery& query : TpchQueries(options))
      if (Chosen(options, "statements", query.name)) statements.push_back({query.name, "tpch", query.script});
  std::mt19937_64 random(options.seed());
  for (int round = static_cast<int>(options.Number("each", 2)); round > 0; round--) {
    std::shuffle(statements.begin(), statements.end(), random);
    load.analytic.insert(load.analytic.end(), statements.begin(), statements.end());
  }
  return load;
}

Json ToJson(const Figures& figures) {
  Json json;
  json.Set("name", figures.name)
      .Set("seconds", figures.seconds)
      .Set("statements", figures.statements)
      .Set("per_minute", figures.PerMinute())
      .Set("mean_ms", figures.mean_ms)
      .Set("temp_mb", figures.temp_mb)
      .Set("private_peak_mb", figures.peak_mb)
      .Set("short_p50_ms", figures.short_p50)
      .Set("short_p95_ms", figures.short_p95)
      .Set("short_statements", figures.short_count)
      .Set("oom_kills", figures.kills)
      .Set("errors", figures.errors);
  Json queries;
  for (const auto& [name, times] : figures.by_name) queries.Set(name, Json::Array(times));
  return json.Set("analytic_ms", queries);
}

// One server after the other, each in the group: a copy of the data directory is made anew.
class Housed {
 public:
  Housed(const Options& options, const DataTemplate& data, const std::string& preload,
         const std::vector<std::string>& settings, double limit_mb)
      : group("query_shaper_bench_" + std::to_string(getpid()), limit_mb) {
    setenv("TEMPLATE", data.dir().c_str(), 1);
    cluster = std::make_unique<Cluster>(options, "mixed", preload, settings);
    unsetenv("TEMPLATE");
    EvictData(*cluster);
    group.TakeServer(*cluster);
  }
  MemoryGroup group;  // outlives the server
  std::unique_ptr<Cluster> cluster;
};

// How long until the pool shows a changed limit; -1: longer than ten seconds.
double FollowedAfterMs(Housed* housed, const std::string& database, double limit_mb, double shared_mb) {
  pqxx::connection connection(housed->cluster->Connection(database));
  pqxx::nontransaction session(connection);
  housed->group.SetLimit(limit_mb);
  const double before = NowMs();
  while (NowMs() - before < 10000) {
    const double kb = session.exec1("SELECT capacity FROM query_shaper.pool WHERE resource = 'memory'")[0].as<double>();
    if (std::abs(kb - (limit_mb - shared_mb) * 1024) < 1) return NowMs() - before;
    usleep(20000);
  }
  return -1;
}

// Events by their kind; what spills, on the average of its runs so far.
void TellKnown(const Cluster& cluster, const std::string& database, bool each) {
  pqxx::connection connection(cluster.Connection(database));
  pqxx::nontransaction session(connection);
  session.exec("SELECT query_shaper.flush()");
  for (const auto& row :
       session.exec("SELECT action, verdict, count(*) FROM query_shaper.events GROUP BY 1, 2 ORDER BY 1, 2"))
    std::printf("    %s: %s %s %s\n", database.c_str(), row[0].c_str(), row[1].c_str(), row[2].c_str());
  if (!each) return;
  for (const auto& row : session.exec("SELECT calls, peak_memory_kb / 1024, temp_kb / 1024, left(query, 60) "
                                      "FROM query_shaper.history WHERE temp_kb > 1024 ORDER BY calls * temp_kb DESC"))
    std::printf("    %s x  memory %6.0f MB  temp %6.0f MB  %s\n", row[0].c_str(), row[1].as<double>(),
                row[2].as<double>(), row[3].c_str());
}

// Of runs before, --stock-results FILE,FILE: as this bench wrote them, of the same machine, load and limits.
std::vector<Figures> StockResults(const Options& options) {
  std::vector<Figures> all;
  const std::vector<std::string> files = options.List("stock-results", ',');
  if (files.empty()) return all;
  const Cluster reader(options, "reader", "", {});
  pqxx::connection connection(reader.Connection("postgres"));
  pqxx::nontransaction session(connection);
  for (const std::string& file : files)
    for (const auto& row : session.exec_params(
             "SELECT r ->> 'name', r -> 'seconds', r -> 'statements', r -> 'mean_ms', r -> 'temp_mb', "
             "r -> 'private_peak_mb', r -> 'short_p50_ms', r -> 'short_p95_ms', r -> 'short_statements', "
             "r -> 'oom_kills', r -> 'errors' FROM jsonb_array_elements($1::jsonb -> 'result' -> 'runs') AS r "
             "WHERE r ->> 'name' LIKE 'stock%'",
             ReadText(file))) {
      Figures figures;
      figures.name = row[0].as<std::string>();
      double* const fields[] = {&figures.seconds, &figures.statements, &figures.mean_ms,   &figures.temp_mb,
                                &figures.peak_mb, &figures.short_p50,  &figures.short_p95, &figures.short_count,
                                &figures.kills,   &figures.errors};
      for (int i = 0; i < 10; i++) *fields[i] = row[i + 1].as<double>();
      all.push_back(figures);
    }
  return all;
}

bool JudgeOne(const Figures& best, const Figures& ours, double pool_mb) {
  const double throughput = ours.PerMinute() / best.PerMinute(), response = ours.mean_ms / best.mean_ms;
  std::printf("%s: throughput %.2f, mean response %.2f of stock's best\n", ours.name.c_str(), throughput, response);
  bool met = Check(ours.name + ": throughput against the best of stock (or mean response at most 0.7)",
                   response <= 0.7 ? std::max(1.2, throughput) : throughput, 1.2, 1e9);
  met &= Check(ours.name + ": temporary bytes against the best of stock", ours.temp_mb / std::max(1.0, best.temp_mb), 0,
               0.4);
  met &= Check(ours.name + ": peak of the backends' private memory over the pool", ours.peak_mb / pool_mb, 0, 1.05);
  met &=
      Check(ours.name + ": p95 of short statements against the best of stock", ours.short_p95 / best.short_p95, 0, 1.0);
  return met;
}

// Those after the first round of ours: nothing was known in that.
bool JudgeAll(const std::vector<Figures>& all, double pool_mb) {
  const Figures* best = nullptr;
  for (const Figures& figures : all) {
    if (figures.name.rfind("stock", 0) != 0 || figures.kills + figures.errors > 0) continue;
    if (best == nullptr || figures.PerMinute() > best->PerMinute()) best = &figures;
  }
  if (best == nullptr) return true;
  std::printf("best of stock: %s\n", best->name.c_str());
  bool met = true;
  for (const Figures& figures : all)
    if (figures.name == "shaped" || figures.name == "queued") met &= JudgeOne(*best, figures, pool_mb);
  return met;
}

}  // namespace

Verdict RunMemoryMixed(const Options& options) {
  const double limit_mb = options.Number("limit", 2048), pool_mb = options.Number("pool", 1024);
  const double shared_mb = options.Number("shared-buffers", 256);
  const Load load = MakeLoad(options);
  std::vector<std::string> databases = {"gene"};
  if (!TpchKit(options).empty()) databases.push_back("tpch");
  const DataTemplate data(options, databases);
  std::vector<std::string> common = {"shared_buffers = '" + std::to_string(static_cast<int>(shared_mb)) + "MB'",
                                     "max_connections = 40",
                                     "autovacuum = off",
                                     "jit = off",
                                     "checkpoint_timeout = '1h'",
                                     "max_parallel_workers_per_gather = 0"};
  std::vector<Figures> all = StockResults(options);
  Json runs = Json::Array();
  for (const Figures& figures : all) runs.Push(ToJson(figures));
  const std::vector<std::string> sweep = options.List("work-mem", ',', "4,16,64,128,256");
  if (!sweep.empty() && sweep[0] != "none") {
    Housed housed(options, data, "", common, limit_mb);
    for (const std::string& work_mem : sweep) {
      EvictData(*housed.cluster);
      all.push_back(RunLoad("stock " + work_mem + "MB", housed.cluster.get(), &housed.group, load,
                            "SET work_mem = '" + work_mem + "MB'"));
      runs.Push(ToJson(all.back()));
    }
  }
  double followed_ms = -1;
  if (!options.Has("stock-only")) {
    std::vector<std::string> settings = common;
    settings.push_back("work_mem = '4MB'");
    settings.push_back("query_shaper.memory_pool = 'auto'");
    for (const std::string& line : options.List("setting", ';')) settings.push_back(line);
    Housed housed(options, data, "query_shaper", settings, limit_mb);
    {
      pqxx::connection connection(housed.cluster->Connection("gene"));
      pqxx::nontransaction session(connection);
      session.exec("CREATE EXTENSION IF NOT EXISTS query_shaper");
      for (const std::string& database : databases) {
        pqxx::connection other(housed.cluster->Connection(database));
        pqxx::nontransaction(other).exec("CREATE EXTENSION IF NOT EXISTS query_shaper");
      }
      FollowedAfterMs(&housed, "gene", limit_mb, shared_mb);
      followed_ms = std::max(FollowedAfterMs(&housed, "gene", limit_mb - 512, shared_mb),
                             FollowedAfterMs(&housed, "gene", limit_mb, shared_mb));
      session.exec("ALTER SYSTEM SET query_shaper.memory_pool = '" + std::to_string(static_cast<int>(pool_mb)) + "MB'");
      session.exec("SELECT pg_reload_conf()");
    }
    const std::string ours = options.Text("ours", "");
    for (const std::string& name : options.List("rounds", ',', "first,shaped,queued")) {
      if (name == "queued") {
        pqxx::connection connection(housed.cluster->Connection("gene"));
        pqxx::nontransaction session(connection);
        session.exec("ALTER SYSTEM SET query_shaper.admission = 'on'");
        session.exec("SELECT pg_reload_conf()");
      }
      EvictData(*housed.cluster);
      all.push_back(RunLoad(name, housed.cluster.get(), &housed.group, load, ours));
      runs.Push(ToJson(all.back()));
      for (const std::string& database : databases) TellKnown(*housed.cluster, database, load.tell_each);
      pqxx::connection connection(housed.cluster->Connection("gene"));
      pqxx::nontransaction session(connection);
      const double left =
          session.exec1("SELECT reserved FROM query_shaper.pool WHERE resource = 'memory'")[0].as<double>();
      if (left > 0) std::printf("    %0.f kB are reserved though nothing runs\n", left);
    }
  }
  bool met = JudgeAll(all, pool_mb);
  if (!options.Has("stock-only")) met &= Check("the pool follows a changed limit, ms", followed_ms, 0, 2000);
  Json result;
  result.Set("limit_mb", limit_mb).Set("pool_mb", pool_mb).Set("followed_ms", followed_ms).Set("runs", runs);
  WriteResult(options, "memory-mixed", result);
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
