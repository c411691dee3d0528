#include "pg/pg.h"

#include "pg/fault_point.h"
#include "server/settings.h"
extern "C" {
#include "utils/guc.h"
}

namespace query_shaper {

namespace settings {
int early_stage_rows = 10000;
int early_stage_time_ms = 100;
int events_max = 10000;
int half_life_s = 14 * 24 * 3600;
int history_max = 5000;
int late_tracking_ms = 100;
int max_databases = 16;
double min_cost = 1000;
int mode = kModeShape;
int tick_interval_ms = 10;
int tracked_nest_levels = 4;
}  // namespace settings

static const struct config_enum_entry kModes[] = {
    {"off", kModeOff, false},
    {"observe", kModeObserve, false},
    {"advise", kModeAdvise, false},
    {"shape", kModeShape, false},
    {nullptr, 0, false},
};

void DefineSettings() {
  using namespace settings;
  DefineCustomIntVariable("query_shaper.early_stage_rows",
                          "Sets the number of processed rows after which a prediction is revised.", nullptr,
                          &early_stage_rows, early_stage_rows, 1, INT_MAX, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.early_stage_time", "Sets the running time after which a prediction is revised.",
                          nullptr, &early_stage_time_ms, early_stage_time_ms, 1, INT_MAX, PGC_USERSET, GUC_UNIT_MS,
                          nullptr, nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.events_max",
                          "Sets the number of events and of predictions kept in each database.", nullptr, &events_max,
                          events_max, 100, 10000000, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
#ifdef QUERY_SHAPER_FAULT_POINTS
  DefineCustomStringVariable("query_shaper.fault", "Names a fault point and its action, for tests.", nullptr,
                             &pg::fault, "", PGC_SUSET, GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
#endif
  DefineCustomIntVariable("query_shaper.half_life", "Sets the time after which the weight of a run has halved.",
                          nullptr, &half_life_s, half_life_s, 60, INT_MAX, PGC_SIGHUP, GUC_UNIT_S, nullptr, nullptr,
                          nullptr);
  if (process_shared_preload_libraries_in_progress)
    DefineCustomIntVariable("query_shaper.history_max",
                            "Sets the number of statements with their plans remembered in each database.",
                            "Shared memory is sized by it at server start.", &history_max, history_max, 100, 1000000,
                            PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.late_tracking",
                          "Sets the running time after which a statement that was planned cheaper than min_cost is "
                          "tracked all the same.",
                          "0 turns late tracking off.", &late_tracking_ms, late_tracking_ms, 0, INT_MAX, PGC_USERSET,
                          GUC_UNIT_MS, nullptr, nullptr, nullptr);
  if (process_shared_preload_libraries_in_progress)
    DefineCustomIntVariable("query_shaper.max_databases", "Sets the number of databases that are learned from.",
                            nullptr, &max_databases, max_databases, 1, 1000, PGC_POSTMASTER, 0, nullptr, nullptr,
                            nullptr);
  DefineCustomRealVariable("query_shaper.min_cost", "Sets the planned cost below which a statement is only counted.",
                           nullptr, &min_cost, min_cost, 0, 1e15, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable("query_shaper.mode", "Sets what the extension does to queries.",
                           "off: nothing; observe: predict, watch and learn; advise: also report what would be done; "
                           "shape: do it.",
                           &mode, mode, kModes, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.tick_interval", "Sets the interval at which a running statement is looked at.",
                          nullptr, &tick_interval_ms, tick_interval_ms, 1, 10000, PGC_USERSET, GUC_UNIT_MS, nullptr,
                          nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.tracked_nest_levels", "Sets how many levels of nested statements are tracked.",
                          "1 tracks only the statements that clients send.", &tracked_nest_levels, tracked_nest_levels,
                          1, 4, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  MarkGUCPrefixReserved("query_shaper");
}

}  // namespace query_shaper
