// What others would say of the time left, from the same polls.
//
// All turn a progress P into elapsed (1 - P) / P; they differ in P:
//   elapsed_progress  rows so far over the planner's rows, all nodes
//   dne               the same over driver nodes alone (leaves of pipelines outside the inner side of a nested loop)
//   tgn               all nodes, the rows to come refined by bounds and by the drivers' share read
// References: Chaudhuri, Narasayya, Ramamurthy, "Estimating progress of execution for SQL queries", SIGMOD 2004;
// Lee, Konig, Narasayya, Ding, Chaudhuri, Ellwein, "Operator and query progress estimation in SQL Server", SIGMOD 2016.
#pragma once
#include <string>
#include <vector>

#include "driver_watch.h"

namespace query_shaper::bench {

struct Baselines {
  double elapsed_progress_ms = -1, dne_ms = -1, tgn_ms = -1;
};

Baselines BaselinesOf(const Poll& poll);

}  // namespace query_shaper::bench
