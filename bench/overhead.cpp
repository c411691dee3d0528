// overhead: CPU time of the backend, nothing loaded against query_shaper and its neighbours.
//
// One cluster per configuration runs on the same rows, all side by side; a round runs the same statements on each of
// them, starting with another one every round, and yields one ratio to "nothing loaded" per configuration. Backends are
// renewed every few rounds, because the layout of one process's memory alone is worth a percent, and servers a few
// times per kind of long statement, because where their buffers lie is worth as much. A second cluster with nothing
// loaded shows what the method itself cannot tell apart. Client and backend share one core: a wake-up across cores
// costs as much as a point query, and now and then half of it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <pqxx/pqxx>
#include <random>
#include <sstream>
#include <stdexcept>

#include "driver.h"

namespace query_shaper::bench {

namespace {

struct Configuration {
  const char* name;
  const char* preload;
  const char* extensions;  // created in the database, separated by blanks
  std::vector<std::string> settings;
};

const Configuration kConfigurations[] = {
    {"nothing", "", "", {}},
    {"control", "", "", {}},
    {"query_shaper", "query_shaper", "query_shaper", {}},
    {"pg_stat_statements", "pg_stat_statements", "pg_stat_statements", {}},
    {"pg_stat_kcache", "pg_stat_statements,pg_stat_kcache", "pg_stat_statements pg_stat_kcache", {}},
    // Instruments every statement and would log those beyond ten seconds, of which there are none here.
    {"auto_explain",
     "auto_explain",
     "",
     {"auto_explain.log_min_duration = '10s'", "auto_explain.log_analyze = on", "auto_explain.log_timing = off"}},
};

struct Kind {
  const char* name;
  const char* sql;  // point queries end before their key
  bool prepared;
  bool point;
  double target;
};

const Kind kKinds[] = {
    {"point_simple", "SELECT * FROM item WHERE id = ", false, true, 1.03},
    {"point_prepared", "SELECT * FROM item WHERE id = $1", true, true, 1.03},
    {"hash_join_aggregate",
     "SELECT c.region, count(*), sum(s.amount) FROM sale s JOIN customer c ON c.id = s.customer_id GROUP BY c.region",
     false, false, 1.02},
    {"seq_scan_count", "SELECT count(*) FROM sale", false, false, 1.02},
};

class Side {
 public:
  Side(const Options& options, const Configuration& configuration, double rows) : configuration_(configuration) {
    std::vector<std::string> settings = {"shared_buffers = '640MB'",
                                         "autovacuum = off",
                                         "jit = off",
                                         "max_parallel_workers_per_gather = 0",
                                         "work_mem = '64MB'",
                                         "checkpoint_timeout = '1h'",
                                         "max_wal_size = '4GB'"};
    settings.insert(settings.end(), configuration.settings.begin(), configuration.settings.end());
    cluster_ = std::make_unique<Cluster>(options, configuration.name, configuration.preload, settings);
    pqxx::connection connection(cluster_->Connection("postgres"));
    pqxx::nontransaction transaction(connection);
    if (transaction.exec("SELECT 1 FROM pg_class WHERE relname = 'sale'").empty()) Fill(&transaction, rows);
  }

  void Restart() {
    connection_.reset();
    cluster_->Restart();
  }

  void Connect() {
    connection_.reset();
    connection_ = std::make_unique<pqxx::connection>(cluster_->Connection("postgres"));
    pid_ = connection_->backendpid();
    PinToOneCore(pid_);
    for (const Kind& kind : kKinds) {
      if (kind.prepared) connection_->prepare(kind.name, kind.sql);
    }
  }

  // Backend CPU in ms of one round of the kind.
  double Run(const Kind& kind, int statements, double rows, uint64_t seed) {
    pqxx::nontransaction transaction(*connection_);
    std::mt19937_64 random(seed);  // the same keys for every configuration
    std::uniform_int_distribution<long> key(1, static_cast<long>(rows) / 4);
    const double before = ProcessCpuMs(pid_);
    for (int i = 0; i < statements; i++) {
      size_t got = 0;
      if (kind.prepared) {
        got = transaction.exec_prepared(kind.name, key(random)).size();
      } else if (kind.point) {
        got = transaction.exec(kind.sql + std::to_string(key(random))).size();
      } else {
        got = transaction.exec(kind.sql).size();
      }
      if (got == 0) throw std::runtime_error(std::string(kind.name) + " returned no row");
    }
    return ProcessCpuMs(pid_) - before;
  }

  const Configuration& configuration() const { return configuration_; }

