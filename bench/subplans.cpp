// subplans: correlated subqueries against a stock server on the same data, those whose parameters repeat and those
// whose parameters never do.
#include <algorithm>
#include <cstdio>
#include <set>

#include "driver_templates.h"
#include "duel.h"

namespace query_shaper::bench {

namespace {

constexpr int kRoundsPerBackend = 5;

std::vector<Entrant> Entrants(const std::vector<Template>& templates) {
  std::vector<Entrant> entrants;
  for (const Template& query : templates) {
    Entrant entrant;
    entrant.name = query.name;
    entrant.database = query.data;
    entrant.script = {query.sql};
    entrants.push_back(std::move(entrant));
  }
  return entrants;
}

// Parameters that repeat: time by the clock, once each.
bool Repeated(const Options& options, Contender* stock, Contender* ours, double timeout_ms, Json* result) {
  std::vector<Entrant> entrants = Entrants(ReadTemplatesOf(options, "bench/subplans/repeated"));
  constexpr Bound kBound = {1.1, 100};
  RunPass(options, 0, kBound, stock, ours, nullptr, &entrants);
  const PassFigures figures = Judge(options, entrants, 0, timeout_ms, kBound);
  PrintPasses(options, entrants, timeout_ms);
  PrintEvents(CountEvents(ours));
  double least = 1e300;
  for (const Entrant& entrant : entrants) {
    const Contest& contest = entrant.passes[0];
    least =
        std::min(least, ContestMs(options, contest.stock, timeout_ms) / ContestMs(options, contest.ours, timeout_ms));
  }
  std::printf("repeated: stock %.0f ms (%d not ended), ours %.0f ms, least gain of one query %.1f\n", figures.stock_ms,
              figures.stock_timeouts, figures.ours_ms, least);
  for (const std::string& name : figures.differing) std::printf("  DIFFERENT answer: %s\n", name.c_str());
  for (const std::string& name : figures.failing) std::printf("  FAILED: %s\n", name.c_str());
  result->Set("repeated", ToJson(figures)).Set("repeated_queries", ToJson(entrants));
  const bool right = figures.differing.empty() && figures.failing.empty();
  return Check("repeated parameters, gain of the set >= 20", 1 / figures.ratio(), 20, 1e9) && right;
}

// Parameters that never repeat: the backends' CPU, in turns, many rounds.
bool Distinct(const Options& options, Contender* stock, Contender* ours, int rounds, Json* result) {
  std::vector<Entrant> entrants = Entrants(ReadTemplatesOf(options, "bench/subplans/distinct"));
  std::vector<double> stock_ms(entrants.size()), ours_ms(entrants.size());
  std::vector<std::vector<double>> ratios(entrants.size());
  std::vector<double> of_round(rounds, 0), stock_of_round(rounds, 0);
  bool right = true;
  for (int round = 0; round < rounds; round++) {
    if (round % kRoundsPerBackend == 0) {
      for (Contender* side : {stock, ours}) {
        side->Reconnect();
        for (const Entrant& entrant : entrants) side->Run(entrant.database, entrant.script);
      }
    }
    for (size_t i = 0; i < entrants.size(); i++) {
      Answer answers[2];
      for (int turn = 0; turn < 2; turn++) {
        const int side = (turn + round + static_cast<int>(i)) % 2;
        answers[side] = (side == 0 ? stock : ours)->Run(entrants[i].database, entrants[i].script);
      }
      if (!answers[0].ended() || !answers[0].SameAs(answers[1])) {
        std::printf("  DIFFERENT answer: %s %s\n", entrants[i].name.c_str(), answers[1].message.c_str());
        right = false;
      }
      ratios[i].push_back(answers[1].cpu_ms / answers[0].cpu_ms);
      stock_of_round[round] += answers[0].cpu_ms;
      of_round[round] += answers[1].cpu_ms;
    }
  }
  Json queries;
  for (size_t i = 0; i < entrants.size(); i++) {
    const Spread spread = SpreadOf(ratios[i]);
    std::printf("  %-28s CPU against stock %.4f [%.4f, %.4f]\n", entrants[i].name.c_str(), spread.median, spread.low,
                spread.high);
    queries.Set(entrants[i].name, ToJson(spread));
  }
  for (int round = 0; round < rounds; round++) of_round[round] /= stock_of_round[round];
  const Spread set = SpreadOf(of_round);
  std::printf("distinct: CPU of the set against stock %.4f [%.4f, %.4f]\n", set.median, set.low, set.high);
  result->Set("distinct", ToJson(set)).Set("distinct_queries", std::move(queries));
  return Check("distinct parameters, CPU of the set <= 1.03", set.median, 0, 1.03) && right;
}

}  // namespace

Verdict RunSubplans(const Options& options) {
  const double timeout_ms = options.Number("timeout", 120000);
  const int rounds = static_cast<int>(options.Number("rounds", 25));
  const std::vector<std::string> databases = {"gene", "stats"};
  if (options.DataDir().empty()) {
    std::printf("subplans needs --data\n");
    return Verdict::kFailed;
  }
  Options serial = options;
  if (!options.Has("parallel")) serial.Set("parallel", "0");
  DataTemplate data(serial, databases);
  Contender stock(serial, "stock", false, data, databases, timeout_ms);
  Contender ours(serial, "ours", true, data, databases, timeout_ms);
  stock.Warm();
  ours.Warm();
  Json result;
  const std::string sets = options.Text("sets", "repeated,distinct");
  bool met = true;
  if (sets.find("distinct") != std::string::npos) met = Distinct(serial, &stock, &ours, rounds, &result) && met;
  if (sets.find("repeated") != std::string::npos) met = Repeated(serial, &stock, &ours, timeout_ms, &result) && met;
  if (!ours.cluster().CleanLog()) met = false;
  WriteResult(options, "subplans", std::move(result));
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
