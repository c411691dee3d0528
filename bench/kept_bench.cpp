// kept: of the rows in hash tables, sorts and materialised results that are finished when a statement is planned anew,
// the share that the new plan takes over instead of computing them again.
//
// Events of action replan say it in their details: finished_rows, kept_rows. Each statement runs once with nothing
// learned; then with query_shaper.replan off, for its answer and its time.
#include <algorithm>
#include <cstdio>

#include "driver_templates.h"
#include "duel.h"

namespace query_shaper::bench {

Verdict RunKept(const Options& options) {
  const double timeout_ms = options.Number("timeout", 60000);
  const int repeats = static_cast<int>(options.Number("repeats", 2));
  const std::vector<Template> templates = ReadTemplatesOf(options, "bench/kept/templates");
  const std::vector<std::string> databases = {"errorprone"};
  DataTemplate data(options, databases);
  Contender ours(options, "kept", true, data, databases, timeout_ms);
  ours.Warm();
  double finished = 0, kept = 0, statements_with_replan = 0;
  int differing = 0, without_figures = 0;
  Json queries = Json::Array();
  std::printf("  %-24s %10s %12s %8s %14s %14s\n", "", "ms", "not replanned", "replans", "finished rows", "kept rows");
  for (const Template& query : templates) {
    for (int repeat = 0; repeat < repeats; repeat++) {
      ours.Ask("errorprone", "SELECT query_shaper.reset()");
      ours.Reconnect();
      const Answer answer = ours.Run("errorprone", {"SET query_shaper.replan = on", query.sql});
      ours.Ask("errorprone", "SELECT query_shaper.flush()");
      const pqxx::result events =
          ours.Ask("errorprone",
                   "SELECT count(*), coalesce(sum((details->>'finished_rows')::float8), 0), "
                   "coalesce(sum((details->>'kept_rows')::"
                   "float8), 0), count(*) FILTER (WHERE NOT details ? 'finished_rows') FROM query_shaper.events "
                   "WHERE action = 'replan' AND verdict = 'done'");
      const double replans = events[0][0].as<double>();
      statements_with_replan += replans > 0;
      finished += events[0][1].as<double>();
      kept += events[0][2].as<double>();
      without_figures += events[0][3].as<int>();
      Answer plain;
      if (repeat == 0) {
        plain = ours.Run("errorprone", {"SET query_shaper.replan = off", query.sql});
        if (answer.ended() && plain.ended() && !answer.SameAs(plain)) {
          differing++;
          std::printf("  DIFFERENT answer: %s\n", query.name.c_str());
        }
      }
      std::printf("  %-24s %10.1f %12.1f %8.0f %14.0f %14.0f\n", query.name.c_str(), answer.wall_ms, plain.wall_ms,
                  replans, events[0][1].as<double>(), events[0][2].as<double>());
      std::fflush(stdout);
      Json json;
      json.Set("name", query.name).Set("ms", answer.wall_ms).Set("plain_ms", plain.wall_ms).Set("replans", replans);
      json.Set("finished_rows", events[0][1].as<double>()).Set("kept_rows", events[0][2].as<double>());
      queries.Push(std::move(json));
    }
  }
  Json result;
  result.Set("finished_rows", finished).Set("kept_rows", kept).Set("queries", std::move(queries));
  WriteResult(options, "kept", std::move(result));
  if (!ours.cluster().CleanLog()) return Verdict::kMissed;
  if (finished == 0) {
    std::printf("  no re-plan met finished work (%d events without figures): nothing to measure\n", without_figures);
    return Verdict::kFailed;
  }
  bool met = Check("statements planned anew, share",
                   statements_with_replan / (static_cast<double>(templates.size()) * repeats), 0.5, 1);
  met = Check("finished rows not computed again", kept / finished, 0.7, 1) && met;
  met = Check("answers that differ", differing, 0, 0) && met;
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
