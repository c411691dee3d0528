#include "pg/pg.h"

#include "core/base/hash.h"
#include "core/plan/fingerprint.h"
#include "core/pool/cache_worth.h"
#include "core/pool/node_need.h"
#include "server/query/memory_plan.h"

#include <cmath>

#include "pg/guard.h"
#include "server/pool/pool_capacity.h"
#include "server/pool/processor_caches.h"
#include "server/pool/shared_pool.h"
#include "server/query/plan_note.h"
#include "server/query/plan_reader.h"
#include "server/query/plan_trial.h"
#include "server/query/tracker.h"
#include "server/settings.h"
#include "server/store/knowledge.h"
extern "C" {
#include "executor/nodeHash.h"
#include "miscadmin.h"
#include "utils/guc.h"
}

namespace query_shaper {
namespace {

constexpr double kSpillMsPerKb = 0.002;  // written, read and handled again, through free page cache
constexpr double kPlanningShare = 0.05;  // of what is spilled, that planning again may take
constexpr double kLeastSavedMs = 5;
constexpr double kPlanningMsPerNode = 0.1;  // where planning was not timed
constexpr double kCheaper = 0.9;
constexpr double kLeastRaise = 2;  // of work_mem: less changes no shape
constexpr double kRaise = 1.5;     // over the largest need

double LimitKb(bool hash_limit) {
  return hash_limit ? static_cast<double>(get_hash_memory_limit()) / 1024 : static_cast<double>(work_mem);
}

struct Wants {
  double misses_ms;    // of its hash tables when they are as large as they want to be (core/pool: cache_worth)
  double spilled_kb;   // under the server's settings
  double work_mem_kb;  // under which the largest node would not spill
  double beyond_kb;    // that all nodes want beyond the server's settings
  bool unbounded;      // a node that cannot spill would pass the server's own limit
};

Wants WantsOf(const PlanTree& tree) {
  Wants wants = {};
  for (int i = 0; i < tree.count; ++i) {
    double log_sd = RowsLogSd(tree, HeldRowsOf(tree, i), true);
    NodeNeed need = PredictNeed(tree, i, log_sd, 1);
    double limit_kb = LimitKb(need.hash_limit);
    if (need.kind == NeedKind::kNone || need.kb <= limit_kb) continue;
    wants.beyond_kb += need.wanted_kb() - limit_kb;
    wants.unbounded |= need.kind == NeedKind::kSetOp || need.kind == NeedKind::kSubplan;
    if (!need.spills) continue;
    if (need.gradual) wants.misses_ms += MissesNs(TrafficOf(need), limit_kb, Caches()) / 1e6;
    wants.spilled_kb += need.spill_kb;
    wants.work_mem_kb =
        Max(wants.work_mem_kb, need.wanted_kb() / (need.hash_limit ? Max(1.0, hash_mem_multiplier) : 1));
  }
  return wants;
}

uint64_t ReadShape(const PlannedStmt* statement, PlanTree* tree) {
  uint64_t fingerprint = 0;
  ReadPlan(statement, ReadDepth::kFull, tree);
  pg::Advise("name a plan", [&] { fingerprint = PlanFingerprint(*tree); });
  return fingerprint;
}

// Statements whose plan stays as it is with more memory: after n times in a row the next 2^n - 1 plannings are spared.
struct Unmoved {
  uint64 query_id;
  int times, spared;
};
constexpr int kUnmoved = 128;
constexpr int kMostDoublings = 6;
Unmoved unmoved[kUnmoved];

Unmoved* PlaceOf(uint64 query_id) { return &unmoved[MixBits(query_id) % kUnmoved]; }

bool Spared(uint64 query_id) {
  Unmoved* place = PlaceOf(query_id);
  if (query_id == 0 || place->query_id != query_id || place->spared >= (1 << place->times) - 1) return false;
  ++place->spared;
  return true;
}

void NoteUnmoved(uint64 query_id) {
  Unmoved* place = PlaceOf(query_id);
  int times = place->query_id == query_id ? Min(place->times + 1, kMostDoublings) : 1;
  *place = {query_id, times, 0};
}

PlannedStmt* PlanUnder(int kb, const PlanNote* note, const char* source_text, ParamListInfo parameters) {
  PlanningOrder order;
  order.use_learned = note->origin == PlanOrigin::kLearned;
  PlannedStmt* volatile made = nullptr;
  int own = work_mem;
  work_mem = kb;
  PG_TRY();
  { made = PlanAgain(note, source_text, parameters, order); }
  PG_FINALLY();
  { work_mem = own; }
  PG_END_TRY();
  return made;
}

int Candidate(const Wants& wants) {
  double most_kb = static_cast<double>(PoolFreeKb()) / Max(1.0, hash_mem_multiplier);
  if (settings::memory_node_max_kb > 0) most_kb = Min(most_kb, settings::memory_node_max_kb);
  double kb = Min(kRaise * wants.work_mem_kb, most_kb);
  return kb >= kLeastRaise * work_mem ? static_cast<int>(Min(kb, static_cast<double>(MAX_KILOBYTES))) : 0;
}

void Tell(const PlannedStmt* statement, const char* verdict, const char* reason, double kb, double cost,
          double before) {
  char details[kEventTextBytes];
  std::snprintf(details, sizeof details, "{\"work_mem_kb\": %.0f, \"cost\": %.0f, \"cost_before\": %.0f}", kb, cost,
                before);
  RecordEvent("plan_memory", verdict, static_cast<int64_t>(statement->queryId), -1, reason, details);
}

}  // namespace

PlannedStmt* PlanForMemory(PlannedStmt* statement, const char* source_text, ParamListInfo parameters,
                           double planning_ms) {
  static PlanTree tree;
  if (!Does(settings::memory) || shared_pool == nullptr) return statement;
  if (!(statement->planTree->total_cost >= settings::min_cost) || statement->subplans != NIL) return statement;
  PlanNote* note = NoteOf(statement);
  if (note == nullptr || note->query == nullptr || note->trial || note->foreign_rows) return statement;
  // Most plans fit: they are not even named.
  ReadPlan(statement, ReadDepth::kMemoryOnly, &tree);
  Wants wants = WantsOf(tree);
  double again_ms = planning_ms > 0 ? planning_ms : kPlanningMsPerNode * tree.count;
  double saved_ms = kSpillMsPerKb * wants.spilled_kb;
  if (saved_ms < kLeastSavedMs || again_ms > kPlanningShare * saved_ms || Spared(statement->queryId)) return statement;
  const double spilled_kb = wants.spilled_kb;
  int kb = Candidate(wants);
  if (kb == 0) return statement;
  double before = statement->planTree->total_cost;
  uint64_t shape = ReadShape(statement, &tree);
  PlannedStmt* made = PlanUnder(kb, note, source_text, parameters);
  PlanNote* made_note = NoteOf(made);
  uint64_t made_shape = ReadShape(made, &tree);
  wants = WantsOf(tree);
  // The planner does not know of the processor's caches.
  const bool slower = wants.misses_ms > saved_ms && TempFilesStayCached(spilled_kb);
  if (slower || made_note == nullptr || made_shape == shape || made_shape == 0 || made->subplans != NIL ||
      wants.unbounded || !(made->planTree->total_cost < kCheaper * before)) {
    NoteUnmoved(statement->queryId);
    return statement;
  }
  made_note->origin = note->origin;
  made_note->stock_cost = note->stock_cost;
  made_note->planning_ms = note->planning_ms;
  if (!GuardLets(made, source_text, made_shape)) {
    NoteUnmoved(statement->queryId);
    return statement;
  }
  made_note->modest = statement;
  made_note->memory_kb = wants.beyond_kb;
  Tell(made, "done", "another plan is cheaper with the memory that is free", kb, made->planTree->total_cost, before);
  return made;
}

void ChooseForMemory(QueryDesc* query) {
  const PlanNote* note = NoteOf(query->plannedstmt);
  if (note == nullptr || note->modest == nullptr) return;
  if (Does(settings::memory) && static_cast<double>(PoolFreeKb()) >= note->memory_kb) return;
  double before = query->plannedstmt->planTree->total_cost;
  query->plannedstmt = note->modest;
  Tell(query->plannedstmt, "declined", "the memory that its plan was made for is not free: the modest plan runs",
       note->memory_kb, query->plannedstmt->planTree->total_cost, before);
}

}  // namespace query_shaper
