// shadow: rows of query_shaper.shadow() against the truth of EXPLAIN ANALYZE, and what a shadow beside a statement
// costs.
//
// Every template runs with fresh constants. The truth of a set of relations is what the stock plan's join of exactly
// these returned, or, where that plan does not join them so, what shadow() counts when it reads everything. A statement
// of two seconds or more then runs alone and with a shadow beside it, in turns.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>

#include "driver.h"
#include "driver_templates.h"

namespace query_shaper::bench {

namespace {

struct Join {
  const Template* query;
  std::string relations;
  double truth, planner, shadow, low, high, sampled;
};

double QError(double estimate, double truth) {
  const double a = std::max(estimate, 1.0), b = std::max(truth, 1.0);
  return std::max(a / b, b / a);
}

// Joins of the stock plan that ran as a whole: aliases in the order of shadow(), rows of all loops.
const char kTruth[] = R"(
  WITH RECURSIVE nodes(path, node) AS (
    SELECT ARRAY[0], $1::jsonb -> 0 -> 'Plan'
    UNION ALL
    SELECT n.path || c.place::int, c.child FROM nodes n,
      jsonb_array_elements(n.node -> 'Plans') WITH ORDINALITY c(child, place)
    WHERE c.child ->> 'Parent Relationship' IN ('Outer', 'Inner', 'Member'))
  SELECT a.relations, (j.node ->> 'Actual Rows')::float8 * (j.node ->> 'Actual Loops')::float8
  FROM nodes j, LATERAL (SELECT string_agg(s.node ->> 'Alias', ', ' ORDER BY s.node ->> 'Alias' COLLATE "C") AS relations
    FROM nodes s WHERE s.path[:cardinality(j.path)] = j.path AND s.node ? 'Alias') a
  WHERE j.node ->> 'Node Type' IN ('Hash Join', 'Merge Join', 'Nested Loop') AND (j.node ->> 'Actual Loops')::int > 0)";

std::string Quoted(pqxx::connection* connection, const std::string& text) { return connection->quote(text); }

// Rows by relations; the statement's time is put in *ms.
std::map<std::string, double> TruthOf(pqxx::connection* connection, const std::string& sql, double* ms) {
  pqxx::nontransaction work(*connection);
  const std::string plan = work.exec("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + sql)[0][0].c_str();
  std::map<std::string, double> truth;
  for (const pqxx::row& row : work.exec_params(kTruth, plan))
    if (!row[0].is_null()) truth.emplace(row[0].c_str(), row[1].as<double>());
  for (const pqxx::row& row :
       work.exec("SELECT relations, shadow_rows FROM query_shaper.shadow(" + Quoted(connection, sql) + ", 1)"))
    truth.emplace(row[0].c_str(), row[1].as<double>());
  *ms = work.exec_params("SELECT ($1::jsonb -> 0 ->> 'Execution Time')::float8", plan)[0][0].as<double>();
  return truth;
}

void AddJoins(pqxx::connection* connection, const Template& query, const std::string& sql, double fraction,
              const std::map<std::string, double>& truth, std::vector<Join>* joins) {
  pqxx::nontransaction work(*connection);
  for (const pqxx::row& row :
       work.exec("SELECT relations, planner_rows, shadow_rows, low_rows, high_rows, sampled FROM query_shaper.shadow(" +
                 Quoted(connection, sql) + ", " + std::to_string(fraction) + ") WHERE relations LIKE '%, %'")) {
    const auto found = truth.find(row[0].c_str());
    if (found == truth.end()) continue;
    joins->push_back({&query, found->first, found->second, row[1].as<double>(), row[2].as<double>(),
                      row[3].as<double>(), row[4].as<double>(), row[5].as<double>()});
  }
}

double RunMs(pqxx::connection* connection, const std::string& sql, bool beside) {
  pqxx::nontransaction work(*connection);
  work.exec(std::string("SET query_shaper.shadow = ") + (beside ? "on" : "off"));
  const double begin = NowMs();
  work.exec(sql);
  return NowMs() - begin;
}

}  // namespace

Verdict RunShadow(const Options& options) {
  const int repeats = static_cast<int>(options.Number("repeats", 3));
  const double fraction = options.Number("fraction", 0.01);
  const double long_ms = options.Number("long", 2000);
  Laboratory laboratory(
      options, {"shared_buffers = '1GB'", "max_parallel_workers_per_gather = 0", "query_shaper.learn_rows = off",
                "query_shaper.replan = off", "query_shaper.shadow_min_time = 0"});
  std::mt19937_64 random(options.seed());
  std::map<std::string, std::unique_ptr<pqxx::connection>> sessions;
  std::vector<Join> joins;
  std::vector<double> slowdowns, answers;
  size_t failed = 0;
  for (const Template& query : laboratory.templates) {
    auto& session = sessions[query.data];
    if (session == nullptr) session = std::make_unique<pqxx::connection>(laboratory.Connection(query));
    for (int repeat = 0; repeat < repeats; ++repeat) {
      const std::string sql = Instantiate(query, session.get(), &random);
      try {
        double ms = 0;
        const auto truth = TruthOf(session.get(), sql, &ms);
        AddJoins(session.get(), query, sql, fraction, truth, &joins);
        if (ms < long_ms) continue;
        const double alone = RunMs(session.get(), sql, false);
        slowdowns.push_back(RunMs(session.get(), sql, true) / alone);
        pqxx::nontransaction work(*session);
        work.exec("SELECT query_shaper.flush()");
        const pqxx::result told = work.exec(
            "SELECT (details ->> 'answer_ms')::float8 FROM query_shaper.events WHERE action = 'shadow' AND "
            "verdict = 'done' AND (details ->> 'rows')::int > 0 ORDER BY at DESC LIMIT 1");
        if (!told.empty()) answers.push_back(told[0][0].as<double>() / alone);
      } catch (const pqxx::sql_error& error) {
        std::printf("%s: %s\n", query.name.c_str(), error.what());
        ++failed;
      }
    }
  }
  std::vector<double> errors, planner_errors, sampled_errors;
  size_t inside = 0, sampled = 0;
  Json list = Json::Array();
  std::sort(joins.begin(), joins.end(),
            [](const Join& a, const Join& b) { return QError(a.shadow, a.truth) > QError(b.shadow, b.truth); });
  for (const Join& join : joins) {
    errors.push_back(QError(join.shadow, join.truth));
    planner_errors.push_back(QError(join.planner, join.truth));
    if (join.sampled < 1) {
      sampled_errors.push_back(errors.back());
      inside += join.low <= join.truth && join.truth <= join.high;
      ++sampled;
    }
    Json one;
    one.Set("template", join.query->name).Set("relations", join.relations).Set("truth", join.truth);
    one.Set("planner", join.planner).Set("shadow", join.shadow).Set("low", join.low).Set("high", join.high);
    list.Push(std::move(one.Set("sampled", join.sampled)));
  }
  std::printf("%zu joins, %zu of them sampled; %zu statements failed\n", joins.size(), sampled, failed);
  std::printf("shadow  q-error p50 %.3f p95 %.2f max %.1f\n", Quantile(errors, 0.5), Quantile(errors, 0.95),
              Quantile(errors, 1));
  std::printf("sampled q-error p50 %.3f p95 %.2f; limits hold %.1f %%\n", Quantile(sampled_errors, 0.5),
              Quantile(sampled_errors, 0.95), sampled > 0 ? 100.0 * double(inside) / double(sampled) : std::nan(""));
  std::printf("planner q-error p50 %.3f p95 %.2f max %.1f\n", Quantile(planner_errors, 0.5),
              Quantile(planner_errors, 0.95), Quantile(planner_errors, 1));
  for (size_t i = 0; i < joins.size() && i < 5; ++i)
    std::printf("  worst: %s {%s} truth %.0f shadow %.0f (%.0f to %.0f)\n", joins[i].query->name.c_str(),
                joins[i].relations.c_str(), joins[i].truth, joins[i].shadow, joins[i].low, joins[i].high);
  bool met = Check("join rows, q-error p50 <= 2", Quantile(errors, 0.5), 1, 2);
  met = Check("join rows, q-error p95 <= 10", Quantile(errors, 0.95), 1, 10) && met;
  if (!slowdowns.empty())
    met = Check("slowdown of long statements, median <= 1.03", Quantile(slowdowns, 0.5), 0, 1.03) && met;
  if (!answers.empty())
    met = Check("answer before 15 % of a long statement, median", Quantile(answers, 0.5), 0, 0.15) && met;
  Json result;
  result.Set("joins", std::move(list)).Set("failed", failed).Set("slowdowns", Json::Array(slowdowns));
  result.Set("answers", Json::Array(answers));
  WriteResult(options, "shadow", std::move(result));
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
