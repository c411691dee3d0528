#include "pg/pg.h"

#include "server/query/query_blocks.h"
#include "server/query/row_keys.h"
#include "server/query/whole_estimates.h"

extern "C" {
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "parser/parsetree.h"
}

namespace query_shaper {

namespace {

create_upper_paths_hook_type next_upper;
WholeEstimates* recording;  // null: nobody asks

void AddSet(PlannerInfo* root, NamedPlanning* names, QueryLevel* level, const RelOptInfo* rel) {
  WholeEstimates* const whole = recording;
  if (whole->count == whole->capacity) {
    whole->capacity *= 2;
    whole->sets = static_cast<SetEstimate*>(repalloc(whole->sets, sizeof(SetEstimate) * whole->capacity));
  }
  SetEstimate* const set = &whole->sets[whole->count++];
  const RowName name = rel->reloptkind == RELOPT_BASEREL || rel->reloptkind == RELOPT_JOINREL
                           ? RowsOf(names, level, rel->relids)->name
                           : RowName{};
  *set = {bms_copy(rel->relids), rel->rows, name.key, name.constants.hash, InvalidOid, nullptr};
  int index;
  if (!bms_get_singleton_member(rel->relids, &index)) return;
  const RangeTblEntry* const entry = planner_rt_fetch(index, root);
  set->alias = entry->eref->aliasname;
  if (entry->rtekind == RTE_RELATION) set->relation = entry->relid;
}

// The last stage of the outermost level: all its sets have their rows. A function that was evaluated on the way may
// have had a query planned; it is over by now and what it left is overwritten.
EVERY_STATEMENT void RecordSets(PlannerInfo* root, UpperRelationKind stage, RelOptInfo* input, RelOptInfo* output,
                                void* extra) {
  if (next_upper != nullptr) next_upper(root, stage, input, output, extra);
  if (likely(recording == nullptr) || stage != UPPERREL_FINAL || root->parent_root != nullptr) return;
  recording->count = 0;
  NamedPlanning names = {CurrentMemoryContext, NIL};
  QueryLevel* const level = LevelOf(&names, root);
  for (int i = 1; i < root->simple_rel_array_size; ++i)
    if (root->simple_rel_array[i] != nullptr) AddSet(root, &names, level, root->simple_rel_array[i]);
  const ListCell* cell;
  foreach (cell, root->join_rel_list) AddSet(root, &names, level, lfirst_node(RelOptInfo, cell));
}

}  // namespace

WholeEstimates* EstimateWhole(const Query* query, const char* text, ParamListInfo parameters) {
  auto* const whole = static_cast<WholeEstimates*>(palloc0(sizeof(WholeEstimates)));
  whole->capacity = 32;
  whole->sets = static_cast<SetEstimate*>(palloc(sizeof(SetEstimate) * whole->capacity));
  // Planning may call functions that plan queries of their own.
  WholeEstimates* const outer = recording;
  recording = whole;
  PG_TRY();
  {
    Query* const copy = CopyQuery(query);
    copy->queryId = 0;  // nameless, it stays out of pg_stat_statements
    whole->planned = planner(copy, text, 0, parameters);
  }
  PG_FINALLY();
  { recording = outer; }
  PG_END_TRY();
  return whole;
}

const SetEstimate* FindSet(const WholeEstimates* whole, const Bitmapset* relids) {
  for (int i = 0; i < whole->count; ++i)
    if (bms_equal(whole->sets[i].relids, relids)) return &whole->sets[i];
  return nullptr;
}

const SetEstimate* FindRelation(const WholeEstimates* whole, Oid relation, const char* alias) {
  for (int i = 0; i < whole->count; ++i) {
    const SetEstimate& set = whole->sets[i];
    if (set.relation == relation && set.alias != nullptr && strcmp(set.alias, alias) == 0) return &set;
  }
  return nullptr;
}

void InstallWholeEstimates() {
  next_upper = create_upper_paths_hook;
  create_upper_paths_hook = RecordSets;
}

}  // namespace query_shaper
