// prefetch: index scans over cold data with blocks asked for ahead, against a server with nothing loaded.
//
// One cluster, restarted before every cold run with or without the extension, its files evicted from the page cache.
// The disk's own rate comes from fio over the same files in the same run. With --slow US the data directory lies behind
// bench/slow/slow_files, which adds that time to every read.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <pqxx/pqxx>
#include <regex>
#include <stdexcept>

#include "duel.h"

namespace query_shaper::bench {

namespace {

namespace fs = std::filesystem;

std::string Value(pqxx::transaction_base* session, const std::string& query) {
  return session->exec1(query)[0].as<std::string>();
}

struct Case {
  const char* column;
  double share;  // of the rows
  bool scattered;
};

const Case kCases[] = {
    {"scattered", 0.001, true}, {"strided", 0.001, true}, {"jittered", 0.01, false},
    {"runs", 0.005, false},     {"id", 0.02, false},
};

struct Variant {
  const char* name;
  bool loaded;
  const char* settings;
};

const char* const kScanOnly =
    "SET max_parallel_workers_per_gather = 0; SET enable_seqscan = off; SET jit = off; SET statement_timeout = "
    "'600s'; ";
const Variant kVariants[] = {
    {"index scan", false, "SET enable_bitmapscan = off"},
    {"bitmap scan", false, "SET enable_indexscan = off; SET effective_io_concurrency = 200"},
    {"prefetch", true, "SET enable_bitmapscan = off; SET query_shaper.prefetch = on"},
};

// A nested loop looks rows up by keys without any order.
struct Join {
  const char* name;
  const char* query;  // of keys(k) and reading
};

const Join kJoins[] = {
    {"inner join", "SELECT sum(length(pad)) FROM keys JOIN reading ON id = k"},
    {"left join", "SELECT sum(length(pad)) FROM keys LEFT JOIN reading ON scattered = k"},
    {"semi join", "SELECT count(*) FROM keys WHERE EXISTS (SELECT FROM reading WHERE id = k AND length(pad) > 5)"},
    {"anti join", "SELECT count(*) FROM keys WHERE NOT EXISTS (SELECT FROM reading WHERE id = k AND length(pad) > 99)"},
};

const Variant kLoops[] = {
    {"nested loop", false, ""},
    {"batched", true, "SET query_shaper.prefetch = on"},
};

const char* const kLoopOnly =
    "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off; SET "
    "enable_bitmapscan = off; SET enable_indexonlyscan = off; ";

struct Run {
  double ms = 0, blocks = 0;
};

// A slow file system over a data directory for as long as the object lives.
class SlowMount {
 public:
  SlowMount(const std::string& program, const std::string& data, int delay_us, const std::string& faults)
      : data_(data), behind_(data + ".behind") {
    fs::rename(data_, behind_);
    fs::create_directory(data_);
    const CommandResult mounted =
        RunCommand(ShellQuote(program) + " " + ShellQuote(behind_) + " " + std::to_string(delay_us) + " " +
                   ShellQuote(data_) + " " + ShellQuote(faults));
    if (mounted.status != 0) throw std::runtime_error("could not mount the slow file system: " + mounted.output);
  }
  ~SlowMount() {
    RunCommand("fusermount3 -u " + ShellQuote(data_) + " || umount -l " + ShellQuote(data_));
    std::error_code ignored;
    fs::remove(data_, ignored);
    fs::rename(behind_, data_, ignored);
  }
  SlowMount(const SlowMount&) = delete;
  SlowMount& operator=(const SlowMount&) = delete;

