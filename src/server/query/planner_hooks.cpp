#include "pg/pg.h"

#include "server/query/memory_plan.h"
#include "server/query/node_keys.h"
#include "server/query/outcome.h"
#include "server/plain_explain.h"
#include "server/pool/pool_capacity.h"
#include "server/query/plan_note.h"
#include "server/query/plan_shape.h"
#include "server/query/plan_trial.h"
#include "server/query/query_levels.h"
#include "server/query/row_estimates.h"
#include "server/query/statement_name.h"
#include "server/settings.h"
extern "C" {
#include "access/htup_details.h"
#include "access/parallel.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "utils/syscache.h"
}

namespace query_shaper {
namespace {

planner_hook_type previous_planner;
set_rel_pathlist_hook_type previous_rel;
set_join_pathlist_hook_type previous_join;
create_upper_paths_hook_type previous_upper;

Planning* planning = nullptr;  // the innermost call of the planner that is ours to follow
const PlanningOrder* next_order = nullptr;

bool Learns() { return settings::mode != kModeOff && settings::learn_rows != kSwitchOff; }

bool Replans() {
  return Does(settings::shadow) || Does(settings::replan) || Advises(settings::replan) || Does(settings::learn_rows);
}

bool ShapesMemory() { return Does(settings::memory) && shared_pool != nullptr; }

bool KnownOfExpression(Node* node, void*);

// False when planning can be left alone for sure.
EVERY_STATEMENT bool AnythingKnown(Query* query) {
  ListCell* cell;
  foreach (cell, query->rtable) {
    auto* entry = static_cast<RangeTblEntry*>(lfirst(cell));
    switch (entry->rtekind) {
      case RTE_RELATION:
        if (RowsKnownOf(entry->relid)) return true;
        break;
      case RTE_SUBQUERY:
        if (AnythingKnown(entry->subquery)) return true;
        break;
      case RTE_FUNCTION:
      case RTE_TABLEFUNC:
        if (RowsKnownOf(InvalidOid)) return true;
        break;
      default:
        break;
    }
  }
  foreach (cell, query->cteList) {
    auto* cte = static_cast<CommonTableExpr*>(lfirst(cell));
    if (IsA(cte->ctequery, Query) && AnythingKnown(reinterpret_cast<Query*>(cte->ctequery))) return true;
  }
  if (!query->hasSubLinks) return false;
  return query_tree_walker(query, reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(KnownOfExpression)), nullptr,
                           QTW_IGNORE_RT_SUBQUERIES | QTW_IGNORE_CTE_SUBQUERIES);
}

bool KnownOfExpression(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, Query)) return AnythingKnown(reinterpret_cast<Query*>(node));
  return expression_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(KnownOfExpression)),
                                context);
}

// Another plan can only help where there is a choice of joins, or an estimate of something without statistics.
bool HasChoices(const Query* query) {
  if (list_length(query->rtable) > 1 || query->cteList != NIL || query->hasSubLinks) return true;
  if (query->rtable == NIL) return false;
  auto* only = linitial_node(RangeTblEntry, query->rtable);
  return only->rtekind == RTE_FUNCTION || (only->rtekind == RTE_SUBQUERY && HasChoices(only->subquery));
}

// Whether rows of one relation are brought into order or groups by an index or with memory is the planner's choice,
// too; those of a small relation fit.
bool SortsMuch(const Query* query) {
  if (list_length(query->rtable) != 1) return false;
  auto* only = linitial_node(RangeTblEntry, query->rtable);
  if (only->rtekind == RTE_SUBQUERY) return SortsMuch(only->subquery);
  if (only->rtekind != RTE_RELATION || (query->groupClause == NIL && query->distinctClause == NIL &&
                                        query->windowClause == NIL && query->sortClause == NIL))
    return false;
  HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(only->relid));
  if (!HeapTupleIsValid(tuple)) return false;
  auto* relation = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
  bool much = (only->inh && relation->relhassubclass) ||
              static_cast<double>(relation->relpages) * (BLCKSZ / 1024) > static_cast<double>(work_mem);
  ReleaseSysCache(tuple);
  return much;
}

bool CanBePlannedAgain(Query* query) {
  return query->commandType == CMD_SELECT && query->rowMarks == NIL && !query->hasModifyingCTE &&
         !query->hasForUpdate && !contain_volatile_functions(reinterpret_cast<Node*>(query));
}

