// The load of the stress bench and of its client test.
#include "stress_load.h"

#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <pqxx/pqxx>
#include <random>
#include <thread>

namespace query_shaper::bench {

namespace {

using Clock = std::chrono::steady_clock;

// Parallel queries and their answers, which do not depend on what the writers do meanwhile.
const char* const kQueries[] = {
    "SELECT count(*) || ' ' || sum(v) FROM stress_data",
    "SELECT count(*) || ' ' || sum(a.v + b.v) FROM stress_data a JOIN stress_data b ON a.id = b.peer WHERE a.v < 90",
    "SELECT count(*) || ' ' || sum(n) FROM (SELECT grp, count(*) AS n FROM stress_data GROUP BY grp) s",
    "SELECT sum(r) FROM (SELECT rank() OVER (PARTITION BY grp ORDER BY v, id) AS r FROM stress_data) s",
    "SELECT count(*) FROM (SELECT id FROM stress_data ORDER BY v DESC, pad LIMIT 50000) s",
    "SELECT stress_nested(20)",
    "SELECT count(DISTINCT v) || ' ' || count(DISTINCT grp) FROM stress_data",
    "WITH c AS MATERIALIZED (SELECT grp, max(v) AS m FROM stress_data GROUP BY grp) "
    "SELECT count(*) FROM stress_data d JOIN c ON c.grp = d.grp WHERE d.v = c.m",
};

class Load {
 public:
  explicit Load(const StressPlan& plan) : plan_(plan) {}

  StressOutcome Run() {
    Prepare();
    started_ = Clock::now();
    Start([this](uint64_t seed) { Query(seed); });
    Start([this](uint64_t seed) { Query(seed); });
    Start([this](uint64_t seed) { Write(seed); });
    Start([this](uint64_t seed) { Write(seed); });
    Start([this](uint64_t seed) { Fetch(seed); });
    Start([this](uint64_t seed) { Poll("query_shaper.activity", seed); });
    Start([this](uint64_t seed) { Poll("query_shaper.activity", seed); });
    Start([this](uint64_t seed) { PollNodes(seed); });
    Start([this](uint64_t seed) { Disturb(seed); });
    Start([this](uint64_t) { Pgbench(); });
    while (!(Seconds() >= plan_.seconds && outcome_polls_ >= plan_.polls) && !Faulty()) Sleep(50);
    stop_ = true;
    Await();
    if (stuck_) return outcome_;
    Account();
    return outcome_;
  }