 private:
  std::string data_, behind_;
};

class ColdServer {
 public:
  ColdServer(const Options& options, const DataTemplate& data) : script_(options.root + "/scripts/cluster.sh") {
    setenv("TEMPLATE", data.dir().c_str(), 1);
    cluster_ = std::make_unique<Cluster>(
        options, "prefetch", "",
        std::vector<std::string>{"shared_buffers = '512MB'", "autovacuum = off", "checkpoint_timeout = '1h'"});
    unsetenv("TEMPLATE");
    const int delay_us = static_cast<int>(options.Number("slow", 0));
    if (delay_us == 0) return;
    const std::string program = options.root + "/build/cmake/slow_files";
    if (!fs::exists(program)) throw std::runtime_error("no " + program + ": needs libfuse3-dev and fuse3");
    Control("stop");
    slow_ = std::make_unique<SlowMount>(program, cluster_->dir() + "/data", delay_us, FaultsFile());
    Control("start");
  }
  ~ColdServer() {
    if (slow_ != nullptr) Control("stop");
  }

  void Restart(bool loaded, bool cold) {
    Control("stop");
    fs::path line = cluster_->dir() + "/data/postgresql.auto.conf";
    std::FILE* file = std::fopen(line.c_str(), "w");
    if (file == nullptr) throw std::runtime_error("could not write " + line.string());
    std::fprintf(file, "shared_preload_libraries = '%s'\n", loaded ? "query_shaper" : "");
    std::fclose(file);
    if (cold) Evict();
    Control("start");
  }
  // What slow_files takes its faults from.
  std::string FaultsFile() const { return cluster_->dir() + "/faults"; }
  std::string Connection() const { return cluster_->Connection("reading"); }
  std::vector<std::string> FilesOf(const std::string& relation) {
    pqxx::connection connection(Connection());
    pqxx::nontransaction session(connection);
    const std::string path = Value(&session, "SELECT pg_relation_filepath('" + relation + "')");
    std::vector<std::string> files;
    const std::string first = cluster_->dir() + "/data/" + path;
    for (int i = 0; fs::exists(i == 0 ? first : first + "." + std::to_string(i)); i++)
      files.push_back(i == 0 ? first : first + "." + std::to_string(i));
    return files;
  }
  void Evict() {
    for (const auto& entry : fs::recursive_directory_iterator(cluster_->dir() + "/data/base")) {
      if (!entry.is_regular_file()) continue;
      const int file = open(entry.path().c_str(), O_RDONLY);
      if (file < 0) throw std::runtime_error("could not open " + entry.path().string());
      posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
      close(file);
    }
  }

 private:
  void Control(const std::string& verb) {
    const std::string dir = cluster_->dir();
    const CommandResult done =
        RunCommand("cd / && bindir=$(cat " + ShellQuote(dir + "/bindir") + ") && user=" + "$(stat -c %U " +
                   ShellQuote(dir + "/log") + ") && cmd=\"$bindir/pg_ctl -D " + dir + "/data -l " + dir +
                   "/log -w -t 120 -s -m fast " + verb +
                   "\" && if [ \"$(id -un)\" = \"$user\" ]; then $cmd; else runuser -u \"$user\" -- $cmd; fi" +
                   " </dev/null >" + ShellQuote(dir + "/control.log") + " 2>&1");
    if (done.status != 0) throw std::runtime_error("the server did not " + verb);
  }

