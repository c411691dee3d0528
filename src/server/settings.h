// Every setting of the extension; defaults stand at the variables in settings.cpp.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

enum Mode { kModeOff = 0, kModeObserve = 1, kModeAdvise = 2, kModeShape = 3 };

// A capability's own switch. Ask Does() and Advises(): `mode` comes first.
enum Switch { kSwitchOff = 0, kSwitchAdvise = 1, kSwitchOn = 2 };

enum Runaway { kRunawayOff = 0, kRunawayAdvise = 1, kRunawayPause = 2, kRunawayCancel = 3 };

namespace settings {
extern int access_patterns_max;
extern int admission;  // Switch
extern int admission_min_time_ms;
extern int admission_priority;
extern bool admission_refuse;
extern int admission_timeout_ms;
extern int early_stage_rows;
extern int early_stage_time_ms;
extern int events_max;
#ifdef QUERY_SHAPER_FAULT_POINTS
extern char* fake_group;  // folder that stands for the server's control group
#endif
extern int give_way;     // Switch
extern int grow_memory;  // Switch
extern int half_life_s;
extern int history_max;
extern int io_pool;
extern int late_tracking_ms;
extern int learn_rows;  // Switch
extern int max_databases;
extern int max_predicted_time_ms;  // 0: no limit
extern int memoize_subplans;       // Switch
extern int memory;                 // Switch
extern int memory_node_max_kb;     // 0: no bound of its own
extern char* memory_pool;
extern double min_cost;
extern int mode;
extern char* partition_hint;
#ifdef QUERY_SHAPER_FAULT_POINTS
extern bool plain_explain;
#endif
extern int prefetch;           // Switch
extern int prefetch_distance;  // blocks
extern int prefetch_stagers;   // 0: none
extern int prefetch_sweep;     // rows; 0: never
extern double regret_limit;    // kNoRegretLimit: the plan guard is off
constexpr double kNoRegretLimit = 100;
extern int replan;  // Switch
extern double replan_factor;
extern int replan_limit;
extern int replan_min_time_ms;
extern int row_estimates_max;
extern int runaway;  // Runaway
extern double runaway_factor;
extern int runaway_min_time_ms;
extern int shadow;  // Switch
extern int shadow_budget_ms;
extern double shadow_fraction;
extern int shadow_min_time_ms;
extern int tick_interval_ms;
extern int tracked_nest_levels;
extern int workers;  // Switch
}  // namespace settings

// Whether a capability acts, or only says in `events` what it would do.
inline bool Does(int capability) { return settings::mode == kModeShape && capability == kSwitchOn; }
inline bool Advises(int capability) {
  return (settings::mode == kModeAdvise && capability != kSwitchOff) ||
         (settings::mode == kModeShape && capability == kSwitchAdvise);
}

// Limits that an administrator sets (runaway, max_predicted_time) are not lifted by what an ordinary role may set: its
// own `mode`, min_cost and late_tracking do not count for them.
bool LimitsAct();
bool LimitsAdvise();
// The same, and such a limit is set: statements are tracked for its sake whatever the role has set.
bool LimitsBind();
double TrackedFromCost();
int TrackedLateFromMs();  // 0: never

// The setting memory_pool in kB, below 0: auto.
int64 MemoryPoolKb();

// Called by _PG_init. Settings of the postmaster are only defined while shared_preload_libraries is being processed.
void DefineSettings();

}  // namespace query_shaper
