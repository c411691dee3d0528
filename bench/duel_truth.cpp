// Plans made of true row counts, to hold ours against.
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "duel.h"

namespace query_shaper::bench {

namespace fs = std::filesystem;

namespace {

void MixIn(uint64_t* hash, const std::string& text) {  // FNV-1a
  for (const char c : text) *hash = (*hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
}

}  // namespace

Truth::Truth(const Options& options, const DataTemplate& data, const std::vector<std::string>& databases,
             double timeout_ms)
    : count_limit_ms_(options.Number("count-limit", 2000)),
      stage_(options.Text("true-rows", "")),
      cache_(options.Text("cache", "")) {
  const char* const stage = getenv("QUERY_SHAPER_STAGE");
  const std::string before = stage != nullptr ? stage : "";
  setenv("QUERY_SHAPER_STAGE", stage_.c_str(), 1);
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

std::string Truth::KeptAs(const std::string& database, const std::vector<Entrant>& entrants) const {
  if (cache_.empty()) return "";
  // What rows are called changes with the extension.
  uint64_t hash = 0xcbf29ce484222325u;
  for (const auto& file : fs::recursive_directory_iterator(stage_))
    if (file.path().filename() == "query_shaper.so") MixIn(&hash, ReadText(file.path()));
  MixIn(&hash, std::to_string(count_limit_ms_));
  for (const Entrant& entrant : entrants)
    if (entrant.database == database)
      for (const std::string& sql : entrant.script) MixIn(&hash, sql);
  char name[100];
  std::snprintf(name, sizeof name, "/true-rows-%s-%016lx.json", database.c_str(), static_cast<unsigned long>(hash));
  return fs::absolute(cache_).string() + name;
}

void Truth::Count(const std::string& database, const std::vector<Entrant>& entrants) {
  constexpr int kRuns = 2;
  for (const Entrant& entrant : entrants) {
    if (entrant.database != database) continue;
    pqxx::connection connection(server_->cluster().Connection(database));
    {
      pqxx::nontransaction transaction(connection);
      transaction.exec("SET statement_timeout = " + std::to_string(static_cast<long>(count_limit_ms_)));
    }
    const int counted = counted_, uncounted = uncounted_;
    const double begun_ms = NowMs();
    for (const std::string& sql : entrant.script) {
      try {
        LearnOne(&connection, sql);
      } catch (const pqxx::sql_error& error) {
        std::printf("  not counted: %s: %s\n", entrant.name.c_str(), error.what());
      }
    }
    for (int run = 0; run < kRuns; run++) server_->Run(database, entrant.script);
    std::printf("  %-28s %d sets counted, %d not, %.1f s\n", entrant.name.c_str(), counted_ - counted,
                uncounted_ - uncounted, (NowMs() - begun_ms) / 1000);
    std::fflush(stdout);
  }
}

void Truth::Learn(const std::vector<Entrant>& entrants) {
  for (const std::string& database : server_->databases()) {
    const std::string path = KeptAs(database, entrants);
    if (!path.empty() && fs::exists(path)) {
      pqxx::connection connection(server_->cluster().Connection(database));
      pqxx::nontransaction transaction(connection);
      transaction.exec("SET query_shaper.mode = off");
      transaction.exec("SELECT query_shaper.import_knowledge(" + transaction.quote(ReadText(path)) + ")");
      std::printf("true rows of %s: those of %s\n", database.c_str(), path.c_str());
      continue;
    }
    Count(database, entrants);
    if (path.empty()) continue;
    server_->Ask(database, "SELECT query_shaper.flush()");
    const pqxx::result known = server_->Ask(database, "SELECT query_shaper.export_knowledge()::text");
    std::ofstream(path) << known[0][0].c_str();
  }
  if (counted_ + uncounted_ > 0) std::printf("true rows: %d sets counted, %d not\n", counted_, uncounted_);
  std::fflush(stdout);
}

void Truth::Run(Entrant* entrant) { entrant->by_truth.push_back(server_->Run(entrant->database, entrant->script)); }

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