  std::string script_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<SlowMount> slow_;
};

double NumberAfter(const std::string& text, const std::string& name) {
  std::smatch found;
  if (!std::regex_search(text, found, std::regex("\"" + name + "\" ?: ([0-9.]+)"))) return 0;
  return std::stod(found[1]);
}

std::string QueryOf(const Case& one, double rows, double at) {
  const auto low = static_cast<long>(rows * at);
  return "SELECT sum(length(pad)) FROM reading WHERE " + std::string(one.column) + " BETWEEN " + std::to_string(low) +
         " AND " + std::to_string(low + static_cast<long>(rows * one.share));
}

std::string JoinQuery(const Join& join, double rows, int keys, int round) {
  return "WITH keys AS MATERIALIZED (SELECT ((hashint4(i + 77) & 2147483647)::bigint % " +
         std::to_string(static_cast<long>(rows)) + ")::int AS k FROM generate_series(" +
         std::to_string(1 + round * keys) + ", " + std::to_string((round + 1) * keys) + ") i) " + join.query;
}

// Catalogues and the index's root are read by planning once; the table's blocks are not.
Run RunOnce(const ColdServer& server, const Variant& variant, const std::string& query,
            const std::string& settings = kScanOnly, const std::string& node = "Prefetch") {
  pqxx::connection connection(server.Connection());
  pqxx::nontransaction session(connection);
  session.exec(settings + variant.settings);
  session.exec("EXPLAIN " + query);
  const std::string plan = Value(&session, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + query);
  const bool asked = plan.find("\"" + node + "\"") != std::string::npos;
  if (variant.loaded && !asked) std::printf("  planned without %s: %s\n", node.c_str(), query.c_str());
  return {NumberAfter(plan, "Execution Time"), NumberAfter(plan, "Shared Read Blocks")};
}

double DiskRate(ColdServer* server, int depth) {
  std::string files;
  for (const std::string& file : server->FilesOf("reading")) files += (files.empty() ? "" : ":") + file;
  server->Evict();
  const CommandResult fio =
      RunCommand("fio --name=reads --filename=" + ShellQuote(files) +
                 " --rw=randread --bs=8k --direct=1 --ioengine=libaio --iodepth=" + std::to_string(depth) +
                 " --runtime=5 --time_based --readonly" + " --randrepeat=0 --output-format=json 2>/dev/null");
  const size_t reads = fio.output.find("\"read\"");
  return fio.status == 0 && reads != std::string::npos ? NumberAfter(fio.output.substr(reads), "iops") : 0;
}

// CPU time over cached blocks: stock, with the extension loaded but prefetch off, and on. The plan is made
// while the blocks are not cached, or it would be none of ours. Servers take turns: where the blocks come to lie in
// memory is worth some percent.
struct Warm {
  double stock_ms = 1e300, off_ms = 1e300, on_ms = 1e300;
};

Warm WarmTimes(ColdServer* server, const std::string& query, const std::string& session_settings, int rounds) {
  Warm warm;
  const auto take_turn = [&](const char* settings, double* best) {
    pqxx::connection connection(server->Connection());
    pqxx::nontransaction session(connection);
    session.exec(session_settings + "SET plan_cache_mode = force_generic_plan; SET enable_bitmapscan = off; " +
                 settings);
    session.exec("PREPARE scan AS " + query);
    for (int i = 0; i < 3; i++) session.exec("EXECUTE scan");
    for (int round = 0; round < 3; round++) {
      const double before = ProcessCpuMs(connection.backendpid());
      for (int repeat = 0; repeat < 10; repeat++) session.exec("EXECUTE scan");
      *best = std::min(*best, ProcessCpuMs(connection.backendpid()) - before);
    }
  };
  for (int round = 0; round < rounds; round++) {
    server->Restart(false, false);
    take_turn("", &warm.stock_ms);
    server->Restart(true, false);
    take_turn("SET query_shaper.prefetch = on", &warm.on_ms);
    take_turn("SET query_shaper.prefetch = off", &warm.off_ms);
  }
  std::printf("  warm: CPU of ten runs %.1f ms, prefetch off %.1f ms, nothing loaded %.1f ms\n", warm.on_ms,
              warm.off_ms, warm.stock_ms);
  return warm;
}

// Answers and errors while reads fail that a scan asked for ahead.
bool SurvivesFaults(ColdServer* server, double rows, Json* result) {
  // Reads of the catalogues are not what is tried here.
  const auto restart = [&](const std::string& query) {
    server->Restart(true, true);
    pqxx::connection connection(server->Connection());
    pqxx::nontransaction(connection).exec("EXPLAIN " + query);
  };
  double wrong = 0, late = 0, asked = 0;
  for (const Case& one : kCases) {
    if (!one.scattered) continue;
    const std::string query = QueryOf(one, rows, 0.85);
    restart(query);
    std::string right, found;
    {
      pqxx::connection connection(server->Connection());
      pqxx::nontransaction session(connection);
      session.exec(kScanOnly + std::string("SET query_shaper.prefetch = off"));
      right = Value(&session, query);
    }
    restart(query);
    std::FILE* file = std::fopen(server->FaultsFile().c_str(), "w");
    if (file == nullptr) throw std::runtime_error("could not write " + server->FaultsFile());
    std::fputs("5 2000\n", file);
    std::fclose(file);
    try {
      pqxx::connection connection(server->Connection());
      pqxx::nontransaction session(connection);
      session.exec(kScanOnly + std::string(kVariants[2].settings));
      const std::string plan = Value(&session, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + query);
      late += NumberAfter(plan, "Prefetches Late");
      asked += NumberAfter(plan, "Prefetched Blocks");
      found = Value(&session, query);
    } catch (const pqxx::sql_error& error) {
      found = error.what();
    }
    fs::remove(server->FaultsFile());
    if (found != right) {
      wrong++;
      std::printf("  with faults: %s\n  without: %s\n", found.c_str(), right.c_str());
    }
  }
  std::printf("  reads that fail the first time: %.0f asked for, %.0f of them waited for\n", asked, late);
  result->Set("faults_wrong", wrong).Set("faults_asked", asked).Set("faults_late", late);
  bool met = Check("faults: wrong answers and errors = 0", wrong, 0, 0);
  return Check("faults: share counted late >= 0.05", asked > 0 ? late / asked : 0, 0.05, 1) && met;
}

// Nested loops, cold and warm.
bool CompareJoins(const Options& options, ColdServer* server, double rows, int rounds, Json* result) {
  const int keys = static_cast<int>(options.Number("keys", 10000));
  const double least = options.Number("slow", 0) > 0 ? 5 : 2.5;
  const std::string settings = std::string(kScanOnly) + kLoopOnly;
  bool met = true;
  for (const Join& join : kJoins) {
    std::vector<double> ms[2], gains;
    for (int round = 0; round < rounds; round++) {
      const std::string query = JoinQuery(join, rows, keys, round);
      Run runs[2];
      for (int i = 0; i < 2; i++) {
        const int turn = (i + round) % 2;
        server->Restart(kLoops[turn].loaded, true);
        runs[turn] = RunOnce(*server, kLoops[turn], query, settings, "Batch");
        ms[turn].push_back(runs[turn].ms);
      }
      gains.push_back(runs[0].ms / runs[1].ms);
    }
    const double gain = Quantile(gains, 0.5);
    std::printf("%s: nested loop %.0f ms, batched %.0f ms; gain %.2f\n", join.name, Quantile(ms[0], 0.5),
                Quantile(ms[1], 0.5), gain);
    char what[80];
    std::snprintf(what, sizeof what, "%s: gain >= %.1f", join.name, least);
    met = Check(what, gain, least, 1e9) && met;
    Json json;
    json.Set("nested_loop_ms", Json::Array(ms[0])).Set("batched_ms", Json::Array(ms[1]));
    result->Set(join.name, std::move(json));
    std::fflush(stdout);
  }
  const Warm warm = WarmTimes(server, JoinQuery(kJoins[0], rows, keys, 0), settings, rounds + 2);
  result->Set("warm_join_cpu_ratio", warm.on_ms / warm.stock_ms);
  return Check("warm nested loop: CPU to stock <= 1.05", warm.on_ms / warm.stock_ms, 0, 1.05) && met;
}

std::string LoadReading(const Options& options, const std::string&) {
  const std::string rows = std::to_string(static_cast<long>(options.Number("rows", 20000000)));
  return "sh -c " + ShellQuote("createdb reading && psql -X -q -v ON_ERROR_STOP=1 -v rows=" + rows + " -d reading -f " +
                               ShellQuote(options.root + "/bench/slow/prefetch_load.sql"));
}

}  // namespace

Verdict RunPrefetch(const Options& options) {
  const double rows = options.Number("rows", 20000000);
  const int rounds = static_cast<int>(options.Number("rounds", 3));
  const bool slow = options.Number("slow", 0) > 0;
  DataTemplate data(options, {"reading"}, LoadReading);
  ColdServer server(options, data);
  server.Restart(true, false);
  {
    pqxx::connection connection(server.Connection());
    pqxx::nontransaction(connection).exec("CREATE EXTENSION IF NOT EXISTS query_shaper");
  }
  const double disk = DiskRate(&server, 32), single = DiskRate(&server, 1);
  std::printf("random reads of 8 kB: %.0f a second at depth 1, %.0f at depth 32\n", single, disk);
  bool met = true;
  Json result;
  result.Set("rows", rows)
      .Set("delay_us", options.Number("slow", 0))
      .Set("disk_depth_1", single)
      .Set("disk_depth_32", disk);
  const std::string only = options.Text("only", "");
  for (const Case& one : kCases) {
    if (only == "joins") break;
    std::vector<double> ms[3], rates, against_stock, against_bitmap;
    for (int round = 0; round < rounds; round++) {
      const std::string query = QueryOf(one, rows, 0.1 + 0.25 * round);
      Run runs[3];
      for (int i = 0; i < 3; i++) {
        const int turn = (i + round) % 3;
        server.Restart(kVariants[turn].loaded, true);
        runs[turn] = RunOnce(server, kVariants[turn], query);
        ms[turn].push_back(runs[turn].ms);
      }
      rates.push_back(runs[2].blocks / runs[2].ms * 1000);
      against_stock.push_back(runs[0].ms / runs[2].ms);
      against_bitmap.push_back(runs[2].ms / runs[1].ms);
    }
    const double gain = Quantile(against_stock, 0.5), to_bitmap = Quantile(against_bitmap, 0.5);
    const double rate = Quantile(rates, 0.5);
    std::printf(
        "%s: index scan %.0f ms, bitmap scan %.0f ms, prefetch %.0f ms; gain %.2f, to bitmap %.2f, %.0f blocks a "
        "second\n",
        one.column, Quantile(ms[0], 0.5), Quantile(ms[1], 0.5), Quantile(ms[2], 0.5), gain, to_bitmap, rate);
    const std::string name = one.column;
    if (one.scattered) {
      if (disk > 0) met = Check(name + ": share of the disk's rate >= 0.85", rate / disk, 0.85, 1e9) && met;
      met = Check(name + ": time to bitmap scan <= 1.1", to_bitmap, 0, 1.1) && met;
      if (slow) met = Check(name + ": gain >= 5", gain, 5, 1e9) && met;
    } else {
      met = Check(name + ": gain >= 0.97", gain, 0.97, 1e9) && met;
    }
    Json json;
    json.Set("index_ms", Json::Array(ms[0]))
        .Set("bitmap_ms", Json::Array(ms[1]))
        .Set("prefetch_ms", Json::Array(ms[2]));
    result.Set(name, std::move(json.Set("blocks_per_second", Json::Array(rates))));
    std::fflush(stdout);
  }
  if (only != "joins") {
    const Warm warm = WarmTimes(&server, QueryOf(kCases[0], rows, 0.5), kScanOnly, rounds + 2);
    met = Check("warm: CPU to stock <= 1.02", warm.on_ms / warm.stock_ms, 0, 1.02) && met;
    result.Set("warm_cpu_ratio", warm.on_ms / warm.stock_ms).Set("warm_cpu_to_off", warm.on_ms / warm.off_ms);
    if (slow) met = SurvivesFaults(&server, rows, &result) && met;
  }
  if (only != "scans") met = CompareJoins(options, &server, rows, rounds, &result) && met;
  WriteResult(options, slow ? "prefetch_slow" : "prefetch", std::move(result));
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