 private:
  double Seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }
  static void Sleep(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

  void Fault(const std::string& text) {
    const std::lock_guard<std::mutex> guard(mutex_);
    // One fault of a kind tells as much as a thousand.
    if (outcome_.faults.size() < 20) outcome_.faults.push_back(text);
  }
  bool Faulty() {
    const std::lock_guard<std::mutex> guard(mutex_);
    return !outcome_.faults.empty();
  }
  void Count(long StressOutcome::*what, long by = 1) {
    const std::lock_guard<std::mutex> guard(mutex_);
    outcome_.*what += by;
  }

  void Start(std::function<void(uint64_t)> body) {
    const uint64_t seed = plan_.seed * 1000 + threads_.size();
    running_++;
    threads_.emplace_back([this, body, seed] {
      try {
        body(seed);
      } catch (const std::exception& error) {
        Fault(std::string("a session ended: ") + error.what());
      }
      running_--;
    });
  }

  std::unique_ptr<pqxx::connection> Connect(const std::string& name) {
    auto connection = std::make_unique<pqxx::connection>(plan_.connection + " application_name=" + name);
    pqxx::nontransaction transaction(*connection);
    transaction.exec(
        "SET query_shaper.min_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0;"
        "SET parallel_tuple_cost = 0.001; SET max_parallel_workers_per_gather = 2; SET work_mem = '1MB'; SET jit = "
        "off");
    return connection;
  }

  void Prepare() {
    pqxx::connection connection(plan_.connection);
    pqxx::nontransaction transaction(connection);
    transaction.exec(
        "CREATE EXTENSION IF NOT EXISTS query_shaper;"
        "DROP TABLE IF EXISTS stress_data, stress_ledger;"
        "CREATE TABLE stress_data (id int, peer int, grp int, v int, pad text);"
        "CREATE TABLE stress_ledger (writer int, batch int, line int)");
    const std::string rows = std::to_string(plan_.rows);
    transaction.exec("INSERT INTO stress_data SELECT g, 1 + (g::bigint * 7919 % " + rows +
                     ")::int, g % 313, (g::bigint * g % 997)::int, repeat('x', g % 50) FROM generate_series(1, " +
                     rows + ") g");
    transaction.exec(
        "CREATE OR REPLACE FUNCTION stress_nested(n int) RETURNS bigint LANGUAGE plpgsql AS $$\n"
        "DECLARE total bigint := 0; part bigint;\n"
        "BEGIN FOR i IN 1..n LOOP SELECT sum(v) INTO part FROM stress_data WHERE grp = i; total := total + part; END "
        "LOOP;\n"
        "RETURN total; END $$");
    transaction.exec("VACUUM ANALYZE stress_data");
    transaction.exec("SET query_shaper.mode = off");
    for (const char* query : kQueries) answers_.push_back(transaction.exec1(query)[0].c_str());
    const pqxx::row server = transaction.exec1("SELECT pg_postmaster_start_time()::text, current_database()");
    server_start_ = server[0].c_str();
    database_ = server[1].c_str();
    if (Shell(PgbenchCommand("-i -q -s 4")).first != 0) throw std::runtime_error("pgbench could not make its tables");
  }

  std::string PgbenchCommand(const std::string& arguments) {
    pqxx::connection connection(plan_.connection);
    const char* bindir = std::getenv("PG_BINDIR");
    const std::string program =
        bindir != nullptr ? std::string(bindir) + "/pgbench" : "\"$(${PG_CONFIG:-pg_config} --bindir)\"/pgbench";
    return std::string("PGOPTIONS='-c query_shaper.min_cost=0' PGHOST='") + connection.hostname() + "' PGPORT='" +
           connection.port() + "' PGUSER='" + connection.username() + "' PGDATABASE='" + connection.dbname() + "' " +
           program + " " + arguments + " 2>&1";
  }

  static std::pair<int, std::string> Shell(const std::string& command) {
    std::string output;
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return {-1, "popen failed"};
    char buffer[4096];
    while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, got);
    const int status = pclose(pipe);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
  }

  // Runs what may be cancelled; true when it ended by itself.
  bool Cancellable(const std::function<void()>& body) {
    try {
      body();
      return true;
    } catch (const pqxx::sql_error& error) {
      if (error.sqlstate() != "57014") throw;
      Count(&StressOutcome::cancelled);
      return false;
    }
  }

  void Query(uint64_t seed) {
    std::mt19937_64 random(seed);
    auto connection = Connect("stress");
    while (!stop_) {
      const size_t which = random() % std::size(kQueries);
      Cancellable([&] {
        pqxx::nontransaction transaction(*connection);
        const std::string answer = transaction.exec1(kQueries[which])[0].c_str();
        if (answer != answers_[which]) Fault(std::string("wrong answer ") + answer + " of " + kQueries[which]);
        Count(&StressOutcome::queries);
      });
    }
  }

  void Write(uint64_t seed) {
    std::mt19937_64 random(seed);
    auto connection = Connect("stress");
    for (int batch = 0; !stop_; batch++) {
      const long lines = 100 + static_cast<long>(random() % 5000);
      const bool done = Cancellable([&] {
        pqxx::nontransaction transaction(*connection);
        transaction.exec("INSERT INTO stress_ledger SELECT " + std::to_string(seed) + ", " + std::to_string(batch) +
                         ", g FROM generate_series(1, " + std::to_string(lines) + ") g");
      });
      if (done) {
        Count(&StressOutcome::batches);
        written_ += lines;
      }
    }
  }

