// errorprone: queries that the planner gets wrong, and some that it does not, against a stock server.
//
// Pass 1 starts with nothing learned. With --true-rows the third is held against plans made of true rows; else the
// passes after the third tell what the third could have been: of each query the fastest of all passes from the third on
// stands for such a plan.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>

#include "driver_templates.h"
#include "duel.h"

namespace query_shaper::bench {

namespace {

constexpr Bound kQueryBound = {1.1, 100};

void PrintList(const char* what, const std::vector<std::string>& names) {
  for (const std::string& name : names) std::printf("  %s %s\n", what, name.c_str());
}

}  // namespace

Verdict RunErrorprone(const Options& options) {
  const double timeout_ms = options.Number("timeout", 60000);
  const int passes = static_cast<int>(options.Number("passes", 3));
  const int converged = static_cast<int>(options.Number("converged", 3));
  std::vector<Template> templates = ReadTemplatesOf(options, "bench/errorprone/templates");
  if (options.DataDir().empty()) {
    std::erase_if(templates, [](const Template& query) { return query.data != "errorprone"; });
    std::printf("no data folder: only the queries on the generated schema run\n");
  }
  std::set<std::string> needed;
  std::vector<Entrant> entrants;
  for (const Template& query : templates) {
    needed.insert(query.data);
    Entrant entrant;
    entrant.name = query.name;
    entrant.database = query.data;
    entrant.script = {query.sql};
    entrants.push_back(std::move(entrant));
  }
  const std::vector<std::string> databases(needed.begin(), needed.end());
  DataTemplate data(options, databases);
  Contender stock(options, "stock", false, data, databases, timeout_ms);
  Contender ours(options, "ours", true, data, databases, timeout_ms);
  stock.Warm();
  ours.Warm();
  std::unique_ptr<Truth> truth;
  if (options.Has("true-rows")) {
    truth = std::make_unique<Truth>(options, data, databases, timeout_ms);
    truth->Learn(entrants);
  }
  if (passes + converged == 0) return Verdict::kMet;  // nothing but the true rows was asked for

  std::vector<PassFigures> figures;
  for (int pass = 0; pass < passes + converged; pass++) {
    RunPass(options, pass, kQueryBound, &stock, &ours, pass == 2 ? truth.get() : nullptr, &entrants);
    figures.push_back(Judge(options, entrants, pass, timeout_ms, kQueryBound));
    const PassFigures& now = figures.back();
    std::printf("pass %d: stock %.0f ms, ours %.0f ms, ratio %.3f; not ended: stock %d, ours %d\n", pass + 1,
                now.stock_ms, now.ours_ms, now.ratio(), now.stock_timeouts, now.our_timeouts);
    PrintEvents(CountEvents(&ours));
    std::fflush(stdout);
  }
  PrintPasses(options, entrants, timeout_ms);

  const int count = static_cast<int>(entrants.size());
  bool met = Check("queries", count, options.Has("templates") ? 1 : 30, 1e9);
  Json result, of_passes = Json::Array();
  for (int pass = 0; pass < passes + converged; pass++) {
    PrintList("DIFFERENT answer:", figures[pass].differing);
    PrintList("FAILED:", figures[pass].failing);
    met = met && figures[pass].differing.empty() && figures[pass].failing.empty();
    PrintList(("pass " + std::to_string(pass + 1) + " above its bound but for stock's runs beside it:").c_str(),
              figures[pass].excused);
    if (pass < passes)
      PrintList(("pass " + std::to_string(pass + 1) + " above its bound:").c_str(), figures[pass].beyond);
    of_passes.Push(ToJson(figures[pass]));
  }
  met = Check("first run, total <= 0.65 of stock", figures[0].ratio(), 0, 0.65) && met;
  if (passes > 1) met = Check("second run, total <= 0.50 of stock", figures[1].ratio(), 0, 0.50) && met;
  for (int pass = 0; pass < passes; pass++) {
    const std::string text = "pass " + std::to_string(pass + 1) + ", queries above 1.1 x stock + 100 ms";
    met = Check(text, static_cast<double>(figures[pass].beyond.size()), 0, 0) && met;
  }
  if (passes >= 3 && truth != nullptr) {
    const TruthFigures third = JudgeByTruth(options, entrants, 2, 0, timeout_ms);
    met = Check("third run, total against plans of true rows <= 1.10", third.ratio(), 0, 1.10) && met;
    result.Set("third_ms", third.ours_ms).Set("by_true_rows_ms", third.truth_ms);
    result.Set("sets_counted", truth->counted()).Set("sets_not_counted", truth->uncounted());
  } else if (passes >= 3 && converged > 0) {
    double third_ms = 0, best_ms = 0;
    for (const Entrant& entrant : entrants) {
      double best = 1e300;
      for (size_t pass = 2; pass < entrant.passes.size(); pass++) {
        best = std::min(best, ContestMs(options, entrant.passes[pass].ours, timeout_ms));
      }
      third_ms += ContestMs(options, entrant.passes[2].ours, timeout_ms);
      best_ms += best;
    }
    met = Check("third run, total against the best of later ones <= 1.10", third_ms / best_ms, 0, 1.10) && met;
    result.Set("third_ms", third_ms).Set("best_ms", best_ms);
  }
  if (!ours.cluster().CleanLog()) met = false;
  result.Set("passes", std::move(of_passes)).Set("queries", ToJson(entrants));
  WriteResult(options, "errorprone", std::move(result));
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
