// Two servers on copies of one data directory, and statements that run on both.
#include "duel.h"

#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tpch_queries.h"

namespace query_shaper::bench {

namespace fs = std::filesystem;

namespace {

uint64_t Mix(uint64_t x) {  // splitmix64's finaliser
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// The sum over rows is the same in every order, and tells how often a row occurs.
uint64_t ChecksumOf(const pqxx::result& rows, uint64_t* in_order) {
  uint64_t sum = 0;
  for (const auto& row : rows) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const auto& field : row) {
      hash = Mix(hash ^ (field.is_null() ? 2 : 1));
      if (field.is_null()) continue;
      const char* const text = field.c_str();
      for (size_t i = 0; i < field.size(); i++) hash = (hash ^ static_cast<unsigned char>(text[i])) * 0x100000001b3u;
    }
    sum += Mix(hash);
    *in_order = Mix(*in_order ^ hash);
  }
  return sum;
}

// A data directory that holds these databases, and maybe others: data-errorprone-gene-stats.
std::string FindCached(const fs::path& cache, const std::vector<std::string>& databases) {
  for (const auto& entry : fs::directory_iterator(cache)) {
    const std::string name = entry.path().filename().string() + "-";
    bool all = name.rfind("data-", 0) == 0 && entry.is_directory();
    for (const std::string& database : databases) all = all && name.find("-" + database + "-") != std::string::npos;
    if (all) return entry.path().string();
  }
  return "";
}

std::string LoadCommand(const Options& options, const std::string& database) {
  const std::string own = options.root + "/bench/" + database + "/schema.sql";
  if (fs::exists(own)) {
    return "sh -c 'createdb \"$1\" && psql -X -q -v ON_ERROR_STOP=1 -d \"$1\" -f \"$0\"' " + ShellQuote(own) + " " +
           database;
  }
  if (database == "tpch") return LoadTpch(options, database);
  const std::string data = options.DataDir();
  if (data.empty()) throw std::runtime_error("the data set " + database + " needs --data");
  return ShellQuote(data + "/load.sh") + " " + database + " " + database;
}

}  // namespace

Answer RunScript(pqxx::connection* connection, const std::vector<std::string>& script) {
  Answer answer;
  const int pid = connection->backendpid();
  const double cpu_before = ProcessCpuMs(pid);
  const double before = NowMs();
  try {
    pqxx::nontransaction transaction(*connection);
    for (const std::string& sql : script) {
      const pqxx::result rows = transaction.exec(sql);
      answer.rows += rows.size();
      answer.first_row.clear();
      for (int column = 0; !rows.empty() && column < static_cast<int>(rows.columns()); column++)
        answer.first_row += (column > 0 ? "|" : "") + std::string(rows[0][column].c_str());
      answer.checksum = Mix(answer.checksum) + ChecksumOf(rows, &answer.in_order);
    }
  } catch (const pqxx::sql_error& error) {
    answer.sqlstate = error.sqlstate().empty() ? "?" : error.sqlstate();
    answer.message = error.what();
    answer.rows = 0;
    answer.checksum = answer.in_order = 0;
  }
  answer.wall_ms = NowMs() - before;
  answer.cpu_ms = ProcessCpuMs(pid) - cpu_before;
  return answer;
}

std::vector<std::string> SplitScript(const std::string& text) {
  std::vector<std::string> script(1);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line == "-- then") {
      script.emplace_back();
    } else {
      script.back() += line + "\n";
    }
  }
  return script;
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw std::runtime_error("could not read " + path);
  return text.str();
}

DataTemplate::DataTemplate(const Options& options, const std::vector<std::string>& databases, Loader loader) {
  std::string name = "data";
  for (const std::string& database : databases) name += "-" + database;
  const std::string cache = options.Text("cache", "");
  if (!cache.empty()) {
    fs::create_directories(cache);
    dir_ = FindCached(fs::absolute(cache), databases);
    if (!dir_.empty()) {
      std::printf("taking the data of %s\n", dir_.c_str());
      return;
    }
    dir_ = fs::absolute(cache).string() + "/" + name;
  } else {
    temporary_ = fs::temp_directory_path().string() + "/qs-data.XXXXXX";
    if (mkdtemp(temporary_.data()) == nullptr) throw std::runtime_error("could not make a temporary directory");
    fs::permissions(temporary_, fs::perms(0755));
    dir_ = temporary_ + "/" + name;
  }
  Options plain = options;
  plain.Set("keep", "");
  Cluster cluster(plain, "loading", "", {"shared_buffers = '512MB'", "max_wal_size = '8GB'", "autovacuum = off"});
  for (const std::string& database : databases) {
    std::printf("loading %s\n", database.c_str());
    std::fflush(stdout);
    const std::string command = (loader != nullptr ? loader : LoadCommand)(options, database);
    const CommandResult loaded = RunCommand(cluster.ClientEnvironment() + " " + command + " 2>&1");
    if (loaded.status != 0) throw std::runtime_error("loading " + database + " failed: " + loaded.output);
  }
  cluster.SaveData(dir_);
}

