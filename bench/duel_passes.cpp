// Passes over a set of statements, what they took and whether that is within the bounds.
#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "duel.h"

namespace query_shaper::bench {

namespace {

double Took(const Options& options, const Answer& answer) {
  const std::string clock = options.Text("clock", "wall");
  if (clock != "wall" && clock != "cpu") throw std::runtime_error("--clock is wall or cpu");
  return clock == "cpu" ? answer.cpu_ms : answer.wall_ms;
}

// Stock's time beside ours. On a machine that others use the same plan takes now this time, now three times as much,
// for seconds or minutes: what is held against each other must have run at the same time. Long statements run once
// more, they have had their share of everything.
void RunStockBeside(const Options& options, const Bound& bound, Contender* stock, const Entrant& entrant,
                    Contest* contest) {
  constexpr int kRuns = 3;
  constexpr double kLongMs = 5000;
  if (!contest->stock.ended() || !contest->ours.ended()) return;
  const double stock_ms = Took(options, contest->stock);
  if (Took(options, contest->ours) <= bound.factor * stock_ms + bound.slack_ms) return;
  for (int run = 0; run < (stock_ms > kLongMs ? 1 : kRuns); run++)
    contest->stock_beside.push_back(stock->Run(entrant.database, entrant.script));
}

// What the bound is made of.
double StockMs(const Options& options, const Contest& contest, double timeout_ms) {
  std::vector<double> beside;
  for (const Answer& answer : contest.stock_beside) beside.push_back(ContestMs(options, answer, timeout_ms));
  return beside.empty() ? ContestMs(options, contest.stock, timeout_ms) : Quantile(beside, 0.5);
}

}  // namespace

void RunPass(const Options& options, int pass, const Bound& bound, Contender* stock, Contender* ours, Truth* truth,
             std::vector<Entrant>* entrants) {
  const bool show = options.Has("verbose");
  const bool stock_once = options.Has("stock-once");
  for (size_t i = 0; i < entrants->size(); i++) {
    Entrant& entrant = (*entrants)[i];
    Contest contest;
    const auto run_stock = [&] {
      // What did not end in time once is not waited for again: its time is known to be the limit or more.
      const bool known = !entrant.passes.empty() && (stock_once || entrant.stock_timed_out);
      contest.stock = known ? entrant.passes.front().stock : stock->Run(entrant.database, entrant.script);
      entrant.stock_timed_out = entrant.stock_timed_out || contest.stock.timed_out();
    };
    if ((i + pass) % 2 == 0) run_stock();
    contest.ours = ours->Run(entrant.database, entrant.script);
    if ((i + pass) % 2 != 0) run_stock();
    RunStockBeside(options, bound, stock, entrant, &contest);
    if (truth != nullptr) truth->Run(&entrant);
    if (show) {
      std::printf("  pass %d %-28s stock %9.1f ms %s ours %9.1f ms %s%s", pass + 1, entrant.name.c_str(),
                  Took(options, contest.stock), contest.stock.sqlstate.c_str(), Took(options, contest.ours),
                  contest.ours.sqlstate.c_str(),
                  contest.stock.SameAs(contest.ours) || contest.stock.timed_out() || contest.ours.timed_out()
                      ? ""
                      : " DIFFERENT");
      for (const Answer& answer : contest.stock_beside)
        std::printf("%s %.1f", &answer == contest.stock_beside.data() ? " stock beside" : "", Took(options, answer));
      if (truth != nullptr) std::printf(" by truth %.1f ms", Took(options, entrant.by_truth.back()));
      std::printf("\n");
      if (options.Has("events")) ours->PrintNewEvents(entrant.database);
      std::fflush(stdout);
    }
    entrant.passes.push_back(std::move(contest));
  }
}

double ContestMs(const Options& options, const Answer& answer, double timeout_ms) {
  return answer.timed_out() ? timeout_ms : Took(options, answer);
}

PassFigures Judge(const Options& options, const std::vector<Entrant>& entrants, size_t pass, double timeout_ms,
                  const Bound& bound) {
  PassFigures figures;
  for (const Entrant& entrant : entrants) {
    const Contest& contest = entrant.passes.at(pass);
    const double stock_ms = ContestMs(options, contest.stock, timeout_ms);
    const double ours_ms = ContestMs(options, contest.ours, timeout_ms);
    figures.stock_ms += stock_ms;
    figures.ours_ms += ours_ms;
    figures.stock_timeouts += contest.stock.timed_out();
    figures.our_timeouts += contest.ours.timed_out();
    if (contest.stock.ended() && contest.ours.ended() && !contest.stock.SameAs(contest.ours)) {
      figures.differing.push_back(entrant.name);
    }
    if (!contest.ours.ended() && !contest.ours.timed_out() && contest.ours.sqlstate != contest.stock.sqlstate) {
      figures.failing.push_back(entrant.name + ": " + contest.ours.message);
    }
    const double excess = ours_ms - bound.factor * StockMs(options, contest, timeout_ms) - bound.slack_ms;
    if (excess > figures.worst_excess_ms) {
      figures.worst_excess_ms = excess;
      figures.worst = entrant.name;
    }
    // Both at the limit: nobody knows which is the slower.
    if (excess > 0 && !contest.stock.timed_out()) figures.beyond.push_back(entrant.name);
    if (excess <= 0 && !contest.stock_beside.empty()) figures.excused.push_back(entrant.name);
  }
  return figures;
}

void PrintPasses(const Options& options, const std::vector<Entrant>& entrants, double timeout_ms) {
  if (entrants.empty()) return;
  std::printf("  %-28s %10s", "ms", "stock");
  for (size_t pass = 0; pass < entrants.front().passes.size(); pass++) std::printf("   pass %zu      ratio", pass + 1);
  std::printf("\n");
  for (const Entrant& entrant : entrants) {
    std::vector<double> stock;
    for (const Contest& contest : entrant.passes) stock.push_back(ContestMs(options, contest.stock, timeout_ms));
    std::printf("  %-28s %9.1f%s", entrant.name.c_str(), Quantile(stock, 0.5), entrant.stock_timed_out ? "+" : " ");
    for (const Contest& contest : entrant.passes) {
      const double ours_ms = ContestMs(options, contest.ours, timeout_ms);
      std::printf(" %9.1f%s %8.3f", ours_ms, contest.ours.timed_out() ? "+" : " ",
                  ours_ms / ContestMs(options, contest.stock, timeout_ms));
    }
    std::printf("\n");
  }
}

Json ToJson(const std::vector<Entrant>& entrants) {
  Json all = Json::Array();
  for (const Entrant& entrant : entrants) {
    Json passes = Json::Array();
    for (const Contest& contest : entrant.passes) {
      Json json;
      json.Set("stock_ms", contest.stock.wall_ms).Set("ours_ms", contest.ours.wall_ms);
      json.Set("stock_cpu_ms", contest.stock.cpu_ms).Set("ours_cpu_ms", contest.ours.cpu_ms);
      json.Set("stock_state", contest.stock.sqlstate).Set("ours_state", contest.ours.sqlstate);
      json.Set("rows", contest.ours.rows).Set("same", contest.stock.SameAs(contest.ours));
      if (!contest.stock_beside.empty()) {
        Json beside = Json::Array();
        for (const Answer& answer : contest.stock_beside) beside.Push(answer.cpu_ms);
        json.Set("stock_beside_cpu_ms", std::move(beside));
      }
      passes.Push(std::move(json));
    }
    Json json;
    json.Set("name", entrant.name).Set("database", entrant.database).Set("passes", std::move(passes));
    all.Push(std::move(json));
  }
  return all;
}

Json ToJson(const PassFigures& figures) {
  Json json;
  json.Set("stock_ms", figures.stock_ms).Set("ours_ms", figures.ours_ms).Set("ratio", figures.ratio());
  json.Set("worst", figures.worst).Set("worst_excess_ms", figures.worst_excess_ms);
  json.Set("stock_timeouts", figures.stock_timeouts).Set("our_timeouts", figures.our_timeouts);
  Json beyond = Json::Array(), excused = Json::Array(), differing = Json::Array(), failing = Json::Array();
  for (const std::string& name : figures.beyond) beyond.Push(name);
  for (const std::string& name : figures.excused) excused.Push(name);
  for (const std::string& name : figures.differing) differing.Push(name);
  for (const std::string& name : figures.failing) failing.Push(name);
  json.Set("beyond", std::move(beyond))
      .Set("excused", std::move(excused))
      .Set("differing", std::move(differing))
      .Set("failing", std::move(failing));
  return json;
}

}  // namespace query_shaper::bench
