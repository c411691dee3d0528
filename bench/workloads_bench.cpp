// workloads: whole shared workloads, pass by pass, against a stock server.
//
//   stats  the first published queries of STATS-CEB on rebuilt STATS (--stats-queries FILE: lines "rows||query")
//   gene   the queries that come with the data set
//   tpch   the 22 queries of TPC-H with their default constants (--tpch DIR: folder dbgen of a built kit)
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <fstream>
#include <stdexcept>

#include "driver_templates.h"
#include "duel.h"
#include "tpch_queries.h"

namespace query_shaper::bench {

namespace {

namespace fs = std::filesystem;

constexpr Bound kQueryBound = {1.3, 100};
// A count beyond this takes a minute by its size alone: so many rows are joined before they are counted.
constexpr double kLongByResult = 1e9;

struct Workload {
  std::string database;
  std::vector<Entrant> entrants;
  std::vector<double> published_rows;  // where known, else -1
  double third_pass_ratio = 1e9;       // target of the third pass
};

std::string Setting(const Options& options, const std::string& name, const char* variable) {
  const char* const value = std::getenv(variable);
  return options.Text(name, value != nullptr ? value : "");
}

std::string Numbered(char letter, size_t number) {
  char name[16];
  std::snprintf(name, sizeof name, "%c%02zu", letter, number);
  return name;
}

Workload StatsWorkload(const Options& options) {
  Workload workload;
  workload.database = "stats";
  workload.third_pass_ratio = 0.8;
  const size_t wanted = static_cast<size_t>(options.Number("stats-count", 73));
  const std::string path = Setting(options, "stats-queries", "QUERY_SHAPER_STATS_QUERIES");
  std::ifstream file(path);
  for (std::string line; workload.entrants.size() < wanted && std::getline(file, line);) {
    const size_t bars = line.find("||");
    if (bars == std::string::npos) continue;
    Entrant entrant;
    entrant.name = Numbered('s', workload.entrants.size() + 1);
    entrant.database = "stats";
    entrant.script = {line.substr(bars + 2)};
    workload.published_rows.push_back(std::strtod(line.c_str(), nullptr));
    workload.entrants.push_back(std::move(entrant));
  }
  if (workload.entrants.empty()) throw std::runtime_error("no queries in " + path);
  return workload;
}

Workload GeneWorkload(const Options& options) {
  Workload workload;
  workload.database = "gene";
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(options.DataDir() + "/gene/queries")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    Entrant entrant;
    entrant.name = file.stem();
    entrant.database = "gene";
    entrant.script = {ReadText(file)};
    workload.entrants.push_back(std::move(entrant));
  }
  workload.published_rows.assign(workload.entrants.size(), -1);
  return workload;
}

Workload TpchWorkload(const Options& options) {
  Workload workload;
  workload.database = "tpch";
  for (const TpchQuery& query : TpchQueries(options)) {
    Entrant entrant;
    entrant.name = query.name;
    entrant.database = "tpch";
    entrant.script = query.script;
    workload.entrants.push_back(std::move(entrant));
  }
  workload.published_rows.assign(workload.entrants.size(), -1);
  return workload;
}

// Cancels and pauses advised or done: none of these statements runs away from what is known of it.
long RunawayFlags(Contender* ours) {
  long flags = 0;
  for (const auto& [what, count] : CountEvents(ours)) {
    if (what == "cancel advised" || what == "pause advised" || what == "cancel done" || what == "pause done")
      flags += count;
  }
  return flags;
}

// Those of --queries a,b alone, where that is given.
void KeepChosen(const Options& options, Workload* workload) {
  Workload kept = *workload;
  kept.entrants.clear();
  kept.published_rows.clear();
  for (size_t i = 0; i < workload->entrants.size(); i++) {
    if (!Chosen(options, "queries", workload->entrants[i].name)) continue;
    kept.entrants.push_back(workload->entrants[i]);
    kept.published_rows.push_back(workload->published_rows[i]);
  }
  *workload = std::move(kept);
}

bool Run(const Options& options, Workload* workload, Json* result) {
  const double timeout_ms = options.Number("timeout", 60000);
  const int passes = static_cast<int>(options.Number("passes", 3));
  const std::string& name = workload->database;
  std::vector<Entrant>& entrants = workload->entrants;
  DataTemplate data(options, {name});
  Contender stock(options, "stock-" + name, false, data, {name}, timeout_ms);
  Contender ours(options, "ours-" + name, true, data, {name}, timeout_ms);
  stock.Warm();
  ours.Warm();
  std::unique_ptr<Truth> truth;
  if (options.Has("true-rows")) {
    truth = std::make_unique<Truth>(options, data, std::vector<std::string>{name}, timeout_ms);
    truth->Learn(entrants);
  }
  bool met = true;
  Json of_passes = Json::Array();
  std::vector<PassFigures> figures;
  for (int pass = 0; pass < passes; pass++) {
    RunPass(options, pass, kQueryBound, &stock, &ours, pass == passes - 1 ? truth.get() : nullptr, &entrants);
    figures.push_back(Judge(options, entrants, pass, timeout_ms, kQueryBound));
    const PassFigures& now = figures.back();
    std::printf("%s pass %d: stock %.0f ms, ours %.0f ms, ratio %.3f; not ended: stock %d, ours %d\n", name.c_str(),
                pass + 1, now.stock_ms, now.ours_ms, now.ratio(), now.stock_timeouts, now.our_timeouts);
    PrintEvents(CountEvents(&ours));
    std::fflush(stdout);
    of_passes.Push(ToJson(now));
  }
  PrintPasses(options, entrants, timeout_ms);
  for (int pass = 0; pass < passes; pass++) {
    const PassFigures& now = figures[pass];
    for (const std::string& query : now.differing) std::printf("  DIFFERENT answer: %s\n", query.c_str());
    for (const std::string& query : now.failing) std::printf("  FAILED: %s\n", query.c_str());
    for (const std::string& query : now.excused)
      std::printf("  pass %d above its bound but for stock's runs beside it: %s\n", pass + 1, query.c_str());
    for (const std::string& query : now.beyond) std::printf("  pass %d above its bound: %s\n", pass + 1, query.c_str());
    met = met && now.differing.empty() && now.failing.empty();
    const std::string start = name + " pass " + std::to_string(pass + 1);
    met = Check(start + ", total <= 1.02 of stock", now.ratio(), 0, 1.02) && met;
    met = Check(start + ", queries above 1.3 x stock + 100 ms", double(now.beyond.size()), 0, 0) && met;
    std::printf("    worst: %s, %.0f ms %s the bound\n", now.worst.c_str(), std::abs(now.worst_excess_ms),
                now.worst_excess_ms > 0 ? "above" : "below");
  }
  if (truth != nullptr) {
    const TruthFigures last = JudgeByTruth(options, entrants, passes - 1, 0, timeout_ms);
    std::printf("  %s, last pass: %.0f ms, by true rows %.0f ms, ratio %.3f\n", name.c_str(), last.ours_ms,
                last.truth_ms, last.ratio());
    result->Set(name + "_by_true_rows_ms", last.truth_ms);
  }
  if (passes >= 3 && workload->third_pass_ratio < 10) {
    met = Check(name + " pass 3, total <= 0.80 of stock", figures[2].ratio(), 0, workload->third_pass_ratio) && met;
  }
  int lost = 0, ended = 0;
  for (size_t i = 0; i < entrants.size(); i++) {
    if (!entrants[i].stock_timed_out || workload->published_rows[i] > kLongByResult) continue;
    lost++;
    ended += entrants[i].passes.back().ours.ended();
  }
  if (lost > 0) {
    std::printf("  %d queries not ended by stock and not long by their result, of which %d end here\n", lost, ended);
    met = Check(name + ", share of these that end, last pass", double(ended) / lost, 0.5, 1) && met;
  }
  const double flags = static_cast<double>(RunawayFlags(&ours));
  const double runs = static_cast<double>(entrants.size()) * passes;
  std::printf("  %.0f of %.0f statements flagged as runaways\n", flags, runs);
  const double share = flags / runs;
  met = Check(name + ", statements flagged as runaways", share, 0, 0.005) && met;
  met = ours.cluster().CleanLog() && met;
  Json json;
  json.Set("passes", std::move(of_passes)).Set("queries", ToJson(entrants)).Set("runaway_flags", flags);
  json.Set("lost_by_stock", lost).Set("of_which_ended", ended);
  result->Set(name, std::move(json));
  return met;
}

}  // namespace

