// Which plans of a statement are known, what they took, and how long an unknown one may be tried: learning must not
// make things worse on the way.
//
// A plan that was never run, made from learned rows, is on probation against the best plan known. Its allowance is
//   allowance_ms = (1 + regret_limit) x known_ms + slack
// of which it may use what leaves the known plan time to run: it is given up when its tracked end lies beyond the
// allowance and  elapsed + known_ms <= (1 + regret_limit) x known_ms + slack  still holds, else it runs on.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

constexpr int kKnownPlans = 6;
constexpr int kPlanRows = 24;

enum class PlanOrigin : uint8_t { kStock = 0, kLearned = 1, kReplanned = 2 };

struct KnownPlan {
  uint64_t fingerprint = 0;  // 0: free. Of the shape with relation and index names
  PlanOrigin origin = PlanOrigin::kStock;
  float log_ms = 0;      // decayed mean of log(time) of complete runs; of given up ones log of the tracked end
  float log_square = 0;  // decayed sum of squared deviations
  float weight = 0;      // decayed complete runs
  float given_up = 0;    // decayed number of times it was given up: by probation or by a re-plan
  double last_s = 0;
};

struct KnownPlans {
  KnownPlan plans[kKnownPlans];
  // Row figures that made the best plan of learned rows: what it takes to make it again.
  struct {
    uint64_t key;
    float rows;
  } best_rows[kPlanRows];
  int32_t best_row_count = 0;
  uint64_t best_fingerprint = 0;  // the plan they make
  float interruptions = 0;        // decayed number of interruptions of this statement: penalty
  double interrupted_s = 0;
  uint8_t runaway = 0;  // 1: a runaway was stopped; look-alikes are handled at once until lifted
  double runaway_ms = 0;
};
static_assert(std::is_trivially_copyable_v<KnownPlans>);

}  // namespace query_shaper