  void Fetch(uint64_t seed) {
    std::mt19937_64 random(seed);
    auto connection = Connect("stress");
    while (!stop_) {
      const bool done = Cancellable([&] {
        pqxx::work transaction(*connection);
        transaction.exec("DECLARE piece CURSOR FOR SELECT id FROM stress_data ORDER BY v, id");
        long rows = 0;
        while (true) {
          const size_t got = transaction.exec("FETCH " + std::to_string(1 + random() % 20000) + " FROM piece").size();
          rows += static_cast<long>(got);
          if (got == 0) break;
        }
        if (rows != plan_.rows) Fault("a cursor returned " + std::to_string(rows) + " rows");
        transaction.commit();
      });
      if (done) Count(&StressOutcome::cursors);
    }
  }

  void Poll(const std::string& view, uint64_t) {
    auto connection = Connect("eye");
    pqxx::nontransaction(*connection).exec("SET query_shaper.mode = off");
    // Figures that cannot be: they would come from a half-written slot.
    connection->prepare("poll",
                        "SELECT count(*), count(*) FILTER (WHERE progress NOT BETWEEN 0 AND 1 OR progress = 'NaN' OR "
                        "eta < eta_low OR eta > eta_high OR elapsed < '-1 second' OR state NOT IN "
                        "('running', 'paused', 'queued', 'replanning')), max(bar) FROM " +
                            view);
    while (!stop_) {
      pqxx::nontransaction transaction(*connection);
      const pqxx::row row = transaction.exec_prepared1("poll");
      if (row[1].as<long>() > 0) Fault("activity shows figures that cannot be");
      outcome_polls_++;
      Sleep(plan_.polls > plan_.seconds * 500 ? 0 : 1);
    }
  }

  void PollNodes(uint64_t) {
    auto connection = Connect("eye");
    pqxx::nontransaction(*connection).exec("SET query_shaper.mode = off");
    while (!stop_) {
      pqxx::nontransaction transaction(*connection);
      const pqxx::row row = transaction.exec1(
          "SELECT count(*), count(*) FILTER (WHERE progress NOT BETWEEN 0 AND 1 OR progress = 'NaN' OR actual_rows < "
          "0) "
          "FROM query_shaper.activity_nodes");
      if (row[1].as<long>() > 0) Fault("activity_nodes shows figures that cannot be");
      outcome_polls_++;
      Sleep(3);
    }
  }

  void Disturb(uint64_t seed) {
    std::mt19937_64 random(seed);
    auto connection = Connect("hand");
    pqxx::nontransaction(*connection).exec("SET query_shaper.mode = off");
    while (!stop_) {
      pqxx::nontransaction transaction(*connection);
      const pqxx::result running = transaction.exec(
          "SELECT DISTINCT a.pid, s.application_name = 'stress', a.state = 'paused' FROM query_shaper.activity a "
          "JOIN pg_stat_activity s USING (pid) WHERE s.datname = current_database() AND s.application_name <> 'eye'");
      if (!running.empty()) {
        const pqxx::row& row = running[static_cast<int>(random() % running.size())];
        const std::string pid = row[0].c_str();
        const unsigned chance = random() % 10;
        if (row[2].as<bool>() || chance < 2) {
          Act(&transaction, "SELECT query_shaper.resume(" + pid + ")", &StressOutcome::resumes);
        } else if (chance < 7) {
          Act(&transaction, "SELECT query_shaper.pause(" + pid + ")", &StressOutcome::pauses);
        } else if (row[1].as<bool>()) {
          Act(&transaction, "SELECT pg_cancel_backend(" + pid + ")", &StressOutcome::cancels);
        }
      }
      Sleep(static_cast<int>(random() % 30));
    }
    // What is paused now would wait for ever.
    while (running_ > 1 && Seconds() < plan_.seconds + 600) {
      pqxx::nontransaction transaction(*connection);
      for (const auto& row :
           transaction.exec("SELECT DISTINCT pid FROM query_shaper.activity WHERE state = 'paused'")) {
        Act(&transaction, std::string("SELECT query_shaper.resume(") + row[0].c_str() + ")", &StressOutcome::resumes);
      }
      Sleep(20);
    }
  }

