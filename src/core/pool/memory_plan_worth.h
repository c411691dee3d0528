// What a plan that was made for more memory saves, against the one that makes do with the server's settings.
//
// The planner's costs are no measure of it: they take spilling for the work of a disk, while most temporary files stay
// in page cache, and two plans that read their tables in other ways are easily told apart wrongly (TPC-H q03: 15 %
// cheaper, and half as long again in truth). Where the modest plan spills its files alone count; elsewhere the costs
// have to do, less a doubt.
//
// Tried and given up: to count the comparisons of sorts that are none any more, and no misses of groups, whose rows
// come close together. It is right where such a sort is large (1.5 M groups of 6 M rows: 18.5 s for 20.9), and wrong
// where the sort is a mistake of the planner's, for the other plan's groups are real (TPC-H q18: 6.7 s for 4.6).
#pragma once

namespace query_shaper {

struct ModestPlan {
  double spilled_kb = 0;   // under the server's settings
  double cost = 0;         // the planner's
  double expected_ms = 0;  // that it takes
  bool page_cached = false;
  bool hungry = false;  // it is for what it spills that another plan is made
};

// ms that are saved where nothing of it is spilled any more. 0 for no number.
double SpillMs(double spilled_kb, bool page_cached);

// Whether the other plan, with all the memory that it wants, is expected to be faster; misses_ms: what its hash tables
// then cost beyond the processor's caches (cache_worth). False for no number.
bool MemoryPays(const ModestPlan& modest, double other_cost, double misses_ms);

}  // namespace query_shaper
