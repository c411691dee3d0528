// Plans made of true row counts, to hold ours against.
#include <stdlib.h>

#include <algorithm>
#include <cstdio>

#include "duel.h"

namespace query_shaper::bench {

Truth::Truth(const Options& options, const DataTemplate& data, const std::vector<std::string>& databases,
             double timeout_ms)
    : count_limit_ms_(options.Number("count-limit", 2000)) {
  const char* const stage = getenv("QUERY_SHAPER_STAGE");
  const std::string before = stage != nullptr ? stage : "";
  setenv("QUERY_SHAPER_STAGE", options.Text("true-rows", "").c_str(), 1);
  server_ = std::make_unique<Contender>(
      options, "truth", true, data, databases, timeout_ms,
      std::vector<std::string>{"query_shaper.replan = off", "query_shaper.regret_limit = 100",
                               "query_shaper.shadow = off"});
  if (stage != nullptr)
    setenv("QUERY_SHAPER_STAGE", before.c_str(), 1);
  else
    unsetenv("QUERY_SHAPER_STAGE");
  for (const std::string& database : databases) {
    pqxx::connection connection(server_->cluster().Connection(database));
    pqxx::nontransaction(connection)
        .exec(
            "CREATE OR REPLACE FUNCTION true_rows(text, int, int) RETURNS float8 LANGUAGE c STRICT AS "
            "'$libdir/query_shaper', 'query_shaper_true_rows'");
  }
  server_->Warm();
}

void Truth::LearnOne(pqxx::connection* connection, const std::string& sql) {
  pqxx::nontransaction transaction(*connection);
  const auto ask = [&](int block, int set) {
    return transaction.exec("SELECT true_rows(" + transaction.quote(sql) + ", " + std::to_string(block) + ", " +
                            std::to_string(set) + ")");
  };
  for (int block = 0;; block++) {
    const pqxx::result sets = ask(block, -1);
    if (sets[0][0].is_null()) return;
    for (int set = 0; set < static_cast<int>(sets[0][0].as<double>()); set++) {
      try {
        if (ask(block, set)[0][0].is_null())
          uncounted_++;
        else
          counted_++;
      } catch (const pqxx::sql_error& error) {
        if (error.sqlstate() != "57014") throw;
        uncounted_++;
      }
    }
  }
}

void Truth::Learn(const std::vector<Entrant>& entrants) {
  constexpr int kRuns = 2;
  for (const Entrant& entrant : entrants) {
    pqxx::connection connection(server_->cluster().Connection(entrant.database));
    {
      pqxx::nontransaction transaction(connection);
      transaction.exec("SET statement_timeout = " + std::to_string(static_cast<long>(count_limit_ms_)));
    }
    for (const std::string& sql : entrant.script) {
      try {
        LearnOne(&connection, sql);
      } catch (const pqxx::sql_error& error) {
        std::printf("  not counted: %s: %s\n", entrant.name.c_str(), error.what());
      }
    }
    for (int run = 0; run < kRuns; run++) server_->Run(entrant.database, entrant.script);
  }
  std::printf("true rows: %d sets counted, %d not\n", counted_, uncounted_);
  std::fflush(stdout);
}

void Truth::RunPass(std::vector<Entrant>* entrants) {
  for (Entrant& entrant : *entrants) entrant.by_truth.push_back(server_->Run(entrant.database, entrant.script));
}

TruthFigures JudgeByTruth(const Options& options, const std::vector<Entrant>& entrants, size_t pass, size_t truth_run,
                          double timeout_ms) {
  struct Loss {
    const Entrant* entrant;
    double ours_ms, truth_ms;
  };
  constexpr size_t kShown = 8;
  std::vector<Loss> losses;
  TruthFigures figures;
  for (const Entrant& entrant : entrants) {
    const Answer& ours = entrant.passes.at(pass).ours;
    const Answer& truth = entrant.by_truth.at(truth_run);
    if (!ours.ended() && !truth.ended()) continue;
    losses.push_back({&entrant, ContestMs(options, ours, timeout_ms), ContestMs(options, truth, timeout_ms)});
    figures.ours_ms += losses.back().ours_ms;
    figures.truth_ms += losses.back().truth_ms;
  }
  std::sort(losses.begin(), losses.end(),
            [](const Loss& a, const Loss& b) { return a.ours_ms - a.truth_ms > b.ours_ms - b.truth_ms; });
  for (size_t i = 0; i < std::min(kShown, losses.size()); i++) {
    std::printf("    %-28s %9.1f ms, by true rows %9.1f ms\n", losses[i].entrant->name.c_str(), losses[i].ours_ms,
                losses[i].truth_ms);
  }
  return figures;
}

}  // namespace query_shaper::bench
