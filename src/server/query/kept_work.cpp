#include "pg/pg.h"

#include "server/query/kept_work.h"

#include <cmath>

#include "server/query/counting.h"
#include "server/query/plan_note.h"
#include "server/query/plan_states.h"
#include "server/query/query_levels.h"
#include "server/query/row_estimates.h"
extern "C" {
#include "executor/nodeHash.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "parser/parsetree.h"
}

namespace query_shaper {

namespace {

using PlanNodeOf = struct Plan;

KeptSet* all_sets = nullptr;
int next_id = 1;

struct Collection {
  Tracker* tracker;
  const PlanNote* note;
  KeptSet* set;
};

KeptWork* NewWork(Collection* collection, KeptKind kind, PlanState* source, const PlanNodeOf* stored, double rows) {
  KeptSet* set = collection->set;
  auto* work = static_cast<KeptWork*>(palloc0(sizeof(KeptWork)));
  work->id = next_id++;
  work->kind = kind;
  work->source = source;
  work->rows = Max(rows, 0.0);
  work->counted = rows >= 0;
  work->width = stored->plan_width;
  work->next = set->works;
  set->works = work;
  return work;
}

bool IsCollected(const KeptSet* set, const PlanState* source) {
  for (const KeptWork* work = set->works; work != nullptr; work = work->next)
    if (!work->taken && work->source == source) return true;
  return false;
}

// What a node has stored; `level`: the query level that reads it, -1: not known.
KeptWork* AddWork(Collection* collection, KeptKind kind, PlanState* source, const PlanNodeOf* stored, int level,
                  double rows) {
  if (!bms_is_empty(stored->extParam) || stored->initPlan != NIL || IsCollected(collection->set, source))
    return nullptr;
  MemoryContext caller = MemoryContextSwitchTo(collection->set->memory);
  KeptWork* work = nullptr;
  StoredRows found;
  if (FindStoredRows(stored, collection->note, level, &found)) {
    work = NewWork(collection, kind, source, stored, rows);
    work->stored = found;
  }
  MemoryContextSwitchTo(caller);
  return work;
}

void CollectHash(Collection* collection, HashJoinState* join) {
  constexpr int kBuildHashTable = 1, kNeedNewBatch = 6;  // HJ_* of nodeHashjoin.c
  HashJoinTable table = join->hj_HashTable;
  if (table == nullptr || join->hj_JoinState == kBuildHashTable || table->parallel_state != nullptr ||
      table->curbatch != 0)
    return;
  // Files that no outer row asks for are thrown away without being counted as the batch in work.
  if (join->hj_JoinState == kNeedNewBatch && table->nbatch > 1) return;
  PlanState* hash = innerPlanState(&join->js.ps);
  (void)AddWork(collection, KeptKind::kHash, &join->js.ps, hash->plan, LevelOfRows(join->js.ps.plan, collection->note),
                table->totalTuples);
}

int IndexOf(const Tracker* tracker, const PlanState* state) {
  int id = state->plan->plan_node_id;
  return id >= 0 && id < kNodeIds ? tracker->by_id[id] : -1;
}

// A sort does not say how many rows it holds: its child was read to the end. -1: nobody counted them.
double RowsTakenIn(const Tracker* tracker, PlanState* state) {
  int i = IndexOf(tracker, state);
  if (i < 0 || tracker->late || tracker->nodes[i].wrapper < 0 || !StillWrapped(state, tracker->nodes[i].wrapper))
    return -1;
  const Wrapper& wrapper = WrapperAt(tracker->nodes[i].wrapper);
  return wrapper.ends > 0 ? static_cast<double>(wrapper.first_end_rows) : -1;
}

double RowsBelieved(const Tracker* tracker, PlanState* state) {
  double rows = RowsTakenIn(tracker, state);
  int i = IndexOf(tracker, state);
  if (rows >= 0 || i < 0) return rows;
  rows = static_cast<double>(tracker->progress.nodes()[i].refined_rows);
  return std::isfinite(rows) ? rows : -1;
}

void CollectSort(Collection* collection, SortState* sort, int level) {
  if (!sort->sort_Done || sort->bounded || !sort->randomAccess || sort->datumSort || sort->am_worker ||
      sort->tuplesortstate == nullptr)
    return;
  double rows = RowsTakenIn(collection->tracker, outerPlanState(&sort->ss.ps));
  KeptWork* work = AddWork(collection, KeptKind::kSort, &sort->ss.ps, sort->ss.ps.plan, level, rows);
  if (work == nullptr) return;
  work->order = reinterpret_cast<const struct Sort*>(sort->ss.ps.plan);
  if (!work->counted) work->rows = Max(0.0, RowsBelieved(collection->tracker, outerPlanState(&sort->ss.ps)));
}

void CollectMaterial(Collection* collection, MaterialState* material, int level) {
  if (!material->eof_underlying || material->tuplestorestate == nullptr || (material->eflags & EXEC_FLAG_REWIND) == 0)
    return;
  (void)AddWork(collection, KeptKind::kMaterial, &material->ss.ps, material->ss.ps.plan, level,
                static_cast<double>(tuplestore_tuple_count(material->tuplestorestate)));
}

void CollectCte(Collection* collection, CteScanState* scan) {
  if (scan->leader != scan || !scan->eof_cte || scan->cte_table == nullptr) return;
  Index flat = reinterpret_cast<const Scan*>(scan->ss.ps.plan)->scanrelid;
  const FlatPlace* place = PlaceOf(collection->note, flat);
  if (place == nullptr || place->level != 0 || !bms_is_empty(scan->cteplanstate->plan->extParam)) return;
  const RangeTblEntry* entry = rt_fetch(flat, collection->tracker->query->plannedstmt->rtable);
  if (entry->rtekind != RTE_CTE || entry->ctelevelsup != 0 || entry->self_reference) return;
  MemoryContext caller = MemoryContextSwitchTo(collection->set->memory);
  KeptWork* work = NewWork(collection, KeptKind::kCte, &scan->ss.ps, scan->cteplanstate->plan,
                           static_cast<double>(tuplestore_tuple_count(scan->cte_table)));
  ReadCteColumns(scan->cteplanstate->plan, &work->stored);
  work->cte = entry->ctename;
  MemoryContextSwitchTo(caller);
}

void CollectStore(Collection* collection, PlanState* state, int level) {
  if (IsA(state, SortState))
    CollectSort(collection, reinterpret_cast<SortState*>(state), level);
  else if (IsA(state, MaterialState))
    CollectMaterial(collection, reinterpret_cast<MaterialState*>(state), level);
}

// The inputs of a join are read by the join's query level, whatever level made them.
void CollectInputs(Collection* collection, PlanState* join) {
  int level = LevelOfRows(join->plan, collection->note);
  CollectStore(collection, outerPlanState(join), level);
  CollectStore(collection, innerPlanState(join), level);
}

void CollectNode(PlanState* state, void* context) {
  auto* collection = static_cast<Collection*>(context);
  const Tracker* tracker = collection->tracker;
  int id = state->plan->plan_node_id;
  if (id < 0 || id >= kNodeIds || tracker->by_id[id] < 0 || tracker->plan.nodes[tracker->by_id[id]].under_gather)
    return;
  switch (nodeTag(state)) {
    case T_HashJoinState:
      CollectHash(collection, reinterpret_cast<HashJoinState*>(state));
      break;
    case T_MergeJoinState:
    case T_NestLoopState:
      CollectInputs(collection, state);
      break;
    case T_SortState:
    case T_MaterialState:
      CollectStore(collection, state, -1);
      break;
    case T_CteScanState:
      CollectCte(collection, reinterpret_cast<CteScanState*>(state));
      break;
    default:
      break;
  }
}

KeptSet* SetOf(Tracker* tracker) {
  PlanChanges* changes = &tracker->changes;
  if (changes->kept != nullptr) return changes->kept;
  MemoryContext memory = changes->home != nullptr ? changes->home : tracker->query->estate->es_query_cxt;
  auto* set = static_cast<KeptSet*>(MemoryContextAllocZero(memory, sizeof(KeptSet)));
  auto* callback = static_cast<MemoryContextCallback*>(MemoryContextAllocZero(memory, sizeof(MemoryContextCallback)));
  set->memory = memory;
  set->next = all_sets;
  all_sets = set;
  callback->arg = set;
  callback->func = [](void* ended) {
    for (KeptSet** link = &all_sets; *link != nullptr; link = &(*link)->next) {
      if (*link != ended) continue;
      *link = (*link)->next;
      break;
    }
  };
  MemoryContextRegisterResetCallback(memory, callback);
  changes->kept = set;
  return set;
}

// A relation of a query's own level: each reference to a CTE is one, and reads all of its rows.
bool IsReferenceTo(const PlannerInfo* root, const RelOptInfo* rel, const KeptWork* work) {
  if (rel->reloptkind != RELOPT_BASEREL || rel->rtekind != RTE_CTE) return false;
  const RangeTblEntry* entry = root->simple_rte_array[rel->relid];
  return entry->ctelevelsup == 0 && !entry->self_reference && strcmp(entry->ctename, work->cte) == 0;
}

bool HasColumn(const KeptWork* work, const Var* var) {
  for (int i = 0; i < work->stored.column_count; ++i) {
    const KeptColumn& column = work->stored.columns[i];
    bool same = work->kind == KeptKind::kCte || column.index == static_cast<Index>(var->varno);
    if (same && column.attribute == var->varattno && column.type == var->vartype) return true;
  }
  return false;
}

bool HasColumns(const KeptWork* work, List* expressions) {
  List* vars = pull_var_clause(reinterpret_cast<Node*>(expressions),
                               PVC_INCLUDE_PLACEHOLDERS | PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS);
  ListCell* cell;
  foreach (cell, vars) {
    auto* var = static_cast<Var*>(lfirst(cell));
    if (!IsA(var, Var) || !HasColumn(work, var)) return false;
  }
  return true;
}

// A subquery may get other clauses from outside than it got before, or stand in the query twice: its rows go by name.
bool SameClauses(const KeptWork* work, Planning* planning, PlannerInfo* root, const RelOptInfo* rel) {
  if (work->stored.level == 0) return true;
  const RowName& name = RowsOf(&planning->names, LevelOf(&planning->names, root), rel->relids)->name;
  return name.key == work->stored.key && name.constants.hash == work->stored.constants;
}

bool Fits(Planning* planning, PlannerInfo* root, const RelOptInfo* rel, const KeptWork* work) {
  ListCell* cell;
  foreach (cell, rel->reltarget->exprs) {
    auto* var = static_cast<Var*>(lfirst(cell));
    if (!IsA(var, Var) || !HasColumn(work, var)) return false;
  }
  if (work->kind != KeptKind::kCte)
    return bms_equal(rel->relids, work->stored.relids) && SameClauses(work, planning, root, rel);
  if (!IsReferenceTo(root, rel, work)) return false;
  foreach (cell, rel->baserestrictinfo)
    if (!HasColumns(work, list_make1(lfirst_node(RestrictInfo, cell)->clause))) return false;
  return true;
}

void VisitPlans(const PlanNodeOf* plan, void (*visit)(const PlanNodeOf*, void*), void* context) {
  if (plan == nullptr) return;
  check_stack_depth();
  visit(plan, context);
  VisitPlans(plan->lefttree, visit, context);
  VisitPlans(plan->righttree, visit, context);
  const List* members = NIL;
  if (IsA(plan, Append)) members = reinterpret_cast<const Append*>(plan)->appendplans;
  if (IsA(plan, MergeAppend)) members = reinterpret_cast<const MergeAppend*>(plan)->mergeplans;
  if (IsA(plan, CustomScan)) members = reinterpret_cast<const CustomScan*>(plan)->custom_plans;
  if (IsA(plan, SubqueryScan)) VisitPlans(reinterpret_cast<const SubqueryScan*>(plan)->subplan, visit, context);
  const ListCell* cell;
  foreach (cell, members) VisitPlans(static_cast<const PlanNodeOf*>(lfirst(cell)), visit, context);
}

void VisitStatement(const PlannedStmt* plan, void (*visit)(const PlanNodeOf*, void*), void* context) {
  VisitPlans(plan->planTree, visit, context);
  ListCell* cell;
  foreach (cell, plan->subplans) VisitPlans(static_cast<const PlanNodeOf*>(lfirst(cell)), visit, context);
}

struct ReadWork {
  const KeptSet* set;
  Bitmapset* ids;
};

Bitmapset* WorkReadBy(const PlannedStmt* plan) {
  ReadWork read = {nullptr, nullptr};
  VisitStatement(
      plan,
      [](const PlanNodeOf* node, void* context) {
        auto* found = static_cast<ReadWork*>(context);
        int id = KeptWorkOf(node);
        if (id >= 0) found->ids = bms_add_member(found->ids, id);
      },
      &read);
  return read.ids;
}

void TakeOver(KeptWork* work) {
  switch (work->kind) {
    case KeptKind::kHash: {
      auto* join = reinterpret_cast<HashJoinState*>(work->source);
      work->table = join->hj_HashTable;
      join->hj_HashTable = nullptr;
      reinterpret_cast<HashState*>(innerPlanState(&join->js.ps))->hashtable = nullptr;
      break;
    }
    case KeptKind::kSort: {
      auto* sort = reinterpret_cast<SortState*>(work->source);
      work->sort = static_cast<Tuplesortstate*>(sort->tuplesortstate);
      sort->tuplesortstate = nullptr;
      break;
    }
    case KeptKind::kMaterial: {
      auto* material = reinterpret_cast<MaterialState*>(work->source);
      work->store = material->tuplestorestate;
      material->tuplestorestate = nullptr;
      break;
    }
    case KeptKind::kCte: {
      // Its end wants a store to end.
      auto* scan = reinterpret_cast<CteScanState*>(work->source);
      work->store = scan->cte_table;
      scan->cte_table = tuplestore_begin_heap(false, false, 64);
      break;
    }
  }
  work->source = nullptr;
  work->taken = true;
}

}  // namespace

KeptWork* FindKeptWork(int id) {
  for (KeptSet* set = all_sets; set != nullptr; set = set->next)
    for (KeptWork* work = set->works; work != nullptr; work = work->next)
      if (work->id == id) return work;
  return nullptr;
}

void CollectKeptWork(Tracker* tracker) {
  const PlanNote* note = tracker->changes.note;
  if (note == nullptr || note->places == nullptr) return;
  KeptSet* set = SetOf(tracker);
  // What was offered and not taken may have ended since.
  for (KeptWork** link = &set->works; *link != nullptr;)
    if ((*link)->taken)
      link = &(*link)->next;
    else
      *link = (*link)->next;
  Collection collection = {tracker, note, set};
  VisitPlanStates(tracker->query->estate, tracker->query->planstate, CollectNode, &collection);
}

bool AnyKeptWork(const Tracker* tracker) {
  return tracker->changes.kept != nullptr && tracker->changes.kept->works != nullptr;
}

void OfferKeptWork(Planning* planning, PlannerInfo* root, RelOptInfo* rel, void* tracker) {
  const KeptSet* set = static_cast<const Tracker*>(tracker)->changes.kept;
  if (set == nullptr || rel->lateral_relids != nullptr || IS_DUMMY_REL(rel) ||
      (!IS_SIMPLE_REL(rel) && !IS_JOIN_REL(rel)) || IS_OTHER_REL(rel))
    return;
  int level = LevelNumber(root);
  for (const KeptWork* work = set->works; work != nullptr; work = work->next)
    if (work->stored.level == level && Fits(planning, root, rel, work))
      add_path(rel, reinterpret_cast<Path*>(MakeKeptPath(root, rel, work)));
}

double KeptRows(const Tracker* tracker, const PlannedStmt* plan) {
  if (!AnyKeptWork(tracker)) return 0;
  double rows = 0;
  Bitmapset* read = WorkReadBy(plan);
  for (const KeptWork* work = tracker->changes.kept->works; work != nullptr; work = work->next)
    if (bms_is_member(work->id, read)) rows += work->rows;
  bms_free(read);
  return rows;
}

namespace {

struct Finished {
  const Tracker* tracker;
  List* read;  // plans of CTEs whose rows stand in a table
  double rows;
};

// Rows that a finished node holds, -1: it is none, or not finished.
double RowsHeld(const Tracker* tracker, PlanState* state) {
  switch (nodeTag(state)) {
    case T_HashState: {
      const HashJoinTable table = reinterpret_cast<HashState*>(state)->hashtable;
      double rows = RowsTakenIn(tracker, outerPlanState(state));
      return table != nullptr && rows >= 0 ? rows : -1;
    }
    case T_SortState:
      if (!reinterpret_cast<SortState*>(state)->sort_Done) return -1;
      return Max(0.0, RowsBelieved(tracker, outerPlanState(state)));
    case T_MaterialState: {
      auto* material = reinterpret_cast<MaterialState*>(state);
      if (!material->eof_underlying || material->tuplestorestate == nullptr) return -1;
      return static_cast<double>(tuplestore_tuple_count(material->tuplestorestate));
    }
    case T_AggState: {
      auto* aggregate = reinterpret_cast<AggState*>(state);
      return aggregate->table_filled ? static_cast<double>(aggregate->hash_ngroups_current) : -1;
    }
    default:
      return -1;
  }
}

bool AddFinished(PlanState* state, void* context) {
  auto* finished = static_cast<Finished*>(context);
  if (state == nullptr || list_member_ptr(finished->read, state)) return false;
  double rows = RowsHeld(finished->tracker, state);
  if (rows >= 0) {
    finished->rows += rows;
    return false;
  }
  return planstate_tree_walker(state, reinterpret_cast<bool (*)()>(AddFinished), context);
}

bool AddCte(PlanState* state, void* context) {
  auto* finished = static_cast<Finished*>(context);
  if (state == nullptr) return false;
  auto* scan = reinterpret_cast<CteScanState*>(state);
  if (IsA(state, CteScanState) && scan->leader == scan && scan->eof_cte && scan->cte_table != nullptr) {
    finished->read = lappend(finished->read, scan->cteplanstate);
    finished->rows += static_cast<double>(tuplestore_tuple_count(scan->cte_table));
  }
  return planstate_tree_walker(state, reinterpret_cast<bool (*)()>(AddCte), context);
}

}  // namespace

double FinishedRows(const Tracker* tracker) {
  Finished finished = {tracker, NIL, 0};
  (void)AddCte(tracker->query->planstate, &finished);
  (void)AddFinished(tracker->query->planstate, &finished);
  list_free(finished.read);
  return finished.rows;
}

double CostNotRun(const PlannedStmt* plan) {
  struct Search {
    Bitmapset* run;
    bool kept;
  } search = {nullptr, false};
  VisitStatement(
      plan,
      [](const PlanNodeOf* node, void* context) {
        auto* found = static_cast<Search*>(context);
        if (IsA(node, CteScan))
          found->run = bms_add_member(found->run, reinterpret_cast<const CteScan*>(node)->ctePlanId);
        if (KeptWorkOf(node) >= 0) found->kept = true;
      },
      &search);
  double cost = 0;
  ListCell* cell;
  foreach (cell, plan->planTree->initPlan) {
    auto* subplan = lfirst_node(SubPlan, cell);
    if (!search.kept || subplan->subLinkType != CTE_SUBLINK || bms_is_member(subplan->plan_id, search.run)) continue;
    cost += static_cast<const PlanNodeOf*>(list_nth(plan->subplans, subplan->plan_id - 1))->total_cost;
  }
  bms_free(search.run);
  return cost;
}

void SettleKeptWork(Tracker* tracker, const PlannedStmt* plan) {
  if (!AnyKeptWork(tracker)) return;
  Bitmapset* read = WorkReadBy(plan);
  for (KeptWork* work = tracker->changes.kept->works; work != nullptr; work = work->next)
    if (!work->taken && bms_is_member(work->id, read)) TakeOver(work);
  bms_free(read);
}

void EndKeptWork(KeptSet* set) {
  if (set == nullptr) return;
  for (KeptWork* work = set->works; work != nullptr; work = work->next) {
    if (!work->taken) continue;
    if (work->table != nullptr) ExecHashTableDestroy(work->table);
    if (work->sort != nullptr) tuplesort_end(work->sort);
    if (work->store != nullptr) tuplestore_end(work->store);
  }
  set->works = nullptr;
}

namespace {

// Whether a sort will hold its rows in memory, by far or by what it was given for them: one that spills after all pays
// for being readable with a pass over its file.
bool WillFit(const Tracker* tracker, const SortState* sort) {
  const PlanNodeOf* plan = sort->ss.ps.plan;
  for (int n = 0; n < tracker->memory.count; ++n) {
    const ShapedNode& node = tracker->memory.nodes[n];
    if (!node.shaped || tracker->plan.nodes[node.index].node_id != plan->plan_node_id) continue;
    return node.limit_kb >= node.predicted_kb;
  }
  double bytes = plan->plan_rows * (plan->plan_width + 32.0);
  return bytes * 8 < work_mem * 1024.0;
}

}  // namespace

void KeepSortsReadable(Tracker* tracker) {
  if (tracker->changes.note == nullptr) return;
  VisitPlanStates(
      tracker->query->estate, tracker->query->planstate,
      [](PlanState* state, void* context) {
        if (!IsA(state, SortState)) return;
        auto* sort = reinterpret_cast<SortState*>(state);
        if (sort->tuplesortstate == nullptr && !sort->datumSort && WillFit(static_cast<Tracker*>(context), sort))
          sort->randomAccess = true;
      },
      tracker);
}

}  // namespace query_shaper
