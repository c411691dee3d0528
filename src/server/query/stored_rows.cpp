#include "pg/pg.h"

#include "server/query/stored_rows.h"

#include "server/prefetch_plan.h"
#include "server/query/kept_work.h"
extern "C" {
#include "nodes/nodeFuncs.h"
}

namespace query_shaper {
namespace {

using PlanNodeOf = struct Plan;

struct Cover {
  int level = -1;           // -1: not known
  Relids relids = nullptr;  // null: more than joining was done to them, as by groups and limits
};

Cover Uncovered() { return {}; }

Cover CoverFlat(const PlanNote* note, const Bitmapset* flat) {
  Cover cover;
  for (int i = -1; (i = bms_next_member(flat, i)) >= 0;) {
    const FlatPlace* place = PlaceOf(note, static_cast<Index>(i));
    if (place == nullptr || (cover.relids != nullptr && place->level != cover.level)) return Uncovered();
    cover.level = place->level;
    cover.relids = bms_add_member(cover.relids, place->index);
  }
  return cover;
}

// From all that a subquery returns to the relation that it is for the level around it.
bool Climb(const PlanNote* note, Cover* cover) {
  if (cover->level <= 0 || cover->level >= note->level_count) return false;
  const LevelPlace& up = note->levels[cover->level];
  if (up.parent < 0 || up.joined_once) return false;
  *cover = {up.parent, bms_make_singleton(up.index)};
  return true;
}

// Levels are numbered from the outside: of two the greater number is the one to climb from.
Cover Join(const PlanNote* note, Cover a, Cover b) {
  if (a.level < 0 || b.level < 0) return Uncovered();
  while (a.level != b.level)
    if (!Climb(note, a.level > b.level ? &a : &b)) return Uncovered();
  bool joins_only = a.relids != nullptr && b.relids != nullptr;
  return {a.level, joins_only ? bms_union(a.relids, b.relids) : nullptr};
}

Cover CoverOf(const PlanNodeOf* plan, const PlanNote* note) {
  if (plan == nullptr || plan->parallel_aware) return Uncovered();
  check_stack_depth();
  switch (nodeTag(plan)) {
    case T_SeqScan:
    case T_IndexScan:
    case T_IndexOnlyScan:
    case T_BitmapHeapScan:
    case T_TidScan:
    case T_TidRangeScan:
    case T_CteScan:
    case T_FunctionScan:
    case T_ValuesScan:
    case T_SubqueryScan:
      return CoverFlat(note, bms_make_singleton(static_cast<int>(reinterpret_cast<const Scan*>(plan)->scanrelid)));
    case T_CustomScan:
      if (PlanReadAhead(plan) != nullptr) return CoverOf(PlanReadAhead(plan), note);
      if (KeptWorkOf(plan) < 0) return Uncovered();
      return CoverFlat(note, reinterpret_cast<const CustomScan*>(plan)->custom_relids);
    case T_Hash:
    case T_Sort:
    case T_Material:
    case T_Memoize:
      return CoverOf(plan->lefttree, note);
    case T_Agg:
    case T_Group:
    case T_Unique:
    case T_WindowAgg:
    case T_Limit:
    case T_ProjectSet: {
      Cover below = CoverOf(plan->lefttree, note);
      return {below.level, nullptr};
    }
    case T_HashJoin:
    case T_MergeJoin:
    case T_NestLoop:
      return Join(note, CoverOf(plan->lefttree, note), CoverOf(plan->righttree, note));
    default:
      return Uncovered();
  }
}

// Follows a column down to the relation it comes from.
bool TraceColumn(const PlanNodeOf* plan, const Node* expression, const PlanNote* note, const Cover& cover,
                 KeptColumn* column) {
  for (;;) {
    if (plan == nullptr || expression == nullptr || !IsA(expression, Var)) return false;
    const Var* var = reinterpret_cast<const Var*>(expression);
    if (var->varlevelsup != 0) return false;
    const List* below = NIL;
    if (var->varno == OUTER_VAR || var->varno == INNER_VAR) {
      plan = var->varno == OUTER_VAR ? plan->lefttree : plan->righttree;
      if (plan == nullptr) return false;
      below = plan->targetlist;
      // A subquery's own plan stands where nothing is left of the scan of it.
      Cover inner = CoverOf(plan, note);
      if (inner.level > cover.level) {
        if (!Climb(note, &inner) || inner.level != cover.level || var->varattno > list_length(below)) return false;
        column->index = static_cast<Index>(bms_singleton_member(inner.relids));
        column->attribute = var->varattno;
        return true;
      }
    } else if (var->varno == INDEX_VAR) {
      if (IsA(plan, IndexOnlyScan)) below = reinterpret_cast<const IndexOnlyScan*>(plan)->indextlist;
      if (IsA(plan, CustomScan)) below = reinterpret_cast<const CustomScan*>(plan)->custom_scan_tlist;
      if (var->varattno < 1 || var->varattno > list_length(below)) return false;
      expression = reinterpret_cast<const Node*>(list_nth_node(TargetEntry, below, var->varattno - 1)->expr);
      if (expression == nullptr || !IsA(expression, Var) ||
          IS_SPECIAL_VARNO(reinterpret_cast<const Var*>(expression)->varno))
        return false;
      continue;
    } else {
      const FlatPlace* place = PlaceOf(note, static_cast<Index>(var->varno));
      if (place == nullptr || place->level != cover.level) return false;
      column->index = static_cast<Index>(place->index);
      column->attribute = var->varattno;
      return true;
    }
    if (var->varattno < 1 || var->varattno > list_length(below)) return false;
    expression = reinterpret_cast<const Node*>(list_nth_node(TargetEntry, below, var->varattno - 1)->expr);
  }
}

void ReadTypes(const PlanNodeOf* plan, StoredRows* rows) {
  rows->column_count = list_length(plan->targetlist);
  rows->columns = static_cast<KeptColumn*>(palloc0(sizeof(KeptColumn) * static_cast<Size>(Max(rows->column_count, 1))));
  for (int i = 0; i < rows->column_count; ++i) {
    auto* expression = reinterpret_cast<Node*>(list_nth_node(TargetEntry, plan->targetlist, i)->expr);
    KeptColumn* column = &rows->columns[i];
    column->type = exprType(expression);
    column->type_modifier = exprTypmod(expression);
    column->collation = exprCollation(expression);
    column->attribute = static_cast<AttrNumber>(i + 1);
  }
}

void ReadJoinColumns(const PlanNodeOf* plan, const PlanNote* note, const Cover& cover, StoredRows* rows) {
  ReadTypes(plan, rows);
  for (int i = 0; i < rows->column_count; ++i) {
    auto* expression = reinterpret_cast<Node*>(list_nth_node(TargetEntry, plan->targetlist, i)->expr);
    if (!TraceColumn(plan, expression, note, cover, &rows->columns[i])) rows->columns[i].index = 0;
  }
}

// Nodes that pass on all the rows of the one below have no name of their own.
const NodeKey* NameOf(const PlanNodeOf* plan, const PlanNote* note) {
  while (plan != nullptr && (IsA(plan, Hash) || IsA(plan, Sort) || IsA(plan, Material))) plan = plan->lefttree;
  if (plan == nullptr || plan->plan_node_id < 0 || plan->plan_node_id >= note->key_count) return nullptr;
  const NodeKey* key = &note->keys[plan->plan_node_id];
  return key->key != 0 && !key->parameterised ? key : nullptr;
}

}  // namespace

const FlatPlace* PlaceOf(const PlanNote* note, Index flat) {
  if (flat < 1 || static_cast<int>(flat) > note->flat_count) return nullptr;
  const FlatPlace* place = &note->places[flat - 1];
  return place->level >= 0 && place->index > 0 ? place : nullptr;
}

int LevelOfRows(const PlanNodeOf* plan, const PlanNote* note) { return CoverOf(plan, note).level; }

bool FindStoredRows(const PlanNodeOf* stored, const PlanNote* note, int reader, StoredRows* rows) {
  *rows = {};
  Cover cover = CoverOf(stored, note);
  if (cover.level < 0) return false;
  if (cover.relids == nullptr) {
    if (reader != 0 || cover.level == 0 || !Climb(note, &cover) || cover.level != reader) return false;
    ReadTypes(stored, rows);
    for (int i = 0; i < rows->column_count; ++i) {
      const TargetEntry* entry = list_nth_node(TargetEntry, stored->targetlist, i);
      rows->columns[i].index = entry->resjunk ? 0 : static_cast<Index>(bms_singleton_member(cover.relids));
    }
  } else {
    ReadJoinColumns(stored, note, cover, rows);
    const NodeKey* name = cover.level > 0 ? NameOf(stored, note) : nullptr;
    if (cover.level > 0 && name == nullptr) return false;
    if (name != nullptr) {
      rows->key = name->key;
      rows->constants = name->constants.hash;
    }
  }
  rows->level = cover.level;
  rows->relids = cover.relids;
  return true;
}

void ReadCteColumns(const PlanNodeOf* plan, StoredRows* rows) {
  *rows = {};
  ReadTypes(plan, rows);
}

}  // namespace query_shaper
