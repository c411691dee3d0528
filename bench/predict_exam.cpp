#include "predict_exam.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "driver_watch.h"

namespace query_shaper::bench {

namespace {

// What the planner's own figures make of the memory of all nodes that hold rows, each bounded by its limit.
constexpr const char* kPlannerMemory =
    "WITH RECURSIVE plan(node, parent, processes) AS ("
    " SELECT $1::jsonb -> 0 -> 'Plan', NULL::jsonb, 1.0::float8"
    " UNION ALL SELECT child, plan.node, CASE WHEN plan.node ->> 'Node Type' IN ('Gather', 'Gather Merge')"
    "  THEN 1 + (plan.node ->> 'Workers Planned')::float8 ELSE plan.processes END"
    " FROM plan, jsonb_array_elements(plan.node -> 'Plans') AS child),"
    " sized AS (SELECT node ->> 'Node Type' AS type, node ->> 'Strategy' AS strategy, processes,"
    "  CASE WHEN parent ->> 'Node Type' = 'Limit' THEN least((node ->> 'Plan Rows')::float8,"
    "   (parent ->> 'Plan Rows')::float8) ELSE (node ->> 'Plan Rows')::float8 END AS rows,"
    "  (node ->> 'Plan Width')::float8 AS width FROM plan),"
    " bounds AS (SELECT (SELECT setting::float8 FROM pg_settings WHERE name = 'work_mem') AS work_mem,"
    "  (SELECT setting::float8 FROM pg_settings WHERE name = 'hash_mem_multiplier') AS hash)"
    " SELECT coalesce(sum(processes * CASE"
    "  WHEN type IN ('Sort', 'Incremental Sort', 'Materialize') THEN least(rows * (width + 24) / 1024, work_mem)"
    "  WHEN type IN ('Hash', 'Memoize') THEN least(rows * (width + 24) / 1024, work_mem * hash)"
    "  WHEN type = 'Aggregate' AND strategy IN ('Hashed', 'Mixed')"
    "   THEN least(rows * (width + 64) / 1024, work_mem * hash)"
    "  ELSE 0 END), 0) FROM sized, bounds";

void Predict(pqxx::connection* connection, const std::string& sql, bool planner_memory, ExamRun* run,
             std::string* query_id) {
  pqxx::nontransaction transaction(*connection);
  const pqxx::result rows = transaction.exec(
      "SELECT p.query_id, p.origin, t.key AS target, m.key AS member, (m.value ->> 'value')::float8,"
      " (m.value ->> 'weight')::float8, p.predicted_ms, p.low_ms, p.high_ms, p.memory_kb, p.memory_low_kb,"
      " p.memory_high_kb, p.rows, p.rows_low, p.rows_high, p.temp_kb, p.temp_low_kb, p.temp_high_kb, p.blocks,"
      " p.blocks_low, p.blocks_high, p.cpu_ms, p.cpu_low_ms, p.cpu_high_ms, p.blocks_read, p.blocks_read_low,"
      " p.blocks_read_high FROM query_shaper.predict(" +
      transaction.quote(sql) + ") AS p, jsonb_each(p.members) AS t, jsonb_each(t.value) AS m");
  *query_id = rows[0][0].c_str();
  run->origin = rows[0][1].c_str();
  const char* const kNames[] = {"time_ms", "memory_kb", "rows", "temp_kb", "blocks", "cpu_ms", "blocks_read"};
  for (int t = 0; t < 7; t++) {
    TargetFigures& target = run->targets[kNames[t]];
    target.predicted = rows[0][6 + 3 * t].as<double>();
    target.low = rows[0][7 + 3 * t].as<double>();
    target.high = rows[0][8 + 3 * t].as<double>();
  }
  for (const auto& row : rows) {
    run->targets[row[2].c_str()].members[row[3].c_str()] = row[4].as<double>();
    run->targets[row[2].c_str()].weights[row[3].c_str()] = row[5].as<double>();
  }
  if (!planner_memory) return;
  transaction.exec("SET query_shaper.mode = off");
  const pqxx::result plan = transaction.exec("EXPLAIN (FORMAT JSON) " + sql);
  std::string text;
  for (const auto& line : plan) text += std::string(line[0].c_str()) + "\n";
  run->planner_memory_kb = transaction.exec_params(kPlannerMemory, text)[0][0].as<double>();
  transaction.exec("RESET query_shaper.mode");
}

struct Awaited {
  ExamRun run;
  std::string query_id, since;
  bool first;
};

std::string ServerTime(pqxx::connection* connection) {
  pqxx::nontransaction transaction(*connection);
  return transaction.exec("SELECT clock_timestamp()::text")[0][0].c_str();
}

// False when the server has not told of the run: planned below min_cost, or cut off.
bool FetchOutcome(pqxx::connection* connection, const Awaited& awaited, ExamRun* run) {
  pqxx::nontransaction transaction(*connection);
  const pqxx::result rows = transaction.exec_params(
      "SELECT p.actual_ms, t.key, (t.value ->> 'actual')::float8 FROM (SELECT * FROM query_shaper.predictions"
      " WHERE query_id = $1::bigint AND at >= $2::timestamptz ORDER BY at LIMIT 1) AS p,"
      " jsonb_each(p.details -> 'targets') AS t",
      awaited.query_id, awaited.since);
  for (const auto& row : rows) {
    run->targets["time_ms"].actual = row[0].as<double>();
    run->targets[row[1].c_str()].actual = row[2].as<double>();
  }
  return !rows.empty();
}

double SlackOf(const std::string& target) {
  if (target == "time_ms" || target == "cpu_ms") return 0.01;
  if (target == "memory_kb" || target == "temp_kb") return 64;
  return 10;
}

// The blend as it would be without one member: what that member pulled is taken out, whatever else was added stays.
double Without(const TargetFigures& figures, const std::string& member) {
  const bool plain = figures.members.count("online") > 0;  // time alone is answered by it, on a log scale without one
  const auto scale = [&](double value) { return plain ? std::log(std::max(value, 1e-3)) : std::log1p(value); };
  double all = 0, others = 0, weight = 0;
  for (const auto& [name, value] : figures.members) {
    const double w = figures.weights.at(name);
    all += w * scale(value);
    if (name == member) continue;
    others += w * scale(value);
    weight += w;
  }
  if (weight < 1e-3) return -1;
  const double log = scale(figures.predicted) + others / weight - all;
  return plain ? std::exp(log) : std::expm1(std::max(log, 0.0));
}

struct Errors {
  std::vector<double> values;
  void Add(double predicted, double actual, double slack) {
    if (predicted >= 0) values.push_back(std::exp2(LogError(predicted, actual, slack)));
  }
  double p50() const { return Quantile(values, 0.5); }
  double p95() const { return Quantile(values, 0.95); }
};

struct MemberErrors {
  Errors alone, blend, without;
};

MemberErrors ErrorsOf(const std::vector<ExamRun>& runs, const std::string& target, const std::string& member,
                      double shortest_ms) {
  MemberErrors errors;
  for (const ExamRun& run : runs) {
    const TargetFigures& figures = run.targets.at(target);
    if (run.client_ms < shortest_ms || figures.actual < 0) continue;
    const double slack = SlackOf(target);
    const auto told = figures.members.find(member);
    if (member == "blend") {
      errors.alone.Add(figures.predicted, figures.actual, slack);
      continue;
    }
    if (told == figures.members.end()) continue;
    errors.alone.Add(told->second, figures.actual, slack);
    const double without = Without(figures, member);
    if (without < 0) continue;
    errors.without.Add(without, figures.actual, slack);
    errors.blend.Add(figures.predicted, figures.actual, slack);
  }
  return errors;
}

// How much worse the mean log error gets without the member, as a share; positive: it helps.
double Gain(const MemberErrors& errors) {
  double with = 0, without = 0;
  for (const double q : errors.blend.values) with += std::log2(q);
  for (const double q : errors.without.values) without += std::log2(q);
  return with > 0 ? without / with - 1 : 0;
}

}  // namespace

double LogError(double predicted, double actual, double slack) {
  return std::fabs(std::log2((std::max(predicted, 0.0) + slack) / (std::max(actual, 0.0) + slack)));
}

Exam Examine(const Options& options, Laboratory* laboratory, bool planner_memory, std::mt19937_64* random) {
  const double timeout_ms = options.Number("timeout", 30000);
  const int folds = static_cast<int>(options.Number("folds", 4));
  const int repeats = static_cast<int>(options.Number("repeats", 6));
  const int train_runs = static_cast<int>(options.Number("train-runs", 3));
  std::map<std::string, std::unique_ptr<Watcher>> sessions;
  for (const Template& query : laboratory->templates) {
    auto& session = sessions[query.data];
    if (session == nullptr) session = std::make_unique<Watcher>(laboratory->Connection(query));
  }
  const auto session = [&](const Template& query) { return sessions[query.data].get(); };
  const auto text_of = [&](const Template& query) { return Instantiate(query, &session(query)->runner(), random); };

  std::vector<const Template*> templates;
  for (const Template& query : laboratory->templates) templates.push_back(&query);
  std::shuffle(templates.begin(), templates.end(), *random);
  Exam exam;
  std::vector<Awaited> awaited;
  const auto measure = [&](const Template& query, bool first) {
    const std::string sql = text_of(query);
    Awaited one;
    one.run.query = &query;
    one.first = first;
    Predict(&session(query)->runner(), sql, planner_memory, &one.run, &one.query_id);
    one.since = ServerTime(&session(query)->runner());
    const WatchedRun run = session(query)->RunUnwatched(sql, timeout_ms);
    one.run.client_ms = run.total_ms;
    if (run.error.empty()) {
      awaited.push_back(std::move(one));
    } else {
      exam.failed++;
    }
  };
  const auto collect = [&] {
    for (Awaited& one : awaited) {
      FetchOutcome(&session(*one.run.query)->runner(), one, &one.run);
      (one.first ? exam.left_out : exam.seen).push_back(std::move(one.run));
    }
    awaited.clear();
  };
  // Caches of the system warm up before anything is learned from them.
  for (const Template* query : templates) session(*query)->RunUnwatched(text_of(*query), timeout_ms);

  for (int fold = 0; fold < folds; fold++) {
    laboratory->Reset();
    std::vector<const Template*> lessons, questions;
    for (size_t i = 0; i < templates.size(); i++) {
      (static_cast<int>(i) % folds == fold ? questions : lessons).push_back(templates[i]);
    }
    for (int run = 0; run < train_runs; run++) {
      std::shuffle(lessons.begin(), lessons.end(), *random);
      for (const Template* query : lessons) session(*query)->RunUnwatched(text_of(*query), timeout_ms);
      laboratory->Learn();
    }
    for (int run = 0; run <= repeats; run++) {
      for (const Template* query : questions) measure(*query, run == 0);
      laboratory->Learn();
      collect();
    }
    std::printf("fold %d of %d done\n", fold + 1, folds);
    std::fflush(stdout);
  }
  return exam;
}

void PrintMembers(const Exam& exam, double shortest_ms, Json* json) {
  const char* const kTargets[] = {"time_ms", "memory_kb", "temp_kb", "cpu_ms", "blocks", "blocks_read", "rows"};
  const char* const kMembers[] = {"cache", "linear", "online", "sequence", "blend"};
  std::printf("q-error by model: alone, and how much the blend's mean log error grows without it (+ it helps)\n");
  std::printf("  %-11s %-9s %28s   %28s\n", "target", "model", "left out p50 / p95 / without",
              "seen p50 / p95 / without");
  Json all;
  for (const char* target : kTargets) {
    Json of_target;
    for (const char* member : kMembers) {
      const MemberErrors left_out = ErrorsOf(exam.left_out, target, member, shortest_ms);
      const MemberErrors seen = ErrorsOf(exam.seen, target, member, shortest_ms);
      if (left_out.alone.values.empty() && seen.alone.values.empty()) continue;
      const bool blend = std::string(member) == "blend";
      const auto text = [&](const MemberErrors& errors) {
        char line[64];
        if (errors.alone.values.empty()) {
          std::snprintf(line, sizeof line, "-");
        } else if (blend || errors.without.values.empty()) {
          std::snprintf(line, sizeof line, "%8.3f %9.2f        -", errors.alone.p50(), errors.alone.p95());
        } else {
          std::snprintf(line, sizeof line, "%8.3f %9.2f %+7.1f%%", errors.alone.p50(), errors.alone.p95(),
                        100 * Gain(errors));
        }
        return std::string(line);
      };
      const bool helps = blend || Gain(left_out) > 0.005 || Gain(seen) > 0.005;
      std::printf("  %-11s %-9s %28s   %28s%s\n", target, member, text(left_out).c_str(), text(seen).c_str(),
                  helps ? "" : "   adds nothing");
      Json figures;
      figures.Set("left_out_p50", left_out.alone.p50()).Set("left_out_p95", left_out.alone.p95());
      figures.Set("seen_p50", seen.alone.p50()).Set("seen_p95", seen.alone.p95());
      if (!blend) figures.Set("left_out_gain", Gain(left_out)).Set("seen_gain", Gain(seen)).Set("adds", helps);
      of_target.Set(member, std::move(figures));
    }
    all.Set(target, std::move(of_target));
  }
  json->Set("members", std::move(all));
}

}  // namespace query_shaper::bench
