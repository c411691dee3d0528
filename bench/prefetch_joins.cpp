// The prefetch bench's single runs, and its joins.
#include <algorithm>
#include <cstdio>
#include <limits>

#include "prefetch_cases.h"

namespace query_shaper::bench {

namespace {

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
    {"nested loop", false, "", "Nested Loop"},
    {"batched", true, "SET query_shaper.prefetch = on", "Batch"},
};

bool CompareJoin(const Options& options, ColdServer* server, const Join& join, Json* result) {
  std::vector<double> ms[2], gains;
  for (int round = 0; round < RoundsOf(options); round++) {
    const std::string query = JoinQuery(options, join.query, round);
    Run runs[2];
    for (int i = 0; i < 2; i++) {
      const int turn = (i + round) % 2;
      server->Restart(kLoops[turn].loaded, true);
      runs[turn] = RunOnce(options, *server, kLoops[turn], query, LoopSettings());
      ms[turn].push_back(runs[turn].ms);
    }
    gains.push_back(runs[0].ms / runs[1].ms);
  }
  const double gain = Quantile(gains, 0.5), least = IsSlow(options) ? 5 : 2.5;
  std::printf("%s: nested loop %.0f ms, batched %.0f ms; gain %.2f\n", join.name, Quantile(ms[0], 0.5),
              Quantile(ms[1], 0.5), gain);
  std::fflush(stdout);
  Json json;
  json.Set("nested_loop_ms", Json::Array(ms[0])).Set("batched_ms", Json::Array(ms[1]));
  result->Set(join.name, std::move(json));
  char what[80];
  std::snprintf(what, sizeof what, "%s: gain >= %.1f", join.name, least);
  return Check(what, gain, least, 1e9);
}

}  // namespace

Run RunOnce(const Options& options, const ColdServer& server, const Variant& variant, const std::string& query,
            const std::string& settings) {
  pqxx::connection connection(server.Connection());
  pqxx::nontransaction session(connection);
  session.exec(settings + variant.settings);
  session.exec("EXPLAIN " + query);
  const double queued = QueuedMs(options, connection.backendpid());
  const std::string plan = ValueOf(&session, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + query);
  const double waited = QueuedMs(options, connection.backendpid()) - queued;
  if (variant.node != nullptr && plan.find("\"" + std::string(variant.node) + "\"") == std::string::npos)
    std::printf("  planned without %s: %s\n", variant.node, query.c_str());
  return {NumberAfter(plan, "Execution Time") - waited, NumberAfter(plan, "Shared Read Blocks")};
}

namespace {

// Processor time of ten runs, the best of some, in ms, over blocks that came into the buffer pool in the order of the
// index: a scan that meets them in the order in which they came, one behind the other, takes a seventh less than one
// that does not, whoever runs it. The plan is made before they come, or it would be none of ours.
double WarmCpuMs(const ColdServer& server, const std::string& settings, bool prefetch, const std::string& query) {
  const std::string off = "SET query_shaper.prefetch = off";
  pqxx::connection connection(server.Connection());
  pqxx::nontransaction session(connection);
  session.exec(settings + (prefetch ? "SET query_shaper.prefetch = on" : off));
  session.exec("PREPARE again AS " + query);
  const std::string plan = ValueOf(&session, "EXPLAIN (FORMAT JSON) EXECUTE again");
  if (prefetch && plan.find("\"Prefetch\"") == std::string::npos && plan.find("\"Batch\"") == std::string::npos)
    std::printf("  planned without a node of ours: %s\n", query.c_str());
  session.exec(off);
  session.exec(query);
  if (prefetch) session.exec("SET query_shaper.prefetch = on");
  for (int i = 0; i < 3; i++) session.exec("EXECUTE again");
  double best = std::numeric_limits<double>::max();
  for (int turn = 0; turn < 6; turn++) {
    const double before = ProcessCpuMs(connection.backendpid());
    for (int repeat = 0; repeat < 10; repeat++) session.exec("EXECUTE again");
    best = std::min(best, ProcessCpuMs(connection.backendpid()) - before);
  }
  return best;
}

}  // namespace

Warm WarmRatios(ColdServer* server, const std::string& query, const std::string& session_settings, int rounds) {
  const std::string settings =
      session_settings + "SET plan_cache_mode = force_generic_plan; SET enable_bitmapscan = off; ";
  const char* const kNames[] = {"nothing loaded", "prefetch off", "on"};
  std::vector<double> ms[3], to_stock, to_off;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < 3; i++) {
      const int turn = (i + round) % 3;
      server->Restart(turn > 0, false);
      ms[turn].push_back(WarmCpuMs(*server, settings, turn == 2, query));
    }
    to_stock.push_back(ms[2].back() / ms[0].back());
    to_off.push_back(ms[2].back() / ms[1].back());
  }
  std::printf("  warm: processor time of ten runs, ms:");
  for (int turn = 0; turn < 3; turn++) std::printf(" %s %.1f", kNames[turn], Quantile(ms[turn], 0.5));
  std::printf("; on to nothing loaded [%.3f, %.3f] in %d rounds\n", Quantile(to_stock, 0.25), Quantile(to_stock, 0.75),
              rounds);
  return {Quantile(to_stock, 0.5), Quantile(to_off, 0.5)};
}

std::string LoopSettings() {
  return std::string(kScanOnly) +
         "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off; "
         "SET enable_bitmapscan = off; SET enable_indexonlyscan = off; ";
}

std::string JoinQuery(const Options& options, const std::string& join, int round) {
  const int keys = static_cast<int>(options.Number("keys", 10000));
  return "WITH keys AS MATERIALIZED (SELECT ((hashint4(i + 77) & 2147483647)::bigint % " +
         std::to_string(static_cast<long>(RowsOf(options))) + ")::int AS k FROM generate_series(" +
         std::to_string(1 + round * keys) + ", " + std::to_string((round + 1) * keys) + ") i) " + join;
}

bool CompareJoins(const Options& options, ColdServer* server, Json* result) {
  bool met = true;
  for (const Join& join : kJoins)
    if (Selected(options, std::string(join.name).substr(0, 4))) met = CompareJoin(options, server, join, result) && met;
  if (!Selected(options, "warm")) return met;
  const Warm warm = WarmRatios(server, JoinQuery(options, kJoins[0].query, 0), LoopSettings(), RoundsOf(options) + 2);
  result->Set("warm_join_cpu_ratio", warm.to_stock);
  met = Check("warm nested loop: CPU to prefetch off <= 1.05", warm.to_off, 0, 1.05) && met;
  return Check("warm nested loop: CPU to stock <= 1.05", warm.to_stock, 0, 1.05) && met;
}

}  // namespace query_shaper::bench