 private:
  void Fill(pqxx::nontransaction* transaction, double rows) {
    const std::string sales = std::to_string(static_cast<long>(rows));
    const std::string items = std::to_string(static_cast<long>(rows) / 4);
    transaction->exec(
        "CREATE TABLE item (id int PRIMARY KEY, name text, price numeric);"
        "CREATE TABLE customer (id int PRIMARY KEY, region int, name text);"
        "CREATE TABLE sale (id int, customer_id int, item_id int, amount float8, note text)");
    transaction->exec("INSERT INTO item SELECT g, 'item ' || g, g % 1000 FROM generate_series(1, " + items + ") g");
    transaction->exec("INSERT INTO customer SELECT g, g % 25, 'customer ' || g FROM generate_series(1, 100000) g");
    // Squares give a skew: few customers buy much.
    transaction->exec("INSERT INTO sale SELECT g, 1 + ((g::bigint * g) % 100000)::int, 1 + g % " + items +
                      ", (g % 997) / 10.0, 'note ' || g % 1000 FROM generate_series(1, " + sales + ") g");
    std::istringstream extensions(configuration_.extensions);
    for (std::string extension; extensions >> extension;) transaction->exec("CREATE EXTENSION " + extension);
    transaction->exec("VACUUM (FREEZE, ANALYZE)");
    transaction->exec("CHECKPOINT");
  }

  Configuration configuration_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<pqxx::connection> connection_;
  int pid_ = 0;
};

bool Listed(const std::string& list, const std::string& name) {
  return list.empty() || ("," + list + ",").find("," + name + ",") != std::string::npos;
}

}  // namespace

Verdict RunOverhead(const Options& options) {
  const double rows = options.Number("rows", 2000000);
  const int point_rounds = static_cast<int>(options.Number("rounds", 120));
  const int analytic_rounds = static_cast<int>(options.Number("analytic-rounds", 40));
  const int point_statements = static_cast<int>(options.Number("statements", 1500));
  const int rounds_per_backend = static_cast<int>(options.Number("rounds-per-backend", 5));
  const int starts = static_cast<int>(options.Number("starts", 5));
  const std::string configurations = options.Text("configurations", "");
  const std::string kinds = options.Text("kinds", "");

  std::vector<std::unique_ptr<Side>> sides;
  for (const Configuration& configuration : kConfigurations) {
    if (!Listed(configurations, configuration.name) && std::string(configuration.name) != "nothing") continue;
    std::printf("preparing %s\n", configuration.name);
    std::fflush(stdout);
    sides.push_back(std::make_unique<Side>(options, configuration, rows));
  }

  Json result;
  result.Set("rows", rows).Set("statements_per_round", point_statements);
  bool met = true;
  for (const Kind& kind : kKinds) {
    if (!Listed(kinds, kind.name)) continue;
    const int statements = kind.point ? point_statements : 1;
    const int rounds = kind.point ? point_rounds : analytic_rounds;
    const int rounds_per_start = kind.point ? rounds : std::max(1, (rounds + starts - 1) / starts);
    std::vector<std::vector<double>> cpu(sides.size());
    auto pin = std::make_unique<OneCore>();  // not while clusters start, or they would inherit it
    for (int round = 0; round < rounds; round++) {
      const bool start = round > 0 && round % rounds_per_start == 0;
      if (start || round % rounds_per_start % rounds_per_backend == 0) {
        pin.reset();
        for (auto& side : sides) {
          if (start) side->Restart();
        }
        pin = std::make_unique<OneCore>();
        for (auto& side : sides) {
          side->Connect();
          side->Run(kind, kind.point ? 300 : 1, rows, options.seed());  // warms caches of the catalogue and of plans
        }
      }
      for (size_t i = 0; i < sides.size(); i++) {
        const size_t turn = (i + round) % sides.size();
        cpu[turn].push_back(sides[turn]->Run(kind, statements, rows, options.seed() + round));
      }
    }
    std::printf("%s, %d rounds of %d\n  %-20s %10s   %7s  %15s  %17s\n", kind.name, rounds, statements, "", "us/query",
                "ratio", "quartiles", "95 % of median");
    Json of_kind;
    double ours = 0, statements_ratio = 0;
    for (size_t i = 0; i < sides.size(); i++) {
      std::vector<double> ratios;
      for (int round = 0; round < rounds; round++) ratios.push_back(cpu[i][round] / cpu[0][round]);
      const Spread spread = SpreadOf(ratios);
      const double per_query_us = Quantile(cpu[i], 0.5) * 1000 / statements;
      const std::string name = sides[i]->configuration().name;
      std::printf("  %-20s %10.1f   %7.4f  [%.4f, %.4f]  [%.4f, %.4f]\n", name.c_str(), per_query_us, spread.median,
                  spread.q1, spread.q3, spread.low, spread.high);
      if (name == "query_shaper") ours = spread.median;
      if (name == "pg_stat_statements") statements_ratio = spread.median;
      Json json = ToJson(spread);
      json.Set("us_per_query", per_query_us).Set("cpu_ms", Json::Array(cpu[i]));
      of_kind.Set(name, std::move(json));
    }
    if (ours > 0) {
      char text[80];
      std::snprintf(text, sizeof text, "%s, query_shaper <= %.2f", kind.name, kind.target);
      met = Check(text, ours, 0, kind.target) && met;
      if (kind.point && statements_ratio > 0) {
        std::snprintf(text, sizeof text, "%s, query_shaper below pg_stat_statements", kind.name);
        met = Check(text, ours, 0, statements_ratio) && met;
      }
    }
    result.Set(kind.name, std::move(of_kind));
    std::fflush(stdout);
  }
  WriteResult(options, "overhead", std::move(result));
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
