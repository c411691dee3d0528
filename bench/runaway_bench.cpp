// runaway: statements that run away because statistics and history are of a time when the tables were small.
//
// Every template runs some times on the small tables and is learned. Then the tables grow by rows that no statistics
// know, and it runs again with runaway = advise: an event says when it was seen to run away. With runaway = cancel and
// pause it is told how long after the decision the statement had stopped. Re-planning and the rest of what would save
// these statements is off: this is about seeing them.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <future>
#include <thread>

#include "driver_templates.h"
#include "duel.h"

namespace query_shaper::bench {

namespace {

constexpr const char* kDatabase = "runaway";

double EpochMs() {
  return std::chrono::duration<double, std::milli>(std::chrono::system_clock::now().time_since_epoch()).count();
}

struct Flag {
  bool found = false;
  double running_ms = -1;  // of the statement when it was decided, without waits
};

class Course {
 public:
  Course(Contender* ours, double least_ms) : ours_(ours), least_ms_(least_ms) {}

  // The first event of this kind since the statement began.
  Flag FindFlag(double since_ms, const char* verdict) {
    ours_->Ask(kDatabase, "SELECT query_shaper.flush()");
    char sql[400];
    std::snprintf(
        sql, sizeof sql,
        "SELECT (details->>'elapsed_ms')::float8 FROM query_shaper.events WHERE action IN ('cancel', 'pause') AND "
        "verdict = '%s' AND extract(epoch FROM at) * 1000 >= %.3f ORDER BY at LIMIT 1",
        verdict, since_ms - 1);
    const pqxx::result rows = ours_->Ask(kDatabase, sql);
    if (rows.empty()) return {};
    return {true, rows[0][0].as<double>()};
  }

  // From here on runaways are looked for from so early on.
  void SetLeastMs(double least_ms) { least_ms_ = least_ms; }

  std::vector<std::string> Script(const std::string& sql, const char* runaway) {
    return {std::string("SET query_shaper.runaway = ") + runaway,
            "SET query_shaper.runaway_min_time = " + std::to_string(static_cast<long>(least_ms_)),
            "SET query_shaper.replan = off",
            "SET query_shaper.memoize_subplans = off",
            "SET query_shaper.learn_rows = off",
            sql};
  }
  Answer Run(const std::string& sql, const char* runaway) { return ours_->Run(kDatabase, Script(sql, runaway)); }

  double PredictedMs(const std::string& sql) {
    pqxx::connection connection(ours_->cluster().Connection(kDatabase));
    pqxx::nontransaction transaction(connection);
    return transaction.exec("SELECT predicted_ms FROM query_shaper.predict(" + transaction.quote(sql) + ")")[0][0]
        .as<double>();
  }

  // What the server knew before the tables grew: every run after that is to be a surprise again.
  void Remember() {
    ours_->Ask(kDatabase, "SELECT query_shaper.flush()");
    knowledge_ = ours_->Ask(kDatabase, "SELECT query_shaper.export_knowledge()::text")[0][0].c_str();
  }
  void Restore() {
    pqxx::connection connection(ours_->cluster().Connection(kDatabase));
    pqxx::nontransaction transaction(connection);
    transaction.exec("SET query_shaper.mode = off");
    transaction.exec("SELECT query_shaper.reset()");
    transaction.exec("SELECT query_shaper.import_knowledge(" + transaction.quote(knowledge_) + ")");
  }

  // What was stopped may run again; a server that knows no look-alikes has no such function.
  void LiftAll() {
    ours_->Ask(kDatabase,
               "DO $$ BEGIN IF to_regprocedure('query_shaper.lift_runaway(bigint)') IS NOT NULL THEN PERFORM "
               "query_shaper.lift_runaway(query_id) FROM (SELECT DISTINCT query_id FROM query_shaper.events WHERE "
               "query_id IS NOT NULL) e; END IF; END $$");
  }

