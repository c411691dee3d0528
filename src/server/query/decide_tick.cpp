#include "pg/pg.h"

#include "server/query/decide_tick.h"

#include <unistd.h>

#include "server/query/carry_out.h"
#include "server/query/grow_memory.h"
#include "server/query/plan_trial.h"
#include "server/query/runaway.h"
#include "server/query/shape_memory.h"

namespace query_shaper {

// Running statements per processor.
static double ServerLoad() {
  static long processors = 0;
  if (processors <= 0) processors = Max(1L, sysconf(_SC_NPROCESSORS_ONLN));
  return static_cast<double>(pg_atomic_read_u32(&shared->running)) / static_cast<double>(processors);
}

static void BeginComparing(Tracker* tracker) {
  tracker->comparing = true;
  memset(tracker->memory_before_kb, 0, sizeof tracker->memory_before_kb);
  // The estimate of late tracking knows already that the statement is slow.
  tracker->compared =
      tracker->late ? ColdEstimate(tracker->query->plannedstmt->planTree->total_cost, 0) : tracker->estimate;
  DiscrepancyContext context;
  context.runs = tracker->estimate.seen;
  context.history_log_sd = tracker->estimate.model_log_sd[0];
  context.load = ServerLoad();
  tracker->discrepancy_test.Begin(tracker->plan, tracker->compared, tracker->progress.nodes(), context);
}

void DecideInTick(Tracker* tracker, const Tick& tick, double memory_kb) {
  if (!tracker->comparing) BeginComparing(tracker);
  const Progress& progress = tracker->progress;
  Consumption consumption;
  consumption.elapsed_ms = tick.elapsed_ms - progress.stalled_ms();
  consumption.cpu_ms = tick.cpu_ms;
  consumption.blocks = tick.read_blocks;
  consumption.temp_kb = tick.temp_blocks * (BLCKSZ / 1024) / 2;  // written once, read once
  consumption.memory_kb = memory_kb;
  tracker->discrepancy = tracker->discrepancy_test.Update(tracker->plan, tracker->counters, progress.nodes(),
                                                          tracker->time_left, consumption);
  WatchHashTables(tracker);
  WatchShaped(tracker);
  if (TrialFailed(tracker, tick.elapsed_ms)) tracker->errands = tracker->errands | kErrandGuard;
  WatchRunaway(tracker, consumption.elapsed_ms);
}

void EndDecisions(Tracker* tracker) {
  // Between two plans no catalog is looked into.
  TellGrowth(tracker, true);
  LeavePlan(tracker);
  tracker->growth = GrowthState();
  tracker->runaway.watch = RunawayWatch();
  tracker->comparing = false;
}

}  // namespace query_shaper
