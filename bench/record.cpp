// record: the ticks of every template, for bench/core/eta_replay. Needs an extension with fault points. The runs of
// --fresh rounds are planned by a server that knows nothing, those of the others with the rows learned from them.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>

#include "driver.h"
#include "driver_templates.h"
#include "driver_watch.h"

namespace query_shaper::bench {

Verdict RunRecord(const Options& options) {
  namespace fs = std::filesystem;
  const double timeout_ms = options.Number("timeout", 30000);
  const int rounds = static_cast<int>(options.Number("rounds", 7));
  const int fresh_rounds = static_cast<int>(options.Number("fresh", 0));
  fs::path dir = options.Text("records", "");
  if (dir.empty()) dir = fs::path(options.root) / "bench/results" / ("ticks-" + std::to_string(std::time(nullptr)));
  // Written by the server's user.
  fs::create_directories(dir);
  fs::permissions(dir, fs::perms::all);

  Laboratory laboratory(options, {"shared_buffers = '1GB'", "max_wal_size = '4GB'"});
  std::mt19937_64 random(options.seed());
  std::map<std::string, std::unique_ptr<Watcher>> watchers;
  for (const Template& query : laboratory.templates) {
    auto& watcher = watchers[query.data];
    if (watcher == nullptr) watcher = std::make_unique<Watcher>(laboratory.Connection(query));
  }
  const auto run = [&](const Template& query, const char* mark) {
    Watcher* watcher = watchers[query.data].get();
    return watcher->RunUnwatched("/* " + query.name + mark + " */ " + Instantiate(query, &watcher->runner(), &random),
                                 timeout_ms);
  };
  // Once unrecorded: caches get warm, and what does not end in time is left out.
  std::vector<const Template*> order;
  for (const Template& query : laboratory.templates) {
    if (run(query, "").error.empty()) order.push_back(&query);
  }
  for (auto& [data, watcher] : watchers) {
    pqxx::nontransaction transaction(watcher->runner());
    transaction.exec("SET query_shaper.fault = " + transaction.quote("record:" + dir.string()));
  }
  for (int round = 0; round < fresh_rounds + rounds; round++) {
    const bool fresh = round < fresh_rounds;
    if (round == fresh_rounds) laboratory.Reset();
    std::shuffle(order.begin(), order.end(), random);
    for (const Template* query : order) {
      if (fresh) laboratory.Reset();
      const WatchedRun result = run(*query, fresh ? " fresh" : "");
      if (!result.error.empty()) std::printf("  %s: %s\n", query->name.c_str(), result.error.substr(0, 160).c_str());
    }
    std::printf("round %d of %d done\n", round + 1, fresh_rounds + rounds);
    std::fflush(stdout);
  }
  std::printf("written: %s\n", dir.c_str());
  return Verdict::kMet;
}

}  // namespace query_shaper::bench