  // Runs with runaway = pause; returns the time from the decision until the statement was seen paused, -1 if it never
  // was. It is cancelled then. The event is written when the decision is carried out, but says how long the statement
  // had run when it was made: what passed before it ran, and what it waited for, is in the figure.
  double PauseMs(const std::string& sql) {
    const double begun_ms = EpochMs();
    auto run = std::async(std::launch::async, [&] { return Run(sql, "pause"); });
    double paused_ms = -1;
    while (run.wait_for(std::chrono::milliseconds(2)) != std::future_status::ready) {
      const pqxx::result rows = ours_->Ask(kDatabase, "SELECT pid FROM query_shaper.activity WHERE state = 'paused'");
      if (rows.empty()) continue;
      if (paused_ms < 0) paused_ms = EpochMs() - begun_ms;
      ours_->Ask(kDatabase, std::string("SELECT pg_cancel_backend(") + rows[0][0].c_str() + ")");
    }
    run.get();
    const Flag flag = FindFlag(begun_ms, "done");
    return paused_ms < 0 || !flag.found ? -1 : std::max(0.0, paused_ms - flag.running_ms);
  }

  // The same with cancel, until the client has its error.
  double CancelMs(const std::string& sql) {
    const double begun_ms = EpochMs();
    const Answer answer = Run(sql, "cancel");
    if (!answer.timed_out()) return -1;
    const Flag flag = FindFlag(begun_ms, "done");
    return flag.found ? std::max(0.0, answer.wall_ms - flag.running_ms) : -1;
  }

  // A pause that somebody asks for, at a random moment of the run.
  double AskedPauseMs(const std::string& sql, double after_ms) {
    auto run = std::async(std::launch::async, [&] { return Run(sql, "off"); });
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(after_ms));
    double took_ms = -1;
    const pqxx::result rows = ours_->Ask(kDatabase,
                                         "SELECT pid FROM query_shaper.activity WHERE nest_level = 0 AND state = "
                                         "'running' AND query NOT LIKE '%query_shaper.activity%' LIMIT 1");
    if (!rows.empty()) {
      const double asked_ms = NowMs();
      const std::string pid = rows[0][0].c_str();
      if (ours_->Ask(kDatabase, "SELECT query_shaper.pause(" + pid + ")")[0][0].as<bool>()) {
        while (run.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
          if (ours_->Ask(kDatabase, "SELECT 1 FROM query_shaper.activity WHERE pid = " + pid + " AND state = 'paused'")
                  .empty())
            continue;
          took_ms = NowMs() - asked_ms;
          break;
        }
      }
      ours_->Ask(kDatabase, "SELECT pg_cancel_backend(" + pid + ")");
    }
    run.get();
    return took_ms;
  }

 private:
  Contender* ours_;
  double least_ms_;
  std::string knowledge_;
};

// A sample too small for its 99th percentile gives its largest member.
bool CheckLatency(const char* what, const std::vector<double>& sample, Json* result) {
  Json json;
  json.Set("n", sample.size()).Set("p50", Quantile(sample, 0.5)).Set("p99", Quantile(sample, 0.99));
  result->Set(what, std::move(json));
  if (sample.empty()) {
    std::printf("  %s: none to measure\n", what);
    return false;
  }
  std::printf("  %s: %zu, median %.1f ms, p99 %.1f ms\n", what, sample.size(), Quantile(sample, 0.5),
              Quantile(sample, 0.99));
  return Check(std::string(what) + ", p99 <= 500 ms", Quantile(sample, 0.99), 0, 500);
}

}  // namespace

