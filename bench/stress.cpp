// stress: minutes of polls, pauses, resumes and cancels at random moments beside pgbench and parallel queries.
#include <cstdio>

#include "driver.h"
#include "stress_load.h"

namespace query_shaper::bench {

Verdict RunStress(const Options& options) {
  StressPlan plan;
  plan.seconds = 60 * options.Number("minutes", 10);
  plan.polls = static_cast<long>(options.Number("polls", 1e5));
  plan.seed = options.seed();
  Cluster cluster(options, "stress", "query_shaper",
                  {"shared_buffers = '256MB'", "query_shaper.tick_interval = 1", "max_parallel_workers = 16"});
  plan.connection = cluster.Connection("postgres");
  // The name of a session tells the load what it may cancel.
  plan.connection.erase(plan.connection.find(" application_name"));
  StressOutcome outcome = RunStressLoad(plan);
  if (!cluster.CleanLog()) outcome.faults.push_back("the server's log tells of a crash");
  std::printf(
      "%ld polls; %ld queries, %ld batches and %ld cursors ended well, %ld were cancelled; %ld pauses, %ld resumes, "
      "%ld cancels sent; %ld pgbench transactions\n",
      outcome.polls, outcome.queries, outcome.batches, outcome.cursors, outcome.cancelled, outcome.pauses,
      outcome.resumes, outcome.cancels, outcome.pgbench_transactions);
  Json faults = Json::Array();
  for (const std::string& fault : outcome.faults) {
    std::printf("  FAULT %s\n", fault.c_str());
    faults.Push(fault);
  }
  Json result;
  result.Set("seconds", plan.seconds).Set("polls", double(outcome.polls)).Set("queries", double(outcome.queries));
  result.Set("batches", double(outcome.batches)).Set("cursors", double(outcome.cursors));
  result.Set("cancelled", double(outcome.cancelled)).Set("pauses", double(outcome.pauses));
  result.Set("resumes", double(outcome.resumes)).Set("cancels", double(outcome.cancels));
  result.Set("pgbench_transactions", double(outcome.pgbench_transactions)).Set("faults", std::move(faults));
  WriteResult(options, "stress", std::move(result));
  return outcome.faults.empty() ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
