// How many parallel workers are worth starting for a predicted time.
//
// With n workers and a leader that helps, the parallel part p of the time t is shared by 1 + n; each worker costs a
// start of c:   t(n) = (t - p) + p / (1 + n) + c n.
// With what was measured under m workers,  p = (t - c m - serial) (1 + m).
#pragma once

namespace query_shaper {

struct WorkerQuestion {
  int planned = 0;
  int most = 0;               // allowed by the settings
  double predicted_ms = 0;    // with as many as planned
  double log_sd = 1;          // of that
  double parallel_share = 1;  // of the plan's cost that lies below the Gather, 0..1
};

// Between 0 and `most`. As planned where the prediction is too unsure to say otherwise.
int WorkersWorth(const WorkerQuestion& question);

}  // namespace query_shaper