Verdict RunRunaway(const Options& options) {
  const double least_ms = options.Number("min-time", 1000);
  const double factor = options.Number("factor", 10);
  const int learned_runs = static_cast<int>(options.Number("learned-runs", 5));
  const int repeats = static_cast<int>(options.Number("repeats", 2));
  const int stops = static_cast<int>(options.Number("stops", 100));
  const double stop_least_ms = options.Number("stop-min-time", 200);
  std::vector<Template> templates = ReadTemplatesOf(options, "bench/runaway/templates");
  const std::vector<std::string> databases = {kDatabase};
  DataTemplate data(options, databases);
  Contender ours(options, "runaway", true, data, databases, options.Number("timeout", 12000),
                 {"query_shaper.runaway_factor = " + options.Text("factor", "10")});
  ours.Warm();
  Course course(&ours, least_ms);
  std::mt19937_64 random(options.seed());
  pqxx::connection connection(ours.cluster().Connection(kDatabase));
  for (Template& query : templates) {
    for (Parameter& parameter : query.parameters) {
      for (const auto& row : ours.Ask(kDatabase, parameter.candidates_sql))
        parameter.candidates.push_back(row[0].c_str());
    }
  }
  for (const Template& query : templates) {
    for (int run = 0; run < learned_runs; run++) course.Run(Instantiate(query, &connection, &random), "advise");
  }
  long early = 0;
  for (const auto& [what, count] : CountEvents(&ours))
    early += what == "cancel advised" || what == "pause advised" ? count : 0;
  ours.Ask(kDatabase, "SELECT query_shaper.train()");
  course.Remember();
  const int growths = static_cast<int>(options.Number("growths", 3));
  for (int growth = 0; growth < growths; growth++) ours.Ask(kDatabase, "CALL grow()");

  int runaways = 0, flagged = 0, in_time = 0, others = 0, false_flags = 0;
  std::vector<std::pair<std::string, double>> stoppable;  // statement, time it takes
  Json runs = Json::Array();
  std::printf("  %-22s %12s %10s %12s\n", "", "predicted ms", "took ms", "flagged at");
  for (int repeat = 0; repeat < repeats; repeat++) {
    for (const Template& query : templates) {
      const std::string sql = Instantiate(query, &connection, &random);
      course.Restore();
      const double predicted_ms = course.PredictedMs(sql);
      const double begun_ms = EpochMs();
      const Answer answer = course.Run(sql, "advise");
      const Flag flag = course.FindFlag(begun_ms, "advised");
      const double flagged_ms = flag.found ? flag.running_ms : -1;
      const bool ran_away = answer.wall_ms > factor * predicted_ms && answer.wall_ms > least_ms;
      runaways += ran_away;
      flagged += ran_away && flagged_ms >= 0;
      in_time += ran_away && flagged_ms >= 0 && flagged_ms <= 0.2 * answer.wall_ms;
      others += !ran_away;
      false_flags += !ran_away && flagged_ms >= 0;
      std::printf("  %-22s %12.1f %9.0f%s %12.0f%s\n", query.name.c_str(), predicted_ms, answer.wall_ms,
                  answer.ended() ? " " : "+", flagged_ms, ran_away ? "" : "  (no runaway)");
      std::fflush(stdout);
      if (ran_away) stoppable.emplace_back(sql, answer.wall_ms);
      Json json;
      json.Set("name", query.name).Set("predicted_ms", predicted_ms).Set("ms", answer.wall_ms);
      json.Set("flagged_ms", flagged_ms).Set("ran_away", ran_away);
      runs.Push(std::move(json));
    }
  }
  std::printf("%d runaways, %d flagged, %d of them before 20 %% of their time; %d other runs, %d flagged\n", runaways,
              flagged, in_time, others, false_flags);
  if (stoppable.empty()) {
    std::printf("  nothing ran away: nothing to measure\n");
    return Verdict::kFailed;
  }

  std::vector<double> cancels, pauses, asked;
  std::uniform_real_distribution<double> moment(0.05, 0.8);
  course.SetLeastMs(stop_least_ms);
  for (int i = 0; i < stops; i++) {
    const auto& [sql, took_ms] = stoppable[i % stoppable.size()];
    const auto add = [](double ms, std::vector<double>* to) {
      if (ms >= 0) to->push_back(ms);
    };
    const auto surprise = [&] {
      course.LiftAll();
      course.Restore();
    };
    // A statement that nobody stops costs its whole time: what is never flagged is tried a few times only.
    if (flagged > 0 || i < 4) {
      surprise();
      add(course.CancelMs(sql), &cancels);
      surprise();
      add(course.PauseMs(sql), &pauses);
    }
    add(course.AskedPauseMs(sql, moment(random) * std::min(took_ms, 600.0)), &asked);
  }
  Json result;
  bool met = Check("runaways flagged before 20 % of their time", double(in_time) / runaways, 0.8, 1);
  met = Check("flags before the tables grew, and of what did not run away", double(early) + false_flags, 0, 0) && met;
  met = CheckLatency("cancel", cancels, &result) && met;
  met = CheckLatency("pause", pauses, &result) && met;
  met = CheckLatency("pause asked for", asked, &result) && met;
  met = ours.cluster().CleanLog() && met;
  result.Set("runaways", runaways).Set("flagged", flagged).Set("in_time", in_time).Set("false_flags", false_flags);
  result.Set("runs", std::move(runs));
  WriteResult(options, "runaway", std::move(result));
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