  // The statement may have ended since it was looked up: then the answer is false or "no such statement".
  void Act(pqxx::nontransaction* transaction, const std::string& sql, long StressOutcome::*what) {
    try {
      if (transaction->exec1(sql)[0].as<bool>(false)) Count(what);
    } catch (const pqxx::sql_error& error) {
      if (error.sqlstate() != "22023" && error.sqlstate() != "42704") throw;
    }
  }

  void Pgbench() {
    while (!stop_) {
      const auto [status, output] = Shell(PgbenchCommand("-n -c 4 -T 5"));
      const std::string mark = "number of transactions actually processed: ";
      const size_t at = output.find(mark);
      if (status != 0 || at == std::string::npos) {
        Fault("pgbench failed: " + output.substr(0, 300));
        return;
      }
      Count(&StressOutcome::pgbench_transactions, std::atol(output.c_str() + at + mark.size()));
    }
  }

  void Await() {
    const auto stopped = Clock::now();
    while (running_ > 0 && Clock::now() - stopped < std::chrono::seconds(90)) Sleep(20);
    if (running_ == 0) {
      for (std::thread& thread : threads_) thread.join();
      return;
    }
    stuck_ = true;
    std::string who;
    try {
      pqxx::connection connection(plan_.connection);
      pqxx::nontransaction transaction(connection);
      for (const auto& row : transaction.exec(
               "SELECT concat_ws(' ', pid, application_name, state, wait_event_type, wait_event, left(query, 60)) "
               "FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'")) {
        who += std::string("\n    ") + row[0].c_str();
      }
    } catch (const std::exception& error) {
      who = error.what();
    }
    Fault("sessions are stuck:" + who);
    // Threads blocked in a stuck session cannot be joined; the process is about to end.
    for (std::thread& thread : threads_) thread.detach();
  }

  void Expect(const std::string& what, long found, long expected) {
    if (found != expected) Fault(what + ": " + std::to_string(found) + " instead of " + std::to_string(expected));
  }

  void Account() {
    outcome_.polls = outcome_polls_;
    pqxx::connection connection(plan_.connection);
    pqxx::nontransaction transaction(connection);
    const auto number = [&](const std::string& sql) { return transaction.exec1(sql)[0].as<long>(); };
    Expect("rows of the writers", number("SELECT count(*) FROM stress_ledger"), written_);
    Expect("rows of pgbench_history", number("SELECT count(*) FROM pgbench_history"), outcome_.pgbench_transactions);
    const long delta = number("SELECT coalesce(sum(delta), 0) FROM pgbench_history");
    for (const char* table : {"accounts abalance", "branches bbalance", "tellers tbalance"}) {
      const std::string words = table;
      const size_t blank = words.find(' ');
      Expect("balance of " + words.substr(0, blank),
             number("SELECT sum(" + words.substr(blank + 1) + ") FROM pgbench_" + words.substr(0, blank)), delta);
    }
    if (transaction.exec1("SELECT pg_postmaster_start_time()::text")[0].c_str() != server_start_) {
      Fault("the server was restarted");
    }
    // The slots of ended statements are free again.
    const auto since = Clock::now();
    const std::string left =
        "SELECT count(*) FROM query_shaper.activity a JOIN pg_stat_activity s USING (pid) "
        "WHERE a.pid <> pg_backend_pid() AND s.datname = current_database()";
    while (number(left) > 0 && Clock::now() - since < std::chrono::seconds(30)) Sleep(50);
    Expect("statements left in activity", number(left), 0);
    transaction.exec("SELECT query_shaper.flush()");
  }

  StressPlan plan_;
  StressOutcome outcome_;
  std::mutex mutex_;
  std::vector<std::thread> threads_;
  std::vector<std::string> answers_;
  std::string server_start_, database_;
  Clock::time_point started_;
  std::atomic<bool> stop_{false};
  std::atomic<int> running_{0};
  std::atomic<long> outcome_polls_{0};
  std::atomic<long> written_{0};
  bool stuck_ = false;
};

}  // namespace

StressOutcome RunStressLoad(const StressPlan& plan) {
  // Outlives detached threads when sessions are stuck.
  const auto load = new Load(plan);
  StressOutcome outcome = load->Run();
  if (outcome.faults.empty()) delete load;
  return outcome;
}

}  // namespace query_shaper::bench