Verdict RunWorkloads(const Options& options) {
  std::vector<Workload> workloads;
  const auto wanted = [&](const std::string& name, bool there, const char* missing) {
    const std::string chosen = options.Text("sets", "");
    if (!chosen.empty() && ("," + chosen + ",").find("," + name + ",") == std::string::npos) return false;
    if (!there) std::printf("%s left out: %s\n", name.c_str(), missing);
    return there;
  };
  const bool data = !options.DataDir().empty();
  if (wanted("stats", data && !Setting(options, "stats-queries", "QUERY_SHAPER_STATS_QUERIES").empty(),
             "needs --data and --stats-queries")) {
    workloads.push_back(StatsWorkload(options));
  }
  if (wanted("gene", data, "needs --data")) workloads.push_back(GeneWorkload(options));
  if (wanted("tpch", !TpchKit(options).empty(), "needs --tpch")) workloads.push_back(TpchWorkload(options));
  for (Workload& workload : workloads) KeepChosen(options, &workload);
  std::erase_if(workloads, [](const Workload& workload) { return workload.entrants.empty(); });
  if (workloads.empty()) throw std::runtime_error("no workload there");
  bool met = true;
  Json result;
  for (Workload& workload : workloads) met = Run(options, &workload, &result) && met;
  WriteResult(options, "workloads", std::move(result));
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