// A nested FOR UPDATE shows only in the plan.
bool PlanCanBeReplaced(const PlannedStmt* statement) {
  return statement->rowMarks == NIL && !statement->hasModifyingCTE && statement->commandType == CMD_SELECT;
}

void HangNote(Planning* me, PlannedStmt* statement, Query* query, int cursor_options, ParamListInfo parameters) {
  bool tracked = statement->planTree->total_cost >= settings::min_cost || KnownSlow(statement->queryId);
  if (!tracked && query == nullptr) return;
  PlanNote* note = AddNote(statement, NodeIdLimit(statement));
  note->name = me->textless;
  if (query != nullptr && PlanCanBeReplaced(statement)) note->query = query;
  note->cursor_options = cursor_options;
  note->secured = me->secured;
  note->planning_ms = me->planning_ms;
  note->has_parameters = parameters != nullptr;
  bool ordered = me->order != nullptr;
  note->origin = ordered ? PlanOrigin::kReplanned : me->injected > 0 ? PlanOrigin::kLearned : PlanOrigin::kStock;
  if (me->injected == 0) note->stock_cost = statement->planTree->total_cost;
  if (me->first != nullptr) LevelOf(&me->names, me->first);
  FillNodeKeys(me, statement, note);
}

// A statement that is dear enough to be looked at needs its name; another one runs while it is pending.
EVERY_STATEMENT void SettleName(PendingName* pending, PlannedStmt* statement) {
  if (statement->queryId != 0) return;
  if (statement->planTree->total_cost >= TrackedFromCost() || KnownSlow(UnnamedOn(pending)))
    statement->queryId = MakeName(pending);
  else
    RunNameless(pending, statement);
}

bool OfOneRelation(const Query* query) {
  return list_length(query->rtable) == 1 && linitial_node(RangeTblEntry, query->rtable)->rtekind == RTE_RELATION &&
         query->cteList == NIL && !query->hasSubLinks;
}

// Few relations are planned within the time that a clock is worth reading for.
bool MayPlanLong(const Query* query) {
  return list_length(query->rtable) > 3 || query->hasSubLinks || query->cteList != NIL;
}

EVERY_STATEMENT PlannedStmt* PlannerHook(Query* query, const char* source_text, int cursor_options,
                                         ParamListInfo parameters) {
  const PlanningOrder* order = next_order;
  next_order = nullptr;
  bool followed = shared != nullptr && MyBackendType == B_BACKEND && !IsParallelWorker() &&
                  (Learns() || Replans() || ShapesMemory());
  PendingName* pending = TakePendingName(query, source_text);
  uint64 textless = 0;
  if (pending == nullptr) {
    textless = NameTextless(query, source_text);
    if (!followed && order == nullptr && planning == nullptr && textless == 0)
      return previous_planner(query, source_text, cursor_options, parameters);
  }

  Planning me = {};
  me.names.memory = CurrentMemoryContext;
  me.outer = planning;
  me.order = order;
  me.pending = pending;
  me.textless = textless;
  me.secured = query->hasRowSecurity;
  bool may_inject = followed && !me.secured && Does(settings::learn_rows) && !ExplainsPlainly();
  if (order == nullptr && may_inject && OfOneRelation(query))
    me.undecided = query;
  else
    me.injecting = order != nullptr || (may_inject && AnythingKnown(query) && !PlansStock(query));
  bool shapes = followed && ShapesMemory();
  // A query whose name is pending is too plain for either.
  bool choices = pending == nullptr && followed && (Replans() || shapes) && HasChoices(query);
  bool again = choices || (pending == nullptr && shapes && SortsMuch(query));
  Query* copy = nullptr;
  if (again && CanBePlannedAgain(query)) {
    NumberLevels(query);
    copy = static_cast<Query*>(copyObjectImpl(query));
  }
  PlannedStmt* statement = nullptr;
  int64_t begun_ns = copy != nullptr && MayPlanLong(query) ? NowNs() : 0;
  // A function that is evaluated while planning may plan statements of its own.
  planning = followed || order != nullptr ? &me : nullptr;
  int cache = effective_cache_size;
  if (again && shapes) effective_cache_size = Min(cache, CachedPagesAtMost());
  PG_TRY();
  { statement = previous_planner(query, source_text, cursor_options, parameters); }
  PG_FINALLY();
  {
    planning = me.outer;
    effective_cache_size = cache;
  }
  PG_END_TRY();
  if (begun_ns != 0) me.planning_ms = static_cast<double>(NowNs() - begun_ns) / 1e6;
  if (pending != nullptr)
    SettleName(pending, statement);
  else if (me.textless != 0)
    AddNote(statement, 0)->name = me.textless;
  if (followed || order != nullptr)
    HangNote(&me, statement, choices && Replans() ? copy : nullptr, cursor_options, parameters);
  if (order == nullptr && me.injected > 0) statement = GuardPlanning(statement, source_text, parameters);
  if (order == nullptr && copy != nullptr && planning == nullptr && PlanCanBeReplaced(statement))
    statement = PlanForMemory(statement, copy, source_text, parameters, me.planning_ms);
  return statement;
}

