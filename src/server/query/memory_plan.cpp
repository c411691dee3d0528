#include "pg/pg.h"

#include "core/base/hash.h"
#include "core/plan/fingerprint.h"
#include "core/pool/cache_worth.h"
#include "core/pool/memory_plan_worth.h"
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
#include "server/query/statement_facts.h"
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

constexpr double kPlanningShare = 0.05;  // of what is spilled, that planning again may take
constexpr double kLongShare = 0.01;      // of what the statement takes, that it may take where nothing need be spilled
constexpr double kLeastSavedMs = 5;
constexpr double kPlanningMsPerNode = 0.1;  // where planning was not timed
constexpr double kCheaper = 0.9;
constexpr double kLeastRaise = 2;  // of work_mem: less changes no shape
constexpr int kCandidates = 2;
constexpr double kLessForNext = 4;  // part of the first candidate's memory that the second is made for

double LimitKb(bool hash_limit) {
  return hash_limit ? static_cast<double>(get_hash_memory_limit()) / 1024 : static_cast<double>(work_mem);
}

struct Wants {
  double misses_ms;   // of its hash tables when they are as large as they want to be (core/pool: cache_worth)
  double spilled_kb;  // under the server's settings
  double beyond_kb;   // that all nodes want beyond the server's settings
  bool unbounded;     // a node that cannot spill would pass the server's own limit
};

// most_kb: of work_mem, that no node is given more than.
Wants WantsOf(const PlanTree& tree, double most_kb) {
  Wants wants = {};
  for (int i = 0; i < tree.count; ++i) {
    double log_sd = RowsLogSd(tree, HeldRowsOf(tree, i), true);
    NodeNeed need = PredictNeed(tree, i, log_sd, 1);
    double limit_kb = LimitKb(need.hash_limit);
    if (need.kind == NeedKind::kNone || need.kb <= limit_kb) continue;
    wants.beyond_kb += Max(0, Min(need.wanted_kb(), most_kb * (need.hash_limit ? hash_mem_multiplier : 1)) - limit_kb);
    wants.unbounded |= need.kind == NeedKind::kSetOp || need.kind == NeedKind::kSubplan;
    if (!need.spills) continue;
    if (need.gradual) wants.misses_ms += MissesNs(TrafficOf(need), limit_kb, Caches()) / 1e6;
    wants.spilled_kb += need.spill_kb;
  }
  return wants;
}

// Whether rows that one node hands to another, and that a plan could hold instead, are more than fit by the settings:
// below that memory makes no difference to the planner.
bool HandsOnMuch(const PlanTree& tree) {
  for (int i = 1; i < tree.count; ++i)
    if (tree.nodes[i].rows * HashRowBytes(tree.nodes[i].width) / 1024 > LimitKb(false)) return true;
  return false;
}

double ExpectedMs(const PlannedStmt* statement) {
  static KnownPlans known;
  double known_ms = 0;
  if (statement->queryId != 0 && RecallPlans(static_cast<int64_t>(statement->queryId), &known))
    known_ms = BestKnownMs(known);
  return known_ms > 0 ? known_ms : ColdEstimate(statement->planTree->total_cost, 0).targets[kTimeMs].value;
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

// What is planned again, and how.
struct Again {
  const Query* query;
  const PlanNote* note;
  const char* source_text;
  ParamListInfo parameters;
};

PlannedStmt* PlanUnder(double kb, const Again& again) {
  PlanningOrder order;
  order.use_learned = again.note->origin == PlanOrigin::kLearned;
  PlannedStmt* volatile made = nullptr;
  int own = work_mem;
  work_mem = static_cast<int>(Min(kb, static_cast<double>(MAX_KILOBYTES)));
  PG_TRY();
  { made = PlanQueryAgain(again.query, again.note, again.source_text, again.parameters, order); }
  PG_FINALLY();
  { work_mem = own; }
  PG_END_TRY();
  return made;
}

// Where statements wait for memory they have it when they begin.
double ClaimableKb() {
  int64 most_kb = PoolClaimMostKb();
  return static_cast<double>(settings::admission == kSwitchOn ? most_kb : Min(PoolFreeKb(), most_kb));
}

// As work_mem, for a node of any kind.
double MostWorkMemKb() {
  double kb = ClaimableKb() / Max(1.0, hash_mem_multiplier);
  return settings::memory_node_max_kb > 0 ? Min(kb, settings::memory_node_max_kb) : kb;
}

void Tell(const PlannedStmt* statement, const char* verdict, const char* reason, double kb, double cost,
          double before) {
  char details[kEventTextBytes];
  std::snprintf(details, sizeof details, "{\"work_mem_kb\": %.0f, \"cost\": %.0f, \"cost_before\": %.0f}", kb, cost,
                before);
  RecordEvent("plan_memory", verdict, static_cast<int64_t>(statement->queryId), -1, reason, details);
}

struct Candidate {
  PlannedStmt* plan;  // null: none that is worth it
  uint64_t shape;
  double work_mem_kb;  // that it was planned with
  double needs_kb;     // beyond the server's settings, as far as it was planned for
};

// What it is held against.
struct Modest {
  uint64_t shape;
  ModestPlan plan;
};

bool Pays(const PlannedStmt* plan, uint64_t shape, const Wants& wants, const Modest& modest) {
  if (NoteOf(plan) == nullptr || shape == modest.shape || shape == 0 || plan->subplans != NIL || wants.unbounded ||
      !(plan->planTree->total_cost < kCheaper * modest.plan.cost))
    return false;
  if (wants.beyond_kb > ClaimableKb()) return false;
  // The planner does not know of the processor's caches.
  return MemoryPays(modest.plan, plan->planTree->total_cost, wants.misses_ms);
}

// Of what the pool could give, and of less: a plan that is made for less as well makes do with that.
Candidate FindCandidate(const Again& again, const Modest& modest) {
  static PlanTree tree;
  Candidate found = {};
  double most_kb = MostWorkMemKb();
  for (int i = 0; i < kCandidates && most_kb >= kLeastRaise * work_mem; ++i, most_kb /= kLessForNext) {
    PlannedStmt* plan = PlanUnder(most_kb, again);
    uint64_t shape = ReadShape(plan, &tree);
    if (i == 0 && shape == modest.shape) return found;
    Wants wants = WantsOf(tree, most_kb);
    if (found.plan != nullptr && shape == found.shape) found.needs_kb = Min(found.needs_kb, wants.beyond_kb);
    if (found.plan == nullptr && Pays(plan, shape, wants, modest)) found = {plan, shape, most_kb, wants.beyond_kb};
  }
  return found;
}

}  // namespace

