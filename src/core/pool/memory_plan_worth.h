// What a plan that was made for more memory saves, against the one that makes do with the server's settings.
//
// The planner's costs are no measure of it: they take spilling for the work of a disk, while most temporary files stay
// in page cache, and two plans that read their tables in other ways are easily told apart wrongly (TPC-H q03: 15 %
// cheaper, and half as long again in truth; q18: 38 %, and twice as long). Where the modest plan spills, only what is
// known of that counts: its files, and the sorting that is none any more. Elsewhere the costs have to do, less a doubt.
#pragma once

namespace query_shaper {

struct PlanWants {
  double join_misses_ms = 0;   // of hash tables as large as they want to be (cache_worth)
  double group_misses_ms = 0;  // as if no two rows of a group came close together
  double spilled_kb = 0;
  double compares = 0;  // n log2 n of the sorts that spill
};

struct ModestPlan {
  PlanWants wants;         // under the server's settings
  double cost = 0;         // the planner's
  double expected_ms = 0;  // that it takes
  bool page_cached = false;
  bool hungry = false;  // it is for what it spills that another plan is made
};

// ms that are saved where nothing of it is spilled any more. 0 for no number.
double SpillMs(double spilled_kb, bool page_cached);

// Of a sort. 0 for no number.
double Compares(double rows);

// Whether the other plan, with all the memory that it wants, is expected to be faster.
bool MemoryPays(const ModestPlan& modest, double other_cost, const PlanWants& other);

}  // namespace query_shaper