void Offer(PlannerInfo* root, RelOptInfo* rel) {
  const PlanningOrder* order = planning->order;
  if (order != nullptr && order->offer != nullptr) order->offer(planning, root, rel, order->offer_context);
}

// What is known is asked first: it is the lesser work.
EVERY_STATEMENT void Decide(PlannerInfo* root, RelOptInfo* rel) {
  Query* query = planning->undecided;
  bool known = AnythingKnown(query);
  if (known && NothingToLearn(root, rel)) return;
  planning->undecided = nullptr;
  if (!known) return;
  if (planning->pending != nullptr) query->queryId = MakeName(planning->pending);
  planning->injecting = !PlansStock(query);
}

EVERY_STATEMENT void RelationHook(PlannerInfo* root, RelOptInfo* rel, Index index, RangeTblEntry* entry) {
  if (planning != nullptr) {
    if (planning->undecided != nullptr) Decide(root, rel);
    SizeRelation(planning, root, rel, entry);
    Offer(root, rel);
  }
  if (previous_rel != nullptr) previous_rel(root, rel, index, entry);
}

void JoinHook(PlannerInfo* root, RelOptInfo* join, RelOptInfo* outer, RelOptInfo* inner, JoinType type,
              JoinPathExtraData* extra) {
  // Made anew, the pair has been through all hooks, this one included.
  if (planning != nullptr) {
    bool anew = SizeJoin(planning, root, join, outer, inner, type, extra);
    if (ForceJoin(planning, root, join, outer, inner, type, extra) || anew) return;
    Offer(root, join);
  }
  if (previous_join != nullptr) previous_join(root, join, outer, inner, type, extra);
}

EVERY_STATEMENT void UpperHook(PlannerInfo* root, UpperRelationKind stage, RelOptInfo* input, RelOptInfo* output,
                               void* extra) {
  if (planning != nullptr && stage == UPPERREL_GROUP_AGG)
    SizeGroups(planning, root, input, output, static_cast<GroupPathExtraData*>(extra));
  if (planning != nullptr && stage == UPPERREL_DISTINCT) SizeDistinct(planning, root, output);
  if (previous_upper != nullptr) previous_upper(root, stage, input, output, extra);
}

}  // namespace

PlannedStmt* PlanAgain(const PlanNote* note, const char* source_text, ParamListInfo parameters,
                       const PlanningOrder& order) {
  return PlanQueryAgain(note->query, note, source_text, parameters, order);
}

PlannedStmt* PlanQueryAgain(const Query* unplanned, const PlanNote* note, const char* source_text,
                            ParamListInfo parameters, const PlanningOrder& order) {
  auto* query = static_cast<Query*>(copyObjectImpl(unplanned));
  uint64 query_id = query->queryId;
  query->queryId = 0;  // nameless, it is not counted as another planning by pg_stat_statements
  PlannedStmt* statement = nullptr;
  next_order = &order;
  PG_TRY();
  { statement = planner(query, source_text, note->cursor_options, note->has_parameters ? parameters : nullptr); }
  PG_FINALLY();
  { next_order = nullptr; }
  PG_END_TRY();
  statement->queryId = query_id;
  PlanNote* fresh = NoteOf(statement);
  if (fresh != nullptr && fresh->query != nullptr) fresh->query->queryId = query_id;
  return statement;
}

void InstallPlannerHooks() {
  RegisterPlanNotes();
  InstallPlainExplain();
  previous_planner = planner_hook ? planner_hook : standard_planner;
  planner_hook = PlannerHook;
  previous_rel = set_rel_pathlist_hook;
  set_rel_pathlist_hook = RelationHook;
  previous_join = set_join_pathlist_hook;
  set_join_pathlist_hook = JoinHook;
  previous_upper = create_upper_paths_hook;
  create_upper_paths_hook = UpperHook;
}

}  // namespace query_shaper
