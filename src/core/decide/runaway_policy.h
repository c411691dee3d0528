// Whether a statement runs away: its tracked time in all is, almost surely, many times the prediction.
//
// With a log-normal belief of the time in all, a statement is a runaway when  P(total > factor x predicted) >= 0.95,
// its tracked time in all is above the least time, the discrepancy of its time is significant, its predicted time is
// over, and all of it has held for some looks in a row: a tracker that just met a new phase is not believed at once.
// Of a statement that never ran nobody knows what is usual: the upper end of its prediction stands for it, and its end
// is believed with the doubt of ExtrapolatedLogSd(). A plan may be predicted short that nobody has run: what the
// statement is known to take with its best plan is usual too.
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/decide/discrepancy.h"

namespace query_shaper {

struct RunawayLimits {
  double factor = 10;
  double least_ms = 10000;
};

struct RunawayPrediction {
  double ms = 0;
  double high_ms = 0;    // of the 90 % interval
  double runs = 0;       // decayed, of the statement before this one
  bool guessed = false;  // from the plan's cost alone
  double known_ms = 0;   // what the best known plan of the statement takes, 0: none
};

struct RunawayWatch {
  double since_ms = -1;  // running time since which every look has said so, -1: the last one did not
};
static_assert(std::is_trivially_copyable_v<RunawayWatch>);

// running_ms: time of the statement so far without pauses and without waits for others. Fit for signal context.
bool JudgeRunaway(const Discrepancy& found, const RunawayPrediction& predicted, double running_ms,
                  const RunawayLimits& limits, RunawayWatch* watch);

// A stopped runaway's look-alike ended: it behaves when it stayed within the limit.
bool Behaved(double predicted_ms, double total_ms, const RunawayLimits& limits);

}  // namespace query_shaper
