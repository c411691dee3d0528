#include "pg/pg.h"

#include "core/prefetch/partition_hint.h"
#include "pg/fault_point.h"
#include "server/settings.h"

#include <cstdlib>

extern "C" {
#include "access/xact.h"
#include "utils/guc.h"
}

namespace query_shaper {

namespace settings {
int access_patterns_max = 128;
int admission = kSwitchOff;
int admission_min_time_ms = 1000;
int admission_priority = 0;
bool admission_refuse = false;
int admission_timeout_ms = 60000;
int early_stage_rows = 10000;
int early_stage_time_ms = 100;
int events_max = 10000;
#ifdef QUERY_SHAPER_FAULT_POINTS
char* fake_group = nullptr;
#endif
int give_way = kSwitchOn;
int grow_memory = kSwitchOn;
int half_life_s = 14 * 24 * 3600;
int history_max = 5000;
int io_pool = 512;
int late_tracking_ms = 100;
int learn_rows = kSwitchOn;
int max_databases = 16;
int max_predicted_time_ms = 0;
int memoize_subplans = kSwitchOn;
int memory = kSwitchOn;
int memory_node_max_kb = 0;
char* memory_pool = nullptr;
double min_cost = 1000;
int mode = kModeShape;
char* partition_hint = nullptr;
#ifdef QUERY_SHAPER_FAULT_POINTS
bool plain_explain = false;
#endif
int prefetch = kSwitchOff;
int prefetch_distance = 256;
int prefetch_stagers = 0;
int prefetch_sweep = 1024;
double regret_limit = 0.05;
int replan = kSwitchOn;
double replan_factor = 10;
int replan_limit = 3;
int replan_min_time_ms = 20;
int row_estimates_max = 10000;
int runaway = kRunawayAdvise;
double runaway_factor = 10;
int runaway_min_time_ms = 10000;
int shadow = kSwitchOn;
int shadow_budget_ms = 2000;
double shadow_fraction = 0.01;
int shadow_min_time_ms = 2000;
int tick_interval_ms = 10;
int tracked_nest_levels = 4;
int workers = kSwitchOn;
}  // namespace settings

static const struct config_enum_entry kModes[] = {
    {"off", kModeOff, false},
    {"observe", kModeObserve, false},
    {"advise", kModeAdvise, false},
    {"shape", kModeShape, false},
    {nullptr, 0, false},
};

static const struct config_enum_entry kSwitches[] = {
    {"off", kSwitchOff, false},
    {"advise", kSwitchAdvise, false},
    {"on", kSwitchOn, false},
    {nullptr, 0, false},
};

static const struct config_enum_entry kRunaways[] = {
    {"off", kRunawayOff, false},
    {"advise", kRunawayAdvise, false},
    {"pause", kRunawayPause, false},
    {"cancel", kRunawayCancel, false},
    {nullptr, 0, false},
};

static void DefineSwitch(const char* name, const char* what, const char* more, int* value) {
  DefineCustomEnumVariable(name, what, more, value, *value, kSwitches, PGC_USERSET, 0, nullptr, nullptr, nullptr);
}

// `mode` as far as limits are concerned, and what a value of `mode` carries along for it.
static int limits_mode = kModeShape;
constexpr int kModeOfOrdinaryRole = -1;

static bool CheckMode(int* value, void** extra, GucSource source) {
  // What a role or a database carries may have been set by the role itself.
  bool of_server = source < PGC_S_DATABASE;
  bool counts = of_server || (IsTransactionState() && superuser());
  auto* kept = static_cast<int*>(malloc(sizeof(int)));  // freed by the server, by free()
  if (kept == nullptr) return false;
  *kept = counts ? *value : kModeOfOrdinaryRole;
  *extra = kept;
  return true;
}

static void AssignMode(int, void* extra) {
  int counts = *static_cast<int*>(extra);
  if (counts != kModeOfOrdinaryRole) limits_mode = counts;
}

static bool CheckPartitionHint(char** value, void**, GucSource) {
  const char* const wrong = *value == nullptr ? nullptr : CheckHintText(*value);
  if (wrong != nullptr) GUC_check_errdetail("In the text, %s.", wrong);
  return wrong == nullptr;
}

static bool ParsePool(const char* value, double* kb, const char** hint) {
  if (pg_strcasecmp(value, "auto") == 0) {
    *kb = -1;
    return true;
  }
  constexpr double kMostKb = 1e14;  // what a holding can count is above
  return parse_real(value, kb, GUC_UNIT_KB, hint) && *kb >= 0 && *kb <= kMostKb;
}

static double pool_kb = -1;

static bool CheckMemoryPool(char** value, void** extra, GucSource) {
  const char* hint = nullptr;
  auto* kept = static_cast<double*>(malloc(sizeof(double)));  // freed by the server, by free()
  if (kept == nullptr) return false;
  *extra = kept;
  if (*value != nullptr && ParsePool(*value, kept, &hint)) return true;
  GUC_check_errdetail("The value is \"auto\" or a size.");
  if (hint != nullptr) GUC_check_errhint("%s", hint);
  free(kept);
  *extra = nullptr;
  return false;
}

static void AssignMemoryPool(const char*, void* extra) {
  if (extra != nullptr) pool_kb = *static_cast<double*>(extra);
}

int64 MemoryPoolKb() { return static_cast<int64>(pool_kb); }

bool LimitsAct() { return limits_mode == kModeShape; }
bool LimitsAdvise() { return limits_mode == kModeAdvise; }

bool LimitsBind() {
  return LimitsAct() &&
         (settings::runaway >= kRunawayPause || settings::max_predicted_time_ms > 0 ||
          settings::admission == kSwitchOn || (settings::give_way == kSwitchOn && settings::admission_priority < 0));
}

constexpr double kLimitsMinCost = 1000;
constexpr int kLimitsLateTrackingMs = 1000;

EVERY_STATEMENT double TrackedFromCost() {
  return settings::min_cost > kLimitsMinCost && LimitsBind() ? kLimitsMinCost : settings::min_cost;
}

EVERY_STATEMENT int TrackedLateFromMs() {
  int own = settings::late_tracking_ms;
  if ((own == 0 || own > kLimitsLateTrackingMs) && LimitsBind()) return kLimitsLateTrackingMs;
  return own;
}

void DefineSettings() {
  using namespace settings;
  if (process_shared_preload_libraries_in_progress)
    DefineCustomIntVariable("query_shaper.access_patterns_max",
                            "Sets the number of relations and indexes whose access patterns are kept in shared memory.",
                            "Shared memory is sized by it at server start.", &access_patterns_max, access_patterns_max,
                            16, 100000, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable("query_shaper.admission",
                           "Sets whether a statement waits until the memory that it is predicted to need is free.",
                           "Statements predicted short and nested ones never wait.", &admission, admission, kSwitches,
                           PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.admission_min_time",
                          "Sets the predicted time below which a statement never waits for memory.", nullptr,
                          &admission_min_time_ms, admission_min_time_ms, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MS, nullptr,
                          nullptr, nullptr);
  DefineCustomIntVariable(
      "query_shaper.admission_priority", "Sets the priority of statements.",
      "In the line of those that wait for memory a statement gains one point per second; below 0 it "
      "gives way to others while it runs.",
      &admission_priority, admission_priority, -1000, 1000, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("query_shaper.admission_refuse",
                           "Sets whether a statement that has waited for admission_timeout is refused.",
                           "Otherwise it runs with the memory that is free.", &admission_refuse, admission_refuse,
                           PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.admission_timeout", "Sets how long a statement waits for memory at most.",
                          nullptr, &admission_timeout_ms, admission_timeout_ms, 1, INT_MAX, PGC_SUSET, GUC_UNIT_MS,
                          nullptr, nullptr, nullptr);
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
  DefineCustomStringVariable("query_shaper.fake_group", "Names the folder that stands for a control group, for tests.",
                             nullptr, &fake_group, "", PGC_SIGHUP, GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("query_shaper.fault", "Names a fault point and its action, for tests.", nullptr,
                             &pg::fault, "", PGC_SUSET, GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
#endif
  DefineCustomEnumVariable("query_shaper.give_way",
                           "Sets whether statements of a priority below zero rest while others want the machine.",
                           "The priority is query_shaper.admission_priority.", &give_way, give_way, kSwitches,
                           PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineSwitch("query_shaper.grow_memory",
               "Sets whether a hash table that is about to spill against its plan is given more memory.", nullptr,
               &grow_memory);
  DefineCustomIntVariable("query_shaper.half_life", "Sets the time after which the weight of a run has halved.",
                          nullptr, &half_life_s, half_life_s, 60, INT_MAX, PGC_SIGHUP, GUC_UNIT_S, nullptr, nullptr,
                          nullptr);
  if (process_shared_preload_libraries_in_progress)
    DefineCustomIntVariable("query_shaper.history_max",
                            "Sets the number of statements with their plans remembered in each database.",
                            "Shared memory is sized by it at server start.", &history_max, history_max, 100, 1000000,
                            PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.io_pool",
                          "Sets how many requests for blocks statements may have under way at once.", nullptr, &io_pool,
                          io_pool, 0, 65536, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.late_tracking",
                          "Sets the running time after which a statement that was planned cheaper than min_cost is "
                          "tracked all the same.",
                          "0 turns late tracking off.", &late_tracking_ms, late_tracking_ms, 0, INT_MAX, PGC_USERSET,
                          GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineSwitch("query_shaper.learn_rows", "Sets whether planning uses the row counts that earlier runs have shown.",
               nullptr, &learn_rows);
  if (process_shared_preload_libraries_in_progress)
    DefineCustomIntVariable("query_shaper.max_databases", "Sets the number of databases that are learned from.",
                            nullptr, &max_databases, max_databases, 1, 1000, PGC_POSTMASTER, 0, nullptr, nullptr,
                            nullptr);
  DefineCustomIntVariable("query_shaper.max_predicted_time",
                          "Sets the predicted time above which a statement is refused before it runs.",
                          "0 turns the limit off.", &max_predicted_time_ms, max_predicted_time_ms, 0, INT_MAX,
                          PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineSwitch("query_shaper.memoize_subplans",
               "Sets whether results of correlated subqueries are kept by the values of their parameters.", nullptr,
               &memoize_subplans);
  DefineSwitch("query_shaper.memory", "Sets whether statements get memory from the pool by their predicted need.",
               nullptr, &memory);
  DefineCustomIntVariable("query_shaper.memory_node_max",
                          "Sets the memory that one node of a plan may be given beyond the server's own settings.",
                          "0 leaves it to the pool.", &memory_node_max_kb, memory_node_max_kb, 0, MAX_KILOBYTES,
                          PGC_SUSET, GUC_UNIT_KB, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("query_shaper.memory_pool",
                             "Sets how much memory the statements of all sessions may have together.",
                             "auto: what the control group or the machine has, less shared buffers.", &memory_pool,
                             "auto", PGC_SIGHUP, 0, CheckMemoryPool, AssignMemoryPool, nullptr);
  DefineCustomRealVariable("query_shaper.min_cost", "Sets the planned cost below which a statement is only counted.",
                           nullptr, &min_cost, min_cost, 0, 1e15, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable("query_shaper.mode", "Sets what the extension does to queries.",
                           "off: nothing; observe: predict, watch and learn; advise: also report what would be done; "
                           "shape: do it.",
                           &mode, mode, kModes, PGC_USERSET, 0, CheckMode, AssignMode, nullptr);
  DefineCustomStringVariable(
      "query_shaper.partition_hint",
      "Sets how the relations of the next statements are read and in extents of how many blocks.",
      "A pattern, or relation=pattern, relation=pattern:blocks and so on.", &partition_hint, "", PGC_USERSET, 0,
      CheckPartitionHint, nullptr, nullptr);
#ifdef QUERY_SHAPER_FAULT_POINTS
  DefineCustomBoolVariable("query_shaper.plain_explain", "Plans what EXPLAIN shows without learned rows, for tests.",
                           nullptr, &plain_explain, plain_explain, PGC_SUSET, GUC_NOT_IN_SAMPLE, nullptr, nullptr,
                           nullptr);
#endif
  DefineSwitch("query_shaper.prefetch", "Sets whether scans ask for the blocks that they will read next.", nullptr,
               &prefetch);
  DefineCustomIntVariable("query_shaper.prefetch_distance",
                          "Sets how many blocks that are not cached a scan looks ahead at most.", nullptr,
                          &prefetch_distance, prefetch_distance, 1, 1024, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "query_shaper.prefetch_stagers", "Sets how many workers read ahead of statements into shared buffers at most.",
      "0 turns staging off.", &prefetch_stagers, prefetch_stagers, 0, 8, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.prefetch_sweep",
                          "Sets how many rows an index scan fetches out of order at most.",
                          "Where an index comes back to the same blocks again and again, its rows are fetched block by "
                          "block and handed out "
                          "in its order; 0 turns that off.",
                          &prefetch_sweep, prefetch_sweep, 0, 1024, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomRealVariable("query_shaper.regret_limit",
                           "Sets the share of a statement's known time that trying another plan may cost.",
                           "100 lets any plan run to its end.", &regret_limit, regret_limit, 0, kNoRegretLimit,
                           PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineSwitch("query_shaper.replan", "Sets whether a running statement is given another plan when its own is wrong.",
               nullptr, &replan);
  DefineCustomRealVariable("query_shaper.replan_factor",
                           "Sets how many times more rows than planned a node must deliver for a new plan to be "
                           "considered.",
                           nullptr, &replan_factor, replan_factor, 1, 1e9, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.replan_limit", "Sets how often one run of a statement may be planned anew.",
                          nullptr, &replan_limit, replan_limit, 0, 100, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "query_shaper.replan_min_time", "Sets the running time before which a statement is not planned anew.", nullptr,
      &replan_min_time_ms, replan_min_time_ms, 0, INT_MAX, PGC_USERSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  if (process_shared_preload_libraries_in_progress)
    DefineCustomIntVariable("query_shaper.row_estimates_max",
                            "Sets the number of learned row counts kept in shared memory.",
                            "Shared memory is sized by it at server start.", &row_estimates_max, row_estimates_max, 100,
                            10000000, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable("query_shaper.runaway",
                           "Sets what happens to a statement that takes far longer than predicted.",
                           "off: nothing; advise: an event; pause: it is held; cancel: it is cancelled.", &runaway,
                           runaway, kRunaways, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomRealVariable("query_shaper.runaway_factor",
                           "Sets how many times longer than predicted a statement must take to be a runaway.", nullptr,
                           &runaway_factor, runaway_factor, 1, 1e9, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.runaway_min_time",
                          "Sets the tracked time in all below which a statement is never a runaway.", nullptr,
                          &runaway_min_time_ms, runaway_min_time_ms, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MS, nullptr,
                          nullptr, nullptr);
  DefineSwitch("query_shaper.shadow", "Sets whether a sampled run beside a long statement checks its row estimates.",
               nullptr, &shadow);
  DefineCustomIntVariable("query_shaper.shadow_budget", "Sets the time that a sampled run may take at most.", nullptr,
                          &shadow_budget_ms, shadow_budget_ms, 1, INT_MAX, PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr,
                          nullptr);
  DefineCustomRealVariable("query_shaper.shadow_fraction", "Sets the share of a relation that a sampled run reads.",
                           nullptr, &shadow_fraction, shadow_fraction, 1e-6, 1, PGC_USERSET, 0, nullptr, nullptr,
                           nullptr);
  DefineCustomIntVariable("query_shaper.shadow_min_time", "Sets the predicted time below which no sampled run is made.",
                          nullptr, &shadow_min_time_ms, shadow_min_time_ms, 0, INT_MAX, PGC_USERSET, GUC_UNIT_MS,
                          nullptr, nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.tick_interval", "Sets the interval at which a running statement is looked at.",
                          nullptr, &tick_interval_ms, tick_interval_ms, 1, 10000, PGC_USERSET, GUC_UNIT_MS, nullptr,
                          nullptr, nullptr);
  DefineCustomIntVariable("query_shaper.tracked_nest_levels", "Sets how many levels of nested statements are tracked.",
                          "1 tracks only the statements that clients send.", &tracked_nest_levels, tracked_nest_levels,
                          1, 4, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineSwitch("query_shaper.workers", "Sets whether the number of parallel workers follows predictions and the pool.",
               nullptr, &workers);
  MarkGUCPrefixReserved("query_shaper");
}

}  // namespace query_shaper
