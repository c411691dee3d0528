// Every setting of the extension; defaults stand at the variables in settings.cpp.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

enum Mode { kModeOff = 0, kModeObserve = 1, kModeAdvise = 2, kModeShape = 3 };

namespace settings {
extern int early_stage_rows;
extern int early_stage_time_ms;
extern int events_max;
extern int half_life_s;
extern int history_max;
extern int late_tracking_ms;
extern int max_databases;
extern double min_cost;
extern int mode;
extern int tick_interval_ms;
extern int tracked_nest_levels;
}  // namespace settings

// Called by _PG_init. Settings of the postmaster are only defined while shared_preload_libraries is being processed.
void DefineSettings();

}  // namespace query_shaper
