// How much memory a hash table may have that outgrows its plan: enough for the rows now expected, within what its
// statement may take beyond its plan, or nothing when even that would not keep it in one piece.
//
// With n rows held in u kB and N expected, it will need  u N / n.  It is asked in time: a table may double between two
// looks.
#pragma once
#include <cstdint>

namespace query_shaper {

struct GrowthQuestion {
  double used_kb = 0;
  double used_before_kb = 0;  // at the look before
  double allowed_kb = 0;      // beyond which it spills
  double held_rows = 0;       // rows or groups in it
  double planned_rows = 0;    // as the planner expected
  double expected_rows = 0;   // as expected now
  double most_rows = -1;      // that can come at all; -1: it does not matter, or is not known
  bool only_if_sure = false;  // grow only when most_rows fit
  double spare_kb = 0;        // what the statement may still take beyond its plan
};

enum class GrowthVerdict : uint8_t {
  kWait = 0,  // nothing to do yet
  kGrow = 1,
  kDecline = 2,  // it will spill
};

struct GrowthAnswer {
  GrowthVerdict verdict = GrowthVerdict::kWait;
  double allowed_kb = 0;  // the new limit
  double needed_kb = 0;
};

// Fit for signal context.
GrowthAnswer JudgeGrowth(const GrowthQuestion& question);

}  // namespace query_shaper
