// Entry point of the bench driver: query_shaper_bench NAME... [--option value]...
#include "driver.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>

namespace query_shaper::bench {

namespace {

const Bench kBenches[] = {
    {"overhead", "backend CPU of point and analytic queries against nothing loaded", RunOverhead},
    {"eta", "time left of running queries against its truth and against baselines", RunEta},
    {"predict", "predicted time of seen and of left-out templates", RunPredict},
    {"predicted_memory", "predicted memory against what statements held, and the planner's figures",
     RunPredictedMemory},
    {"shadow", "rows of shadow() against the truth, and what a shadow beside a statement costs", RunShadow},
    {"stall", "time left of a query that waits for a lock", RunStall},
    {"stress", "polls, pauses, resumes and cancels beside pgbench and parallel queries", RunStress},
    {"record", "ticks of every template, to be replayed by eta_replay", RunRecord},
    {"errorprone", "queries that the planner gets wrong, against a stock server", RunErrorprone},
    {"subplans", "correlated subqueries against a stock server", RunSubplans},
    {"chaos", "statements of every shape, planned anew at random nodes", RunChaos},
    {"workloads", "whole shared workloads, pass by pass, against a stock server", RunWorkloads},
    {"kept", "finished work that a new plan takes over", RunKept},
    {"runaway", "statements that run away from stale statistics: flagged when, stopped how fast", RunRunaway},
    {"planning", "planning time of joins and point queries against nothing loaded", RunPlanning},
    {"prefetch", "cold index scans with blocks asked for ahead, against nothing loaded", RunPrefetch},
    {"memory-query", "memory for the nodes of single statements: gain, peak, spills", RunMemoryQuery},
    {"memory-mixed", "many clients in a memory control group, against ever larger work_mem", RunMemoryMixed},
};

void PrintUsage() {
  std::puts("usage: query_shaper_bench NAME... [--option value]...");
  for (const Bench& bench : kBenches) std::printf("  %-10s %s\n", bench.name, bench.summary);
  std::puts("options and targets: bench/README.md");
}

std::string FindRoot() {
  namespace fs = std::filesystem;
  if (const char* root = std::getenv("QUERY_SHAPER_ROOT")) return root;
  for (fs::path dir : {fs::current_path(), fs::read_symlink("/proc/self/exe").parent_path()}) {
    for (; dir != dir.root_path(); dir = dir.parent_path()) {
      if (fs::exists(dir / "scripts/cluster.sh") && fs::exists(dir / "bench")) return dir.string();
    }
  }
  throw std::runtime_error("no checkout found from here; set QUERY_SHAPER_ROOT");
}

int Main(int argc, char** argv) {
  Options options;
  std::vector<const Bench*> chosen;
  for (int i = 1; i < argc; i++) {
    const std::string word = argv[i];
    if (word == "--help" || word == "-h") {
      PrintUsage();
      return 0;
    }
    if (word.rfind("--", 0) == 0) {
      const bool has_value = i + 1 < argc && std::string(argv[i + 1]).rfind("--", 0) != 0;
      options.Set(word.substr(2), has_value ? argv[++i] : "");
      continue;
    }
    const Bench* found = nullptr;
    for (const Bench& bench : kBenches) {
      if (word == bench.name) found = &bench;
    }
    if (found == nullptr) throw std::runtime_error("no bench named " + word);
    chosen.push_back(found);
  }
  if (chosen.empty()) {
    PrintUsage();
    return 2;
  }
  options.root = FindRoot();
  StopClustersOnInterrupt();
  int status = 0;
  for (const Bench* bench : chosen) {
    std::printf("== %s: %s\n", bench->name, bench->summary);
    std::fflush(stdout);
    try {
      status = std::max(status, static_cast<int>(bench->run(options)));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "query_shaper_bench: %s: %s\n", bench->name, error.what());
      status = static_cast<int>(Verdict::kFailed);
    }
  }
  return status;
}

}  // namespace

}  // namespace query_shaper::bench

int main(int argc, char** argv) {
  try {
    return query_shaper::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "query_shaper_bench: %s\n", error.what());
    return 2;
  }
}
