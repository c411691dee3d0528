// Sessions that query, write, fetch, poll, pause, resume and cancel one another, and the accounts that tell whether a
// row was lost.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace query_shaper::bench {

struct StressPlan {
  std::string connection;  // to a database with nothing in it that matters; the extension is created there
  double seconds = 20;
  long polls = 1000;  // at least; the load goes on until they are done
  uint64_t seed = 1;
  int rows = 200000;
};

struct StressOutcome {
  long polls = 0, queries = 0, cancelled = 0, batches = 0, cursors = 0, pauses = 0, resumes = 0, cancels = 0;
  long pgbench_transactions = 0;
  std::vector<std::string> faults;  // empty: nothing lost, nothing stuck, no wrong answer, no unexpected error
};

StressOutcome RunStressLoad(const StressPlan& plan);

}  // namespace query_shaper::bench
