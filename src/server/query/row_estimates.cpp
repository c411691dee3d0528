#include "pg/pg.h"

#include "server/query/plan_shape.h"
#include "server/query/row_estimates.h"
#include "server/query/unseen_joins.h"

#include <cmath>

extern "C" {
#include "catalog/pg_class.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/prep.h"
#include "utils/selfuncs.h"
}

namespace query_shaper {

bool CanBeSized(const RelOptInfo* rel, const RangeTblEntry* entry) {
  switch (entry->rtekind) {
    case RTE_RELATION:
      return entry->relkind != RELKIND_FOREIGN_TABLE && entry->tablesample == nullptr && rel->fdwroutine == nullptr;
    case RTE_SUBQUERY:
    case RTE_FUNCTION:
    case RTE_CTE:
      return true;
    default:
      return false;
  }
}

bool NothingToLearn(PlannerInfo* root, RelOptInfo* rel) {
  return bms_equal(root->all_baserels, rel->relids) && rel->rows <= 1 && rel->rtekind == RTE_RELATION &&
         relation_has_unique_index_for(root, rel, NIL, NIL, NIL);
}

void MakeTablePaths(PlannerInfo* root, RelOptInfo* rel) {
  rel->pathlist = rel->partial_pathlist = NIL;
  add_path(rel, create_seqscan_path(root, rel, rel->lateral_relids, 0));
  if (rel->consider_parallel && rel->lateral_relids == nullptr) {
    int workers = compute_parallel_worker(rel, rel->pages, -1, max_parallel_workers_per_gather);
    if (workers > 0) add_partial_path(rel, create_seqscan_path(root, rel, nullptr, workers));
  }
  create_index_paths(root, rel);
  create_tidscan_paths(root, rel);
}

namespace {

// Nearer than this a figure is not worth making paths anew.
constexpr double kTolerance = 1.05;

bool Differs(double a, double b) { return a > b * kTolerance || b > a * kTolerance; }

// Rows known for a name, -1 none. planner_rows: what the planner made of the inputs as they are used.
double Known(const Planning* planning, const RowName& name, double natural_rows, double planner_rows,
             double relation_rows) {
  const PlanningOrder* order = planning->order;
  double at_least = -1;
  for (int i = 0; order != nullptr && i < order->override_count; ++i) {
    const RowOverride& given = order->overrides[i];
    if (given.key != name.key || (given.constants != 0 && given.constants != name.constants.hash)) continue;
    if (!given.at_least) return clamp_row_est(given.rows);
    at_least = Max(at_least, given.rows);
  }
  double rows = -1;
  if (!planning->secured && (order == nullptr || order->use_learned))
    rows = RecallRows(name.key, name.constants, natural_rows, relation_rows).rows;
  if (at_least >= 0) rows = Max(at_least, rows >= 0 ? rows : planner_rows);
  return rows >= 0 ? clamp_row_est(rows) : -1;
}

// How much what a query level returns differs from the planner's own view.
double LevelRatio(Planning* planning, PlannerInfo* root) {
  QueryLevel* level = LevelOf(&planning->names, root);
  if (level->distinct.natural_rows > 0) return level->distinct.used_rows / level->distinct.natural_rows;
  if (level->group.natural_rows > 0) return level->group.used_rows / level->group.natural_rows;
  if (root->parse->hasAggs || root->parse->setOperations != nullptr || bms_is_empty(root->all_baserels)) return 1;
  return Ratio(FindRows(level, root->all_baserels));
}

double InputRatio(Planning* planning, PlannerInfo* root, const RelOptInfo* rel, const RangeTblEntry* entry) {
  if (entry->rtekind == RTE_SUBQUERY && rel->subroot != nullptr) return LevelRatio(planning, rel->subroot);
  if (entry->rtekind == RTE_CTE && !entry->self_reference) {
    PlannerInfo* cte = CteRoot(root, entry);
    if (cte != nullptr) return LevelRatio(planning, cte);
  }
  return 1;
}

void SetRows(Planning* planning, RelOptInfo* rel, RelationRows* rows, double known) {
  rows->used_rows = known;
  rows->injected = Differs(known, rel->rows);
  if (!rows->injected) {
    rows->used_rows = rel->rows;
    return;
  }
  ++planning->injected;
  rel->rows = known;
  // The one clause gets its selectivity: the costs of indexes and the rows of parameterised paths follow.
  if (list_length(rel->baserestrictinfo) != 1 || rel->tuples <= 0 || rel->rtekind != RTE_RELATION) return;
  auto* clause = linitial_node(RestrictInfo, rel->baserestrictinfo);
  if (!clause->pseudoconstant && clause->norm_selec <= 1) clause->norm_selec = Min(1.0, known / rel->tuples);
}

void SizeOne(Planning* planning, QueryLevel* level, int relation) {
  PlannerInfo* root = level->root;
  RelOptInfo* rel = root->simple_rel_array[relation];
  RangeTblEntry* entry = root->simple_rte_array[relation];
  RelationRows* rows = RowsOf(&planning->names, level, rel->relids);
  rows->natural_rows = rel->rows / InputRatio(planning, root, rel, entry);
  rows->used_rows = rel->rows;
  if (IS_DUMMY_REL(rel) || !CanBeSized(rel, entry)) return;
  double known = Known(planning, rows->name, rows->natural_rows, rel->rows, rows->relation_rows);
  rows->known = known >= 0;
  if (known < 0 && entry->rtekind == RTE_RELATION && rel->baserestrictinfo != NIL) {
    // Look-ups have seen what their partners join with, which is not all: good enough to raise a figure that joins
    // above would take for granted. Whether they found more than expected because more passes or because what is looked
    // up is what occurs most, nobody knows: half of it (on the log scale) is believed.
    RowName passed = PassedName(&planning->names, level, static_cast<Index>(relation));
    known = Known(planning, passed, rows->natural_rows, rel->rows, rows->relation_rows);
    if (known <= rel->rows) return;
    known = clamp_row_est(std::sqrt(Min(known, Max(rel->tuples, 1.0)) * Max(rel->rows, 1.0)));
  }
  if (known >= 0) SetRows(planning, rel, rows, known);
}

// A parent's rows are those of its children: what is known of either is carried over.
void SizeParent(Planning* planning, QueryLevel* level, int relation) {
  PlannerInfo* root = level->root;
  RelOptInfo* rel = root->simple_rel_array[relation];
  RelationRows* rows = RowsOf(&planning->names, level, rel->relids);
  double natural = 0, used = 0, free_rows = 0;
  ListCell* cell;
  auto child_rows = [&](const AppendRelInfo* info) -> RelationRows* {
    if (info->parent_relid != static_cast<Index>(relation)) return nullptr;
    RelOptInfo* child = root->simple_rel_array[info->child_relid];
    return child != nullptr && !IS_DUMMY_REL(child) ? FindRows(level, child->relids) : nullptr;
  };
  // A foreign child's paths are its wrapper's: nobody else can make them anew.
  auto can_be_scaled = [&](const RelationRows* child) {
    int index;
    return !child->known && bms_get_singleton_member(child->relids, &index) &&
           CanBeSized(root->simple_rel_array[index], root->simple_rte_array[index]);
  };
  foreach (cell, root->append_rel_list) {
    RelationRows* child = child_rows(static_cast<AppendRelInfo*>(lfirst(cell)));
    if (child == nullptr) continue;
    natural += child->natural_rows;
    used += child->used_rows;
    if (can_be_scaled(child)) free_rows += child->used_rows;
  }
  if (natural <= 0) {
    rows->natural_rows = rows->used_rows = rel->rows;
    return;
  }
  rows->natural_rows = natural;
  double known = IS_DUMMY_REL(rel) ? -1 : Known(planning, rows->name, natural, used, rows->relation_rows);
  rows->known = known >= 0;
  SetRows(planning, rel, rows, known >= 0 ? known : clamp_row_est(used));
  if (known < 0 || free_rows <= 0) return;
  double factor = Max(known - (used - free_rows), 1.0) / free_rows;
  if (!Differs(factor, 1)) return;
  foreach (cell, root->append_rel_list) {
    auto* info = static_cast<AppendRelInfo*>(lfirst(cell));
    RelationRows* child = child_rows(info);
    if (child == nullptr || !can_be_scaled(child)) continue;
    SetRows(planning, root->simple_rel_array[info->child_relid], child, clamp_row_est(child->used_rows * factor));
  }
}

void FixPathRows(RelOptInfo* rel, double factor) {
  for (List* paths : {rel->pathlist, rel->partial_pathlist}) {
    ListCell* cell;
    foreach (cell, paths) {
      auto* path = static_cast<Path*>(lfirst(cell));
      if (path->param_info == nullptr) path->rows = clamp_row_est(path->rows * factor);
    }
  }
}

// The paths of a relation that had some when its rows became known, as set_rel_pathlist() makes them.
void MakePathsAnew(PlannerInfo* root, RelOptInfo* rel, const RangeTblEntry* entry, double factor) {
  if (entry->inh || rel->pathlist == NIL || !CanBeSized(rel, entry)) return;
  Relids outer = rel->lateral_relids;
  switch (entry->rtekind) {
    case RTE_RELATION:
      rel->ppilist = NIL;
      MakeTablePaths(root, rel);
      break;
    case RTE_FUNCTION: {
      List* order = static_cast<Path*>(linitial(rel->pathlist))->pathkeys;
      rel->pathlist = rel->ppilist = NIL;
      add_path(rel, create_functionscan_path(root, rel, order, outer));
      break;
    }
    case RTE_CTE:
      rel->pathlist = rel->ppilist = NIL;
      add_path(rel, create_ctescan_path(root, rel, outer));
      break;
    default:
      FixPathRows(rel, factor);
      break;
  }
}

bool Sizable(const PlannerInfo* root, int relation) {
  RelOptInfo* rel = root->simple_rel_array[relation];
  return rel != nullptr && (rel->reloptkind == RELOPT_BASEREL || rel->reloptkind == RELOPT_OTHER_MEMBER_REL);
}

// At the first call for a query level all of its base relations have their sizes, and only the one at hand has paths
// (subqueries and CTEs have theirs, too).
void SizeLevel(Planning* planning, QueryLevel* level, const RelOptInfo* at_hand) {
  PlannerInfo* root = level->root;
  for (int i = 1; i < level->base_count; ++i)
    if (Sizable(root, i) && !root->simple_rte_array[i]->inh) SizeOne(planning, level, i);
  for (int i = level->base_count - 1; i > 0; --i)
    if (Sizable(root, i) && root->simple_rte_array[i]->inh) SizeParent(planning, level, i);
  for (int i = 1; i < level->base_count; ++i) {
    if (!Sizable(root, i)) continue;
    RelOptInfo* rel = root->simple_rel_array[i];
    RelationRows* rows = FindRows(level, rel->relids);
    if (rows == nullptr || !rows->injected || IS_DUMMY_REL(rel)) continue;
    RangeTblEntry* entry = root->simple_rte_array[i];
    bool early = entry->rtekind == RTE_SUBQUERY || entry->rtekind == RTE_CTE;
    if (rel == at_hand || early)
      MakePathsAnew(root, rel, entry, rows->used_rows / (rows->natural_rows * InputRatio(planning, root, rel, entry)));
  }
}

struct Lookup {
  ParamPathInfo* info;
  Bitmapset* columns;   // of the relation, that are looked up
  double natural_rows;  // as the planner had them
  bool known;
};

// Of a look-up of which nothing is known: as wrong as those by the same columns that take their values from elsewhere.
// Only upwards: too few rows make worse plans than too many.
double LikeOthers(const Lookup* lookups, int count, const Lookup& lookup) {
  double log_ratio = 0;
  int others = 0;
  for (int i = 0; i < count; ++i) {
    const Lookup& other = lookups[i];
    if (!other.known || !bms_equal(other.columns, lookup.columns)) continue;
    log_ratio += std::log(other.info->ppi_rows / Max(other.natural_rows, 1.0));
    ++others;
  }
  return others > 0 && log_ratio > 0 ? lookup.natural_rows * std::exp(log_ratio / others) : -1;
}

// What an index finds it has to fetch: the planner costs that by its own figure, which may be far below.
void ScaleLookupCost(Path* path, double factor) {
  if (factor <= 1) return;
  if (IsA(path, BitmapHeapPath)) {
    path->startup_cost *= factor;
    path->total_cost *= factor;
  } else if (IsA(path, IndexPath)) {
    path->total_cost = path->startup_cost + (path->total_cost - path->startup_cost) * factor;
  }
}

// Rows of a look-up: as learned for it, else the planner's scaled as the relation is or as other look-ups are, never
// past what the handed down clauses alone leave (a unique key stays unique).
void SizeLookups(Planning* planning, QueryLevel* level, RelOptInfo* rel, const RangeTblEntry* entry) {
  if (rel->ppilist == NIL || entry->rtekind != RTE_RELATION || entry->inh || !CanBeSized(rel, entry)) return;
  PlannerInfo* root = level->root;
  RelationRows* rows = FindRows(level, rel->relids);
  bool scaled = rows != nullptr && rows->injected && list_length(rel->baserestrictinfo) > 1;
  auto* lookups = static_cast<Lookup*>(palloc(sizeof(Lookup) * static_cast<size_t>(list_length(rel->ppilist))));
  int count = 0;
  bool any_known = false, changed = false;
  ListCell* cell;
  foreach (cell, rel->ppilist) {
    auto* info = static_cast<ParamPathInfo*>(lfirst(cell));
    if (info->ppi_clauses == NIL) continue;
    Lookup* lookup = &lookups[count++];
    *lookup = {info, nullptr, info->ppi_rows, false};
    RowName name = LookupName(&planning->names, level, rel->relid, info->ppi_clauses);
    double known = Known(planning, name, info->ppi_rows, info->ppi_rows, rows ? rows->relation_rows : 0);
    if (known < 0) continue;
    lookup->known = any_known = true;
    known = clamp_row_est(Min(known, Max(rel->rows, 1.0)));
    if (Differs(known, info->ppi_rows)) info->ppi_rows = known;
  }
  if (any_known) {
    for (int i = 0; i < count; ++i) {
      ListCell* clause;
      foreach (clause, lookups[i].info->ppi_clauses)
        pull_varattnos(reinterpret_cast<Node*>(lfirst_node(RestrictInfo, clause)->clause), rel->relid,
                       &lookups[i].columns);
    }
  }
  for (int i = 0; i < count; ++i) {
    const Lookup& lookup = lookups[i];
    ParamPathInfo* info = lookup.info;
    if (!lookup.known && (scaled || any_known)) {
      double guess = any_known ? LikeOthers(lookups, count, lookup) : -1;
      if (guess < 0 && scaled) guess = lookup.natural_rows * Ratio(rows);
      if (guess > lookup.natural_rows)
        guess = Min(guess, Max(lookup.natural_rows, rel->tuples * clauselist_selectivity(root, info->ppi_clauses,
                                                                                         static_cast<int>(rel->relid),
                                                                                         JOIN_INNER, nullptr)));
      if (guess >= 0) guess = clamp_row_est(Min(guess, Max(rel->rows, 1.0)));
      if (guess >= 0 && Differs(guess, info->ppi_rows)) info->ppi_rows = guess;
    }
    if (info->ppi_rows == lookup.natural_rows) continue;
    changed = true;
    ++planning->injected;
  }
  if (!changed) return;
  foreach (cell, rel->pathlist) {
    auto* path = static_cast<Path*>(lfirst(cell));
    if (path->param_info == nullptr) continue;
    for (int i = 0; i < count; ++i)
      if (lookups[i].info == path->param_info)
        ScaleLookupCost(path, path->param_info->ppi_rows / Max(lookups[i].natural_rows, 1.0));
    path->rows = path->param_info->ppi_rows;
  }
}

// What is done to a join's rows once it has paths. The cost of a join comes from its inputs; its own rows count only in
// what is computed of each of them. False: paths below parameters were held down by the smaller figure and have to be
// made anew.
bool SetJoinRows(RelOptInfo* join, double rows) {
  double before = join->rows;
  ListCell* cell;
  foreach (cell, join->ppilist)
    if (static_cast<ParamPathInfo*>(lfirst(cell))->ppi_rows >= before && rows > before) return false;
  join->rows = rows;
  foreach (cell, join->ppilist) {
    auto* below = static_cast<ParamPathInfo*>(lfirst(cell));
    below->ppi_rows = Min(below->ppi_rows, rows);
  }
  for (List* paths : {join->pathlist, join->partial_pathlist}) {
    foreach (cell, paths) {
      auto* path = static_cast<Path*>(lfirst(cell));
      double had = path->rows;
      if (path->param_info != nullptr)
        path->rows = Min(had, path->param_info->ppi_rows);
      else
        path->rows = had == before ? rows : clamp_row_est(had / before * rows);
      path->total_cost += path->pathtarget->cost.per_tuple * (path->rows - had);
    }
  }
  return true;
}

double JoinRows(Planning* planning, QueryLevel* level, RelationRows* rows, const RelOptInfo* join) {
  double known = Known(planning, rows->name, rows->natural_rows, join->rows, rows->relation_rows);
  rows->known = known >= 0;
  if (known >= 0) return known;
  if (IS_OTHER_REL(join)) {
    RelationRows* parent = FindRows(level, join->top_parent_relids);
    return parent != nullptr && parent->injected ? clamp_row_est(rows->natural_rows * Ratio(parent)) : join->rows;
  }
  double unseen = UnseenRows(planning, level, rows);
  return unseen >= 0 ? unseen : join->rows;
}

}  // namespace

EVERY_STATEMENT void SizeRelation(Planning* planning, PlannerInfo* root, RelOptInfo* rel, RangeTblEntry* entry) {
  if (!planning->injecting && (planning->first == nullptr || planning->first == root)) {
    planning->first = root;
    return;
  }
  // Made in any case: the plan's nodes are named by it.
  QueryLevel* level = LevelOf(&planning->names, root);
  if (!planning->injecting) return;
  if (!level->sized && planning->order == nullptr && NothingToLearn(root, rel)) return;
  if (!level->sized) {
    level->sized = true;
    SizeLevel(planning, level, rel);
  }
  if (IS_DUMMY_REL(rel)) return;
  ForceRelation(planning, root, rel, entry);
  SizeLookups(planning, level, rel, entry);
}

bool SizeJoin(Planning* planning, PlannerInfo* root, RelOptInfo* join, RelOptInfo* outer, RelOptInfo* inner,
              JoinType type, JoinPathExtraData* extra) {
  if (!planning->injecting || planning->rebuilding || join->fdwroutine != nullptr || IS_DUMMY_REL(join)) return false;
  QueryLevel* level = LevelOf(&planning->names, root);
  RelationRows* rows = RowsOf(&planning->names, level, join->relids);
  if (rows->natural_rows < 0) {
    double ratio = Ratio(FindRows(level, outer->relids));
    JoinType kind = extra->sjinfo->jointype;
    if (kind != JOIN_SEMI && kind != JOIN_ANTI) ratio *= Ratio(FindRows(level, inner->relids));
    rows->natural_rows = join->rows / ratio;
    rows->used_rows = JoinRows(planning, level, rows, join);
    rows->injected = Differs(rows->used_rows, join->rows);
    if (rows->injected)
      ++planning->injected;
    else
      rows->used_rows = join->rows;
  }
  if (!rows->injected || join->rows == rows->used_rows) return false;
  if (SetJoinRows(join, rows->used_rows)) return false;
  join->rows = rows->used_rows;
  join->pathlist = join->partial_pathlist = join->ppilist = NIL;
  planning->rebuilding = true;
  add_paths_to_joinrel(root, join, outer, inner, type, extra->sjinfo, extra->restrictlist);
  planning->rebuilding = false;
  return true;
}

static bool RebuildAgg(PlannerInfo* root, RelOptInfo* output, const AggPath* agg, double groups,
                       const AggClauseCosts* simple, const AggClauseCosts* final) {
  if (agg->aggstrategy == AGG_MIXED || agg->aggstrategy == AGG_PLAIN) return false;
  const AggClauseCosts* costs = DO_AGGSPLIT_COMBINE(agg->aggsplit) ? final : simple;
  add_path(output,
           reinterpret_cast<Path*>(create_agg_path(root, output, agg->subpath, agg->path.pathtarget, agg->aggstrategy,
                                                   agg->aggsplit, agg->groupClause, agg->qual, costs, groups)));
  return true;
}

void SizeGroups(Planning* planning, PlannerInfo* root, RelOptInfo* input, RelOptInfo* output,
                GroupPathExtraData* extra) {
  Query* query = root->parse;
  if (!planning->injecting || query->groupClause == NIL || query->groupingSets != NIL || IS_OTHER_REL(input) ||
      input->reloptkind == RELOPT_UPPER_REL || output->fdwroutine != nullptr || IS_DUMMY_REL(output))
    return;
  QueryLevel* level = LevelOf(&planning->names, root);
  GroupRows* group = &level->group;
  auto* first =
      output->cheapest_total_path ? output->cheapest_total_path : static_cast<Path*>(linitial(output->pathlist));
  group->natural_rows = group->used_rows = first->rows;
  group->name = GroupName(&planning->names, level);
  RelationRows* below = bms_is_empty(root->all_baserels) ? nullptr : FindRows(level, root->all_baserels);
  double known = Known(planning, group->name, group->natural_rows, first->rows, below ? below->relation_rows : 0);
  if (known < 0 || !Differs(known, first->rows)) return;
  group->used_rows = known;
  group->injected = true;
  ++planning->injected;
  List* old = output->pathlist;
  ListCell* cell;
  if (extra->havingQual != nullptr) {
    // What is known is what HAVING leaves; how many groups there are before is the planner's guess as ever.
    foreach (cell, old) static_cast<Path*>(lfirst(cell))->rows = known;
    return;
  }
  AggClauseCosts costs = {};
  get_agg_clause_costs(root, AGGSPLIT_SIMPLE, &costs);
  bool hashed = false, sorted = false;
  output->pathlist = NIL;
  foreach (cell, old) {
    auto* path = static_cast<Path*>(lfirst(cell));
    if (IsA(path, AggPath) && path->pathtype == T_Agg) {
      auto* agg = reinterpret_cast<AggPath*>(path);
      if (RebuildAgg(root, output, agg, known, &costs, &extra->agg_final_costs)) {
        if (agg->aggsplit == AGGSPLIT_SIMPLE) (agg->aggstrategy == AGG_HASHED ? hashed : sorted) = true;
        continue;
      }
    } else if (IsA(path, GroupPath)) {
      auto* grouped = reinterpret_cast<GroupPath*>(path);
      add_path(output, reinterpret_cast<Path*>(create_group_path(root, output, grouped->subpath, grouped->groupClause,
                                                                 grouped->qual, known)));
      sorted = true;
      continue;
    }
    add_path(output, path);
  }
  // One of the two ways may have lost by the wrong figure.
  Path* cheapest = input->cheapest_total_path;
  if (!hashed && (extra->flags & GROUPING_CAN_USE_HASH) && enable_hashagg)
    add_path(output, reinterpret_cast<Path*>(create_agg_path(root, output, cheapest, output->reltarget, AGG_HASHED,
                                                             AGGSPLIT_SIMPLE, query->groupClause, NIL, &costs, known)));
  if (!sorted && query->hasAggs && (extra->flags & GROUPING_CAN_USE_SORT)) {
    if (!pathkeys_contained_in(root->group_pathkeys, cheapest->pathkeys))
      cheapest = reinterpret_cast<Path*>(create_sort_path(root, output, cheapest, root->group_pathkeys, -1.0));
    add_path(output, reinterpret_cast<Path*>(create_agg_path(root, output, cheapest, output->reltarget, AGG_SORTED,
                                                             AGGSPLIT_SIMPLE, query->groupClause, NIL, &costs, known)));
  }
}

void SizeDistinct(Planning* planning, PlannerInfo* root, RelOptInfo* output) {
  Query* query = root->parse;
  if (!planning->injecting || query->distinctClause == NIL || query->setOperations != nullptr ||
      output->fdwroutine != nullptr || output->pathlist == NIL)
    return;
  QueryLevel* level = LevelOf(&planning->names, root);
  GroupRows* distinct = &level->distinct;
  double planned = static_cast<Path*>(linitial(output->pathlist))->rows;
  distinct->natural_rows = distinct->used_rows = planned;
  distinct->name = DistinctName(&planning->names, level);
  RelationRows* below = bms_is_empty(root->all_baserels) ? nullptr : FindRows(level, root->all_baserels);
  double known = Known(planning, distinct->name, planned, planned, below ? below->relation_rows : 0);
  if (known < 0 || !Differs(known, planned)) return;
  distinct->used_rows = known;
  distinct->injected = true;
  ++planning->injected;
  List* old = output->pathlist;
  output->pathlist = NIL;
  ListCell* cell;
  foreach (cell, old) {
    auto* path = static_cast<Path*>(lfirst(cell));
    if (IsA(path, AggPath) && RebuildAgg(root, output, reinterpret_cast<AggPath*>(path), known, nullptr, nullptr))
      continue;
    if (IsA(path, UpperUniquePath)) path->rows = known;
    add_path(output, path);
  }
}

}  // namespace query_shaper
