// planning: CPU time of the backend for a six-way join that is only planned, and for point queries, against a server
// with nothing loaded.
//
// As in `overhead`: two clusters on the same data, rounds in turns, the ratio of a round, backends renewed every few
// rounds, client and backend on one core. The join is measured with nothing learned of it and after it has run.
#include <cstdio>
#include <memory>
#include <pqxx/pqxx>
#include <random>

#include "duel.h"

namespace query_shaper::bench {

namespace {

const char* const kSixWay =
    "SELECT u.rating, count(*), sum(s.amount) FROM customer c JOIN sale s ON s.customer_id = c.id "
    "JOIN product p ON p.id = s.product_id JOIN supplier u ON u.id = p.supplier_id JOIN shipment t ON t.sale_id = s.id "
    "JOIN review r ON r.product_id = p.id WHERE c.city = 300 AND c.segment = 3 AND p.line = 7 AND t.weight > 20 "
    "AND r.stars = 1 GROUP BY 1";

struct Task {
  const char* name;
  bool point;
  bool after_runs;  // of the join itself, so that its rows are known
  double target;
};

const Task kTasks[] = {
    {"six_way_unknown", false, false, 1.3},
    {"six_way_learned", false, true, 1.3},
    {"point_simple", true, false, 1.03},
};

class Planner {
 public:
  explicit Planner(Contender* contender) : contender_(contender) {}

  void Connect() {
    connection_ = std::make_unique<pqxx::connection>(contender_->cluster().Connection("errorprone"));
    pid_ = connection_->backendpid();
    PinToOneCore(pid_);
  }
  void RunJoin(int times) {
    pqxx::nontransaction transaction(*connection_);
    for (int i = 0; i < times; i++) transaction.exec(kSixWay);
  }
  double Round(const Task& task, int statements, uint64_t seed) {
    pqxx::nontransaction transaction(*connection_);
    std::mt19937_64 random(seed);
    std::uniform_int_distribution<int> key(1, 120000);
    const double before = ProcessCpuMs(pid_);
    for (int i = 0; i < statements; i++) {
      if (task.point) {
        transaction.exec("SELECT * FROM customer WHERE id = " + std::to_string(key(random)));
      } else {
        transaction.exec(std::string("EXPLAIN (COSTS OFF) ") + kSixWay);
      }
    }
    return ProcessCpuMs(pid_) - before;
  }

 private:
  Contender* contender_;
  std::unique_ptr<pqxx::connection> connection_;
  int pid_ = 0;
};

}  // namespace

Verdict RunPlanning(const Options& options) {
  const int rounds = static_cast<int>(options.Number("rounds", 60));
  const int per_backend = static_cast<int>(options.Number("rounds-per-backend", 5));
  const int joins = static_cast<int>(options.Number("joins", 100));
  const int points = static_cast<int>(options.Number("statements", 1500));
  const std::vector<std::string> databases = {"errorprone"};
  DataTemplate data(options, databases);
  Contender stock(options, "stock", false, data, databases, 0, {"max_parallel_workers_per_gather = 0"});
  Contender ours(options, "ours", true, data, databases, 0, {"max_parallel_workers_per_gather = 0"});
  stock.Warm();
  ours.Warm();
  const OneCore pin;
  Planner sides[] = {Planner(&stock), Planner(&ours)};
  bool met = true;
  Json result;
  for (const Task& task : kTasks) {
    if (task.after_runs) {
      for (Planner& side : sides) {
        side.Connect();
        side.RunJoin(4);
      }
      ours.Ask("errorprone", "SELECT query_shaper.flush()");
    }
    const int statements = task.point ? points : joins;
    std::vector<double> ratios, us[2];
    for (int round = 0; round < rounds; round++) {
      if (round % per_backend == 0) {
        for (Planner& side : sides) {
          side.Connect();
          side.Round(task, task.point ? 300 : 5, options.seed());  // warms the catalogue's caches
        }
      }
      double cpu[2];
      for (int i = 0; i < 2; i++) {
        const int turn = (i + round) % 2;
        cpu[turn] = sides[turn].Round(task, statements, options.seed() + round);
        us[turn].push_back(cpu[turn] * 1000 / statements);
      }
      ratios.push_back(cpu[1] / cpu[0]);
    }
    const Spread spread = SpreadOf(ratios);
    std::printf("%s: stock %.1f us, ours %.1f us, ratio %.4f [%.4f, %.4f], median's 95 %% [%.4f, %.4f]\n", task.name,
                Quantile(us[0], 0.5), Quantile(us[1], 0.5), spread.median, spread.q1, spread.q3, spread.low,
                spread.high);
    char text[80];
    std::snprintf(text, sizeof text, "%s <= %.2f", task.name, task.target);
    met = Check(text, spread.median, 0, task.target) && met;
    Json json = ToJson(spread);
    json.Set("stock_us", Json::Array(us[0])).Set("ours_us", Json::Array(us[1]));
    result.Set(task.name, std::move(json));
    std::fflush(stdout);
  }
  WriteResult(options, "planning", std::move(result));
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
