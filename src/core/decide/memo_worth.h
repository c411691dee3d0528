// Whether keeping the results of a correlated subquery by its parameters pays, judged while it runs.
//
// What is kept costs a look-up per run and a copy per miss; what it gains is the time of each run that is answered from
// memory. A cache that does not pay yet may pay later: of w draws with d distinct values among them, D (1 - exp(-w /
// D)) = d gives the number D of values, and that the hits of as many runs again as there were before.
#pragma once

namespace query_shaper {

struct MemoRecord {
  // Since the last judgement.
  double runs, hits, rows_kept;
  // Since memory was last empty; draws 0: unknown, because memory is full or parameters from further out change.
  double draws, distinct;
  double run_ns;       // of a run that is not answered from memory, 0 unknown
  double runs_before;  // all runs so far
  double capacity;     // results that memory has room for
};

struct MemoVerdict {
  bool keep;
  double rest_ns;  // when not kept: time until another try is worth its cost
};

MemoVerdict JudgeMemo(const MemoRecord& record);

// Number of equally likely values of which `draws` showed `distinct`; infinity when none came twice.
double DistinctValues(double draws, double distinct);

}  // namespace query_shaper
