#include "pg/pg.h"

#include "server/query/true_rows.h"

#ifdef QUERY_SHAPER_FAULT_POINTS
#include "server/query/node_keys.h"
#include "server/query/query_blocks.h"
#include "server/query/row_keys.h"
#include "server/store/row_knowledge.h"

extern "C" {
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "optimizer/tlist.h"
#include "tcop/dest.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
}

namespace query_shaper {

namespace {

struct Wanted {
  int set;    // -1: none, they are only counted
  int count;  // of all
  bool runs;  // the plan is that of the set
  RowFact fact;
};

create_upper_paths_hook_type next_upper;
Wanted* wanted = nullptr;

RowKind KindOf(PlannerInfo* root, Relids relids) {
  int relation;
  if (!bms_get_singleton_member(relids, &relation)) return RowKind::kJoin;
  switch (root->simple_rte_array[relation]->rtekind) {
    case RTE_FUNCTION:
      return RowKind::kFunction;
    case RTE_CTE:
      return RowKind::kCte;
    case RTE_SUBQUERY:
      return RowKind::kSubquery;
    default:
      return RowKind::kScan;
  }
}

void DescribeSet(PlannerInfo* root, const RelOptInfo* rel, RowFact* fact) {
  NamedPlanning names = {CurrentMemoryContext, NIL};
  const RelationRows* rows = RowsOf(&names, LevelOf(&names, root), rel->relids);
  NodeKey key = {};
  AddRelations(&key, root, rel->relids, 0);
  *fact = {};
  fact->key = rows->name.key;
  fact->constants = rows->name.constants;
  fact->kind = KindOf(root, rel->relids);
  fact->natural_rows = fact->planner_rows = rel->rows;
  fact->relation_rows = rows->relation_rows;
  fact->relation_count = key.relation_count;
  memcpy(fact->relations, key.relations, sizeof fact->relations);
}

void VisitSet(PlannerInfo* root, RelOptInfo* rel, RelOptInfo* output) {
  if (wanted->count++ != wanted->set) return;
  Path* path = rel->cheapest_total_path;
  if (path == nullptr || path->param_info != nullptr) return;
  DescribeSet(root, rel, &wanted->fact);
  wanted->runs = true;
  output->pathlist = list_make1(path);
  output->partial_pathlist = NIL;
  root->processed_tlist = make_tlist_from_pathtarget(path->pathtarget);
}

void VisitSets(PlannerInfo* root, UpperRelationKind stage, RelOptInfo* input, RelOptInfo* output, void* extra) {
  if (next_upper != nullptr) next_upper(root, stage, input, output, extra);
  if (wanted == nullptr || stage != UPPERREL_FINAL || root->parent_root != nullptr) return;
  wanted->count = 0;
  wanted->runs = false;
  for (int i = 1; i < root->simple_rel_array_size; ++i) {
    RelOptInfo* rel = root->simple_rel_array[i];
    if (rel != nullptr && rel->reloptkind == RELOPT_BASEREL) VisitSet(root, rel, output);
  }
  ListCell* cell;
  foreach (cell, root->join_rel_list) {
    auto* rel = lfirst_node(RelOptInfo, cell);
    if (rel->reloptkind == RELOPT_JOINREL) VisitSet(root, rel, output);
  }
}

void Pin(const char* name, const char* value) {
  set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

PlannedStmt* PlanSet(const Query* query, const char* text, Wanted* order) {
  Query* copy = CopyQuery(query);
  copy->queryId = 0;
  Wanted* outer = wanted;
  PlannedStmt* planned = nullptr;
  wanted = order;
  PG_TRY();
  { planned = planner(copy, text, 0, nullptr); }
  PG_FINALLY();
  { wanted = outer; }
  PG_END_TRY();
  return planned;
}

double RowsOfPlan(PlannedStmt* planned, const char* text) {
  QueryDesc* query =
      CreateQueryDesc(planned, text, GetActiveSnapshot(), InvalidSnapshot, None_Receiver, nullptr, nullptr, 0);
  ExecutorStart(query, 0);
  ExecutorRun(query, ForwardScanDirection, 0, true);
  ExecutorFinish(query);
  auto rows = static_cast<double>(query->estate->es_processed);
  ExecutorEnd(query);
  FreeQueryDesc(query);
  return rows;
}

}  // namespace

int CountSets(const Query* query, const char* text) {
  Wanted order = {};
  order.set = -1;
  PlanSet(query, text, &order);
  return order.count;
}

double LearnTrueRows(const Query* query, const char* text, int set) {
  Wanted order = {};
  order.set = set;
  int nest_level = NewGUCNestLevel();
  // What smaller sets have shown is planned with, whatever the guard holds of it; without loops, which are the first to
  // suffer where nothing has been shown yet.
  Pin("query_shaper.regret_limit", "100");
  Pin("enable_nestloop", "off");
  Pin("max_parallel_workers_per_gather", "0");
  Pin("work_mem", "256MB");
  PlannedStmt* planned = PlanSet(query, text, &order);
  Pin("query_shaper.mode", "off");
  double rows = order.runs ? RowsOfPlan(planned, text) : -1;
  AtEOXact_GUC(true, nest_level);
  if (!order.runs) return -1;
  order.fact.actual_rows = rows;
  LearnRowFacts(&order.fact, 1);
  return rows;
}

void InstallTrueRows() {
  next_upper = create_upper_paths_hook;
  create_upper_paths_hook = VisitSets;
}

}  // namespace query_shaper
#endif
