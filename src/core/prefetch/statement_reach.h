// What one statement reads of one relation, from run to run: the blocks that most of its recent runs read, or those of
// the last run moved on by as much as it had moved before (a user who leafs through data with ever new parameters), or
// blocks at equal distances from a place that moves on steadily.
//
// The last is for rows that lie some blocks apart, but no whole number of them: block i of run r is the whole part of
// c + m r + s i, where s is the mean distance within the last run, and c and m are fitted by least squares to the
// middles of the last runs. Moved on by a whole number of blocks, a share of such blocks would be one off.
//
// All predictions are made at every run, whether or not anybody asked, and matched against what came; the one that has
// been right most often answers, and only while the lower bound of its share of right blocks is high. A statement whose
// parameters jump about is thus never answered for.
//
// Plain memory of fixed size.
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/prefetch/access_model.h"
#include "core/prefetch/partitioner.h"

namespace query_shaper {

constexpr int kReachBlocks = 1024;
constexpr int kReachMiddles = 8;

enum ReachPredictor { kReachAgain, kReachMoved, kReachSteady, kReachPredictors };

struct StatementReach {
  int32_t runs;
  int32_t known_count;
  ExpectedBlock known[kReachBlocks];  // ascending; likelihood: share of recent runs that read the block
  int32_t last_count;
  uint32_t last[kReachBlocks];  // of the last run, ascending
  int64_t move;                 // in blocks, from the run before the last to the last
  bool moved;                   // there were two runs
  int32_t middle_count;
  double middles[kReachMiddles];  // mean blocks of the last runs, the latest last
  Precision shown[kReachPredictors];
};
static_assert(std::is_trivially_copyable_v<StatementReach>);

void StartReach(StatementReach* reach);

// One run. blocks: ascending, distinct, at most kReachBlocks.
void NoteRun(StatementReach* reach, const uint32_t* blocks, int count);

// Staging that failed or came too late counts as if those blocks had been predicted wrongly. in_time: the share of what
// was staged that was there when it was wanted, 0..1.
void PenaliseReach(StatementReach* reach, float in_time);

// The blocks of the next run, ascending, at most kReachBlocks; 0 while the gate is shut.
int PredictRun(const StatementReach& reach, ExpectedBlock* expected);

}  // namespace query_shaper