DataTemplate::~DataTemplate() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

std::vector<std::string> DuelSettings(const Options& options) {
  std::vector<std::string> settings = {
      "shared_buffers = '1GB'",
      "autovacuum = off",
      "checkpoint_timeout = '1h'",
      "max_wal_size = '4GB'",
      "jit = off",
      "max_parallel_workers_per_gather = " + options.Text("parallel", "2"),
  };
  for (const std::string& line : options.List("setting", ';')) settings.push_back(line);
  return settings;
}

Contender::Contender(const Options& options, const std::string& name, bool shaped, const DataTemplate& data,
                     const std::vector<std::string>& databases, double timeout_ms, const std::vector<std::string>& more)
    : shaped_(shaped), databases_(databases), timeout_ms_(timeout_ms) {
  std::vector<std::string> settings = DuelSettings(options);
  settings.insert(settings.end(), more.begin(), more.end());
  if (shaped) {
    for (const std::string& setting : options.List("ours", ';')) session_settings_.push_back("SET " + setting);
  }
  setenv("TEMPLATE", data.dir().c_str(), 1);
  cluster_ = std::make_unique<Cluster>(options, name, shaped ? "query_shaper" : "", settings);
  unsetenv("TEMPLATE");
  if (!shaped) return;
  for (const std::string& database : databases_) {
    pqxx::connection connection(cluster_->Connection(database));
    pqxx::nontransaction(connection).exec("CREATE EXTENSION IF NOT EXISTS query_shaper");
  }
}

pqxx::connection* Contender::Session(const std::string& database) {
  auto& session = sessions_[database];
  if (session == nullptr) {
    session = std::make_unique<pqxx::connection>(cluster_->Connection(database));
    pqxx::nontransaction transaction(*session);
    transaction.exec("SET statement_timeout = " + std::to_string(static_cast<long>(timeout_ms_)));
    for (const std::string& setting : session_settings_) transaction.exec(setting);
  }
  return session.get();
}

Answer Contender::Run(const std::string& database, const std::vector<std::string>& script) {
  return RunScript(Session(database), script);
}

pqxx::result Contender::Ask(const std::string& database, const std::string& sql) {
  auto& session = asking_[database];
  if (session == nullptr) session = std::make_unique<pqxx::connection>(cluster_->Connection(database));
  pqxx::nontransaction transaction(*session);
  if (shaped_) transaction.exec("SET query_shaper.mode = off");
  return transaction.exec(sql);
}

void Contender::Warm() {
  for (const std::string& database : databases_) {
    // Copies of a data directory may share blocks on disk of which nothing is in memory: the one that reads an index
    // first would pay for it.
    Ask(database, "CREATE EXTENSION IF NOT EXISTS pg_prewarm");
    Ask(database,
        "SELECT sum(pg_prewarm(oid)) FROM (SELECT oid FROM pg_class WHERE relkind IN ('r', 'i', 'm') AND relnamespace "
        "= 'public'::regnamespace ORDER BY relkind DESC, relname) t");
    for (const auto& row : Ask(database,
                               "SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relnamespace = "
                               "'public'::regnamespace")) {
      Ask(database, std::string("SELECT count(*) FROM ") + row[0].c_str());
    }
  }
}

void Contender::PrintNewEvents(const std::string& database) {
  Ask(database, "SELECT query_shaper.flush()");
  for (const auto& row : Ask(database,
                             "SELECT at, action, verdict, coalesce(node_id, -1), reason, details FROM "
                             "query_shaper.events WHERE at > " +
                                 ShellQuote(events_told_) + " ORDER BY at")) {
    std::printf("      %s %s, node %s: %s %s\n", row[1].c_str(), row[2].c_str(), row[3].c_str(), row[4].c_str(),
                row[5].c_str());
    events_told_ = row[0].c_str();
  }
}

void Contender::Reconnect() { sessions_.clear(); }

std::map<std::string, long> CountEvents(Contender* ours) {
  std::map<std::string, long> events;
  for (const std::string& database : ours->databases()) {
    ours->Ask(database, "SELECT query_shaper.flush()");
    for (const auto& row :
         ours->Ask(database, "SELECT action || ' ' || verdict, count(*) FROM query_shaper.events GROUP BY 1")) {
      events[row[0].c_str()] += row[1].as<long>();
    }
  }
  return events;
}

void PrintEvents(const std::map<std::string, long>& events) {
  std::printf("  events:");
  for (const auto& [what, count] : events) std::printf("  %s %ld", what.c_str(), count);
  std::printf("%s\n", events.empty() ? " none" : "");
}

}  // namespace query_shaper::bench