PlannedStmt* PlanForMemory(PlannedStmt* statement, Query* query, const char* source_text, ParamListInfo parameters,
                           double planning_ms) {
  static PlanTree tree;
  if (!Does(settings::memory) || shared_pool == nullptr) return statement;
  if (!(statement->planTree->total_cost >= settings::min_cost) || statement->subplans != NIL) return statement;
  const PlanNote* note = NoteOf(statement);
  if (note == nullptr || note->trial || note->foreign_rows) return statement;
  // Most plans fit: they are not even named.
  ReadPlan(statement, ReadDepth::kMemoryOnly, &tree);
  Wants wants = WantsOf(tree, static_cast<double>(MAX_KILOBYTES));
  double again_ms = kCandidates * (planning_ms > 0 ? planning_ms : kPlanningMsPerNode * tree.count);
  Modest modest = {};
  modest.plan.spilled_kb = wants.spilled_kb;
  double saved_ms = SpillMs(wants.spilled_kb, true);
  modest.plan.hungry = saved_ms >= kLeastSavedMs && again_ms <= kPlanningShare * saved_ms;
  if (!modest.plan.hungry && !HandsOnMuch(tree)) return statement;
  modest.plan.expected_ms = ExpectedMs(statement);
  if ((!modest.plan.hungry && again_ms > kLongShare * modest.plan.expected_ms) ||
      MostWorkMemKb() < kLeastRaise * work_mem || Spared(statement->queryId))
    return statement;
  modest.plan.page_cached = TempFilesStayCached(wants.spilled_kb);
  modest.plan.cost = statement->planTree->total_cost;
  modest.shape = ReadShape(statement, &tree);
  Candidate made = FindCandidate({query, note, source_text, parameters}, modest);
  PlanNote* made_note = made.plan != nullptr ? NoteOf(made.plan) : nullptr;
  if (made_note != nullptr) {
    made_note->origin = note->origin;
    made_note->stock_cost = note->stock_cost;
    made_note->planning_ms = note->planning_ms;
    // On trial it must be possible to plan it again.
    if (made_note->query == nullptr) made_note->query = query;
  }
  if (made_note == nullptr || !GuardLets(made.plan, source_text, made.shape)) {
    NoteUnmoved(statement->queryId);
    return statement;
  }
  made_note->modest = statement;
  made_note->memory_kb = made.needs_kb;
  Tell(made.plan, "done", "another plan is cheaper with the memory that is free", made.work_mem_kb,
       made.plan->planTree->total_cost, modest.plan.cost);
  return made.plan;
}

void ChooseForMemory(QueryDesc* query) {
  const PlanNote* note = NoteOf(query->plannedstmt);
  if (note == nullptr || note->modest == nullptr) return;
  if (Does(settings::memory) && ClaimableKb() >= note->memory_kb) return;
  double before = query->plannedstmt->planTree->total_cost;
  query->plannedstmt = note->modest;
  Tell(query->plannedstmt, "declined", "the memory that its plan was made for is not free: the modest plan runs",
       note->memory_kb, query->plannedstmt->planTree->total_cost, before);
}

}  // namespace query_shaper
