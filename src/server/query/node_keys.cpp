#include "pg/pg.h"

#include "server/query/node_keys.h"

#include <algorithm>

#include "server/prefetch_plan.h"
#include "server/query/clause_text.h"
#include "server/query/query_levels.h"
#include "server/settings.h"
extern "C" {
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
}

namespace query_shaper {

void AddRelations(NodeKey* key, PlannerInfo* root, Relids relids, int depth) {
  int relation = -1;
  while ((relation = bms_next_member(relids, relation)) >= 0 && key->relation_count < kRowRelations && depth < 8) {
    RangeTblEntry* entry = root->simple_rte_array[relation];
    RelOptInfo* rel = root->simple_rel_array[relation];
    PlannerInfo* below = nullptr;
    if (entry->rtekind == RTE_RELATION)
      key->relations[key->relation_count++] = entry->relid;
    else if (entry->rtekind == RTE_SUBQUERY && rel != nullptr)
      below = rel->subroot;
    else if (entry->rtekind == RTE_CTE && !entry->self_reference)
      below = CteRoot(root, entry);
    if (below == nullptr) continue;
    if (below->parse->setOperations == nullptr) {
      AddRelations(key, below, below->all_baserels, depth + 1);
      continue;
    }
    for (int i = 1; i < below->simple_rel_array_size; ++i)
      if (below->simple_rel_array[i] != nullptr) AddRelations(key, below, bms_make_singleton(i), depth + 1);
  }
}

namespace {

constexpr int kMostNodes = 512;

struct FlatEntry {  // of an entry of the flat range table
  const Alias* names;
  QueryLevel* level;
  int relation;
};

struct Mapping {
  Planning* planning;
  const PlannedStmt* statement;
  PlanNote* note;
  FlatEntry* origins;
  int origin_count;
  Bitmapset* once;  // subplans that run once
};

enum class Stage { kJoins, kPartial, kGroups, kDistinct };

// Which relations of which query level a node returns rows of.
struct Place {
  QueryLevel* level;
  Relids relids;
  Stage stage;
  bool partial;
};

struct Supply {  // a nested loop above whose parameters are in scope
  const NestLoop* join;
  const Supply* above;
};

struct Around {
  const Supply* supplies;
  bool cut_short;
  bool repeated;
  int gather;
  int loops_from;
};

bool ByNames(const FlatEntry& a, const FlatEntry& b) { return a.names < b.names; }

// The flat range table keeps the names' pointer of the entry that the planner worked on.
void FindEntries(Mapping* mapping) {
  int capacity = 0;
  ListCell* cell;
  foreach (cell, mapping->planning->names.levels) capacity += static_cast<QueryLevel*>(lfirst(cell))->base_count;
  mapping->origins = static_cast<FlatEntry*>(palloc(sizeof(FlatEntry) * static_cast<size_t>(Max(capacity, 1))));
  foreach (cell, mapping->planning->names.levels) {
    auto* level = static_cast<QueryLevel*>(lfirst(cell));
    for (int i = 1; i < level->base_count; ++i)
      if (level->root->simple_rte_array[i] != nullptr && level->root->simple_rel_array[i] != nullptr)
        mapping->origins[mapping->origin_count++] = {level->root->simple_rte_array[i]->eref, level, i};
  }
  std::sort(mapping->origins, mapping->origins + mapping->origin_count, ByNames);
}

const FlatEntry* EntryOf(const Mapping* mapping, int flat) {
  if (flat < 1 || flat > list_length(mapping->statement->rtable)) return nullptr;
  FlatEntry wanted = {static_cast<RangeTblEntry*>(list_nth(mapping->statement->rtable, flat - 1))->eref, nullptr, 0};
  const FlatEntry* end = mapping->origins + mapping->origin_count;
  const FlatEntry* found = std::lower_bound(static_cast<const FlatEntry*>(mapping->origins), end, wanted, ByNames);
  return found != end && found->names == wanted.names ? found : nullptr;
}

// The relation of the level above that the level is the subquery of.
Place Climb(const Mapping* mapping, const Place& place) {
  Place up = {};
  PlannerInfo* parent = place.level->root->parent_root;
  if (parent == nullptr) return up;
  for (int i = 1; i < parent->simple_rel_array_size; ++i) {
    RelOptInfo* rel = parent->simple_rel_array[i];
    if (rel == nullptr || rel->subroot != place.level->root) continue;
    up.level = LevelOf(&mapping->planning->names, parent);
    up.relids = bms_make_singleton(i);
    up.partial = place.partial;
    return up;
  }
  return up;
}

Place Merge(const Mapping* mapping, Place a, Place b) {
  bool partial = a.partial || b.partial;
  while (a.level != nullptr && b.level != nullptr && a.level != b.level) {
    if (a.level->root->query_level >= b.level->root->query_level)
      a = Climb(mapping, a);
    else
      b = Climb(mapping, b);
  }
  Place both = {};
  both.partial = partial;
  if (a.level == nullptr || b.level == nullptr) return both;
  both.level = a.level;
  both.relids = bms_union(a.relids, b.relids);
  return both;
}

Place PlaceOfFlat(const Mapping* mapping, const Bitmapset* flat) {
  Place place = {};
  int i = -1;
  bool first = true;
  while ((i = bms_next_member(flat, i)) >= 0) {
    const FlatEntry* origin = EntryOf(mapping, i);
    if (origin == nullptr) continue;
    Place one = {origin->level, bms_make_singleton(origin->relation), Stage::kJoins, false};
    place = first ? one : Merge(mapping, place, one);
    first = false;
  }
  return place;
}

// The relations whose columns the node takes as parameters from nested loops above.
Bitmapset* SuppliedBy(const Mapping* mapping, const Plan* plan, const Supply* supplies, const QueryLevel* level) {
  Bitmapset* relids = nullptr;
  for (; supplies != nullptr; supplies = supplies->above) {
    ListCell* cell;
    foreach (cell, supplies->join->nestParams) {
      auto* param = static_cast<NestLoopParam*>(lfirst(cell));
      if (!bms_is_member(param->paramno, plan->extParam)) continue;
      const FlatEntry* origin =
          IsA(param->paramval, Var) ? EntryOf(mapping, static_cast<int>(param->paramval->varnosyn)) : nullptr;
      relids = bms_add_member(relids, origin != nullptr && origin->level == level ? origin->relation : 0);
    }
  }
  return relids;
}

// What the planner counted on, when nothing was looked up for this set during planning.
void SizeAfterwards(const QueryLevel* level, RelationRows* rows) {
  if (rows->natural_rows >= 0) return;
  int only;
  RelOptInfo* rel = bms_get_singleton_member(rows->relids, &only) ? level->root->simple_rel_array[only]
                                                                  : find_join_rel(level->root, rows->relids);
  if (rel != nullptr) rows->natural_rows = rows->used_rows = rel->rows;
}

NodeKey* KeyAt(const Mapping* mapping, const Plan* plan) {
  int id = plan->plan_node_id;
  return id >= 0 && id < mapping->note->key_count ? &mapping->note->keys[id] : nullptr;
}

NodeKey* StartKey(const Mapping* mapping, const Plan* plan, const RowName& name, RowKind kind, const Around& around,
                  const Place& place) {
  NodeKey* key = KeyAt(mapping, plan);
  if (key == nullptr) return nullptr;
  key->key = name.key;
  key->constants = name.constants;
  key->kind = kind;
  key->cut_short = around.cut_short;
  key->repeated = around.repeated;
  key->partial = place.partial;
  key->gather = static_cast<int16_t>(around.gather);
  key->loops_from = static_cast<int16_t>(around.loops_from);
  key->relation_count = 0;
  AddRelations(key, place.level->root, place.relids, 0);
  return key;
}

void SetText(const Mapping* mapping, const Plan* plan, const NodeKey* key, const Place& place, const List* clauses) {
  if (settings::learn_rows == kSwitchOff || RowKeyKnown(key->key)) return;
  char* text = ClauseText(place.level, place.relids, key->kind, clauses);
  if (text == nullptr) return;
  PlanNote* note = mapping->note;
  if (note->clauses == nullptr)
    note->clauses = static_cast<char**>(palloc0(sizeof(char*) * static_cast<size_t>(note->key_count)));
  note->clauses[plan->plan_node_id] = text;
}

void SetKey(const Mapping* mapping, const Plan* plan, const Place& place, RowKind kind, const Around& around) {
  if (place.level == nullptr || place.stage != Stage::kJoins || bms_is_empty(place.relids)) return;
  if (!bms_is_empty(SuppliedBy(mapping, plan, around.supplies, place.level))) return;  // a join below a look-up
  RelationRows* rows = FindRows(place.level, place.relids);
  if (rows == nullptr) {
    bool single = bms_membership(place.relids) == BMS_SINGLETON;
    if (!single && find_join_rel(place.level->root, place.relids) == nullptr) return;
    rows = RowsOf(&mapping->planning->names, place.level, place.relids);
  }
  SizeAfterwards(place.level, rows);
  if (rows->natural_rows < 0) return;
  NodeKey* key = StartKey(mapping, plan, rows->name, kind, around, place);
  if (key == nullptr) return;
  key->natural_rows = rows->natural_rows;
  key->planned_rows = rows->used_rows;
  key->relation_rows = rows->relation_rows;
  key->injected = rows->injected;
  SetText(mapping, plan, key, place, NIL);
}

uint64_t SetKeyOf(const Mapping* mapping, const Place& place) {
  if (place.level == nullptr || place.stage != Stage::kJoins || bms_is_empty(place.relids)) return 0;
  bool single = bms_membership(place.relids) == BMS_SINGLETON;
  if (!single && find_join_rel(place.level->root, place.relids) == nullptr) return 0;
  return RowsOf(&mapping->planning->names, place.level, place.relids)->name.key;
}

void SetPassed(const Mapping* mapping, QueryLevel* level, RelOptInfo* rel, const ParamPathInfo* lookup, NodeKey* key) {
  if (rel->baserestrictinfo == NIL || rel->tuples <= 0) return;
  double handed_down =
      clauselist_selectivity(level->root, lookup->ppi_clauses, static_cast<int>(rel->relid), JOIN_INNER, nullptr);
  if (!(handed_down > 0)) return;
  RowName name = PassedName(&mapping->planning->names, level, rel->relid);
  RelationRows* rows = RowsOf(&mapping->planning->names, level, rel->relids);
  SizeAfterwards(level, rows);
  key->passed_key = name.key;
  key->passed_constants = name.constants;
  key->passed_scale = 1 / handed_down;
  key->passed_natural_rows = rows->natural_rows;
}

void SetLookupKey(const Mapping* mapping, const Plan* plan, const Place& place, Bitmapset* outer,
                  const Around& around) {
  int relation;
  if (!bms_get_singleton_member(place.relids, &relation) || bms_is_member(0, outer)) return;
  RelOptInfo* rel = place.level->root->simple_rel_array[relation];
  ListCell* cell;
  foreach (cell, rel->ppilist) {
    auto* lookup = static_cast<ParamPathInfo*>(lfirst(cell));
    if (!bms_equal(lookup->ppi_req_outer, outer) || lookup->ppi_clauses == NIL) continue;
    RowName name = LookupName(&mapping->planning->names, place.level, rel->relid, lookup->ppi_clauses);
    NodeKey* key = StartKey(mapping, plan, name, RowKind::kLookup, around, place);
    if (key == nullptr) return;
    RelationRows* rows = RowsOf(&mapping->planning->names, place.level, place.relids);
    key->parameterised = key->repeated = true;
    key->natural_rows = key->planned_rows = lookup->ppi_rows;
    key->relation_rows = rows->relation_rows;
    SetText(mapping, plan, key, place, lookup->ppi_clauses);
    SetPassed(mapping, place.level, rel, lookup, key);
    return;
  }
}

Place WalkScan(const Mapping* mapping, const Plan* plan, const Around& around) {
  Place place =
      PlaceOfFlat(mapping, bms_make_singleton(static_cast<int>(reinterpret_cast<const Scan*>(plan)->scanrelid)));
  place.partial = plan->parallel_aware;
  if (place.level == nullptr) return place;
  if (NodeKey* key = KeyAt(mapping, plan)) key->set_key = SetKeyOf(mapping, place);
  Bitmapset* outer = SuppliedBy(mapping, plan, around.supplies, place.level);
  RowKind kind = RowKind::kScan;
  switch (nodeTag(plan)) {
    case T_CteScan:
      kind = RowKind::kCte;
      break;
    case T_FunctionScan:
      kind = RowKind::kFunction;
      break;
    case T_ValuesScan:
    case T_TableFuncScan:
    case T_NamedTuplestoreScan:
    case T_WorkTableScan:
    case T_SampleScan:
    case T_ForeignScan:
      return place;
    default:
      break;
  }
  if (bms_is_empty(outer))
    SetKey(mapping, plan, place, kind, around);
  else if (kind == RowKind::kScan)
    SetLookupKey(mapping, plan, place, outer, around);
  return place;
}

Place SetGroupKey(const Mapping* mapping, const Plan* plan, Place place, const Around& around) {
  QueryLevel* level = place.level;
  if (level == nullptr) return place;
  const Query* query = level->root->parse;
  if (place.stage == Stage::kJoins || place.stage == Stage::kPartial) {
    Relids parents = nullptr;
    int relation = -1;
    while ((relation = bms_next_member(place.relids, relation)) >= 0) {
      int top = relation;
      while (level->root->append_rel_array != nullptr && level->root->append_rel_array[top] != nullptr)
        top = static_cast<int>(level->root->append_rel_array[top]->parent_relid);
      parents = bms_add_member(parents, top);
    }
    // Below the last join a relation is being made unique.
    if (!bms_equal(place.relids, level->root->all_baserels)) {
      if (bms_equal(parents, level->root->all_baserels)) place.stage = Stage::kPartial;
      return place;
    }
    if (query->groupingSets != NIL || (query->groupClause == NIL && query->hasAggs)) {
      place.stage = Stage::kGroups;
      return place;
    }
  }
  bool groups = query->groupClause != NIL && place.stage != Stage::kGroups;
  if (!groups && (query->distinctClause == NIL || place.stage == Stage::kDistinct)) return place;
  GroupRows* rows = groups ? &level->group : &level->distinct;
  place.stage = groups ? Stage::kGroups : Stage::kDistinct;
  place.partial = false;
  RowName name = rows->natural_rows >= 0 ? rows->name
                 : groups                ? GroupName(&mapping->planning->names, level)
                                         : DistinctName(&mapping->planning->names, level);
  NodeKey* key = StartKey(mapping, plan, name, RowKind::kGroup, around, place);
  if (key == nullptr) return place;
  key->natural_rows = rows->natural_rows >= 0 ? rows->natural_rows : plan->plan_rows;
  key->planned_rows = rows->natural_rows >= 0 ? rows->used_rows : plan->plan_rows;
  key->relation_rows = RowsOf(&mapping->planning->names, level, level->root->all_baserels)->relation_rows;
  key->injected = rows->injected;
  SetText(mapping, plan, key, place, groups ? query->groupClause : query->distinctClause);
  return place;
}

Place Walk(Mapping* mapping, const Plan* plan, Around around);

Place WalkMembers(Mapping* mapping, const Plan* plan, const List* members, const Bitmapset* relids,
                  const Around& around) {
  bool partial = plan->parallel_aware;
  ListCell* cell;
  foreach (cell, members) partial |= Walk(mapping, static_cast<Plan*>(lfirst(cell)), around).partial;
  Place place = PlaceOfFlat(mapping, relids);
  place.partial = partial;
  SetKey(mapping, plan, place, bms_membership(place.relids) == BMS_MULTIPLE ? RowKind::kJoin : RowKind::kScan, around);
  return place;
}

Place WalkJoin(Mapping* mapping, const Plan* plan, const Around& around) {
  auto* join = reinterpret_cast<const Join*>(plan);
  Around left = around, right = around;
  Supply supply = {};
  if (IsA(plan, NestLoop)) {
    right.repeated = true;
    // A unique match ends its loop early with all there is.
    const Plan* source = PlanBelowBatch(outerPlan(plan));
    if (source == nullptr) source = outerPlan(plan);
    if (join->inner_unique) right.loops_from = source->plan_node_id;
    right.cut_short |= join->inner_unique || join->jointype == JOIN_SEMI || join->jointype == JOIN_ANTI;
    supply = {reinterpret_cast<const NestLoop*>(plan), around.supplies};
    if (supply.join->nestParams != NIL) right.supplies = &supply;
  } else if (IsA(plan, MergeJoin)) {
    left.cut_short = right.cut_short = true;
    // A position marked and restored returns rows twice.
    right.repeated |= IsA(innerPlan(plan), IndexScan) || IsA(innerPlan(plan), IndexOnlyScan) ||
                      ScanBelowPrefetch(innerPlan(plan)) != nullptr;
  }
  Place outer = Walk(mapping, outerPlan(plan), left);
  Place inner = Walk(mapping, innerPlan(plan), right);
  Place place = Merge(mapping, outer, inner);
  if (NodeKey* key = KeyAt(mapping, plan)) {
    while (outer.level != nullptr && outer.level != place.level) outer = Climb(mapping, outer);
    key->set_key = SetKeyOf(mapping, place);
    key->outer_key = SetKeyOf(mapping, outer);
  }
  SetKey(mapping, plan, place, RowKind::kJoin, around);
  return place;
}

Place Walk(Mapping* mapping, const Plan* plan, Around around) {
  Place none = {};
  if (plan == nullptr) return none;
  check_stack_depth();
  Around scan = around;
  around.loops_from = -1;
  switch (nodeTag(plan)) {
    case T_SeqScan:
    case T_SampleScan:
    case T_IndexScan:
    case T_IndexOnlyScan:
    case T_BitmapHeapScan:
    case T_TidScan:
    case T_TidRangeScan:
    case T_FunctionScan:
    case T_ValuesScan:
    case T_TableFuncScan:
    case T_CteScan:
    case T_NamedTuplestoreScan:
    case T_WorkTableScan:
      return WalkScan(mapping, plan, scan);
    case T_ForeignScan:
      return PlaceOfFlat(mapping, reinterpret_cast<const ForeignScan*>(plan)->fs_relids);
    case T_CustomScan:
      if (PlanReadAhead(plan) != nullptr) return Walk(mapping, PlanReadAhead(plan), scan);
      return PlaceOfFlat(mapping, reinterpret_cast<const CustomScan*>(plan)->custom_relids);
    case T_SubqueryScan: {
      auto* subquery = reinterpret_cast<const SubqueryScan*>(plan);
      bool partial = Walk(mapping, subquery->subplan, around).partial;
      Place place = PlaceOfFlat(mapping, bms_make_singleton(static_cast<int>(subquery->scan.scanrelid)));
      place.partial = partial;
      SetKey(mapping, plan, place, RowKind::kSubquery, around);
      return place;
    }
    case T_Append: {
      auto* append = reinterpret_cast<const Append*>(plan);
      return WalkMembers(mapping, plan, append->appendplans, append->apprelids, around);
    }
    case T_MergeAppend: {
      auto* append = reinterpret_cast<const MergeAppend*>(plan);
      return WalkMembers(mapping, plan, append->mergeplans, append->apprelids, around);
    }
    case T_NestLoop:
    case T_HashJoin:
    case T_MergeJoin:
      return WalkJoin(mapping, plan, around);
    case T_Gather:
    case T_GatherMerge: {
      Around below = around;
      below.gather = plan->plan_node_id;
      Place place = Walk(mapping, outerPlan(plan), below);
      place.partial = false;
      SetKey(mapping, plan, place, bms_membership(place.relids) == BMS_MULTIPLE ? RowKind::kJoin : RowKind::kScan,
             around);
      return place;
    }
    case T_Agg: {
      auto* agg = reinterpret_cast<const Agg*>(plan);
      Around below = around;
      if (agg->aggstrategy != AGG_SORTED) below.cut_short = false;
      Place place = Walk(mapping, outerPlan(plan), below);
      if (DO_AGGSPLIT_SKIPFINAL(agg->aggsplit)) {
        place.stage = Stage::kPartial;
        return place;
      }
      if (agg->numCols > 0 || agg->groupingSets != NIL) return SetGroupKey(mapping, plan, place, around);
      place.stage = Stage::kGroups;
      return place;
    }
    case T_Group:
    case T_Unique:
      return SetGroupKey(mapping, plan, Walk(mapping, outerPlan(plan), around), around);
    case T_Limit:
      around.cut_short = true;
      return Walk(mapping, outerPlan(plan), around);
    case T_Sort:
    case T_Hash:
      around.cut_short = false;
      return Walk(mapping, outerPlan(plan), around);
    case T_ProjectSet: {
      Place place = Walk(mapping, outerPlan(plan), around);
      place.stage = Stage::kDistinct;  // its rows are of another kind from here on
      return place;
    }
    case T_RecursiveUnion: {
      Walk(mapping, outerPlan(plan), around);
      around.repeated = around.cut_short = true;
      Walk(mapping, innerPlan(plan), around);
      return none;
    }
    default:
      return Walk(mapping, outerPlan(plan), around);
  }
}

struct NodeVisit {
  int limit;
  Bitmapset* once;
};

void Visit(const Plan* plan, NodeVisit* visit) {
  if (plan == nullptr) return;
  check_stack_depth();
  visit->limit = Max(visit->limit, plan->plan_node_id + 1);
  ListCell* cell;
  foreach (cell, plan->initPlan) {
    auto* init = static_cast<SubPlan*>(lfirst(cell));
    if (init->parParam == NIL) visit->once = bms_add_member(visit->once, init->plan_id);
  }
  Visit(outerPlan(plan), visit);
  Visit(innerPlan(plan), visit);
  const List* members = NIL;
  if (IsA(plan, Append)) members = reinterpret_cast<const Append*>(plan)->appendplans;
  if (IsA(plan, MergeAppend)) members = reinterpret_cast<const MergeAppend*>(plan)->mergeplans;
  if (IsA(plan, BitmapAnd)) members = reinterpret_cast<const BitmapAnd*>(plan)->bitmapplans;
  if (IsA(plan, BitmapOr)) members = reinterpret_cast<const BitmapOr*>(plan)->bitmapplans;
  if (IsA(plan, CustomScan)) members = reinterpret_cast<const CustomScan*>(plan)->custom_plans;
  foreach (cell, members) Visit(static_cast<Plan*>(lfirst(cell)), visit);
  if (IsA(plan, SubqueryScan)) Visit(reinterpret_cast<const SubqueryScan*>(plan)->subplan, visit);
}

NodeVisit VisitAll(const PlannedStmt* statement) {
  NodeVisit visit = {};
  Visit(statement->planTree, &visit);
  ListCell* cell;
  foreach (cell, statement->subplans) Visit(static_cast<Plan*>(lfirst(cell)), &visit);
  return visit;
}

void FillPlaces(const Mapping* mapping, PlanNote* note) {
  note->flat_count = list_length(mapping->statement->rtable);
  note->places = static_cast<FlatPlace*>(palloc0(sizeof(FlatPlace) * static_cast<size_t>(Max(note->flat_count, 1))));
  for (int i = 1; i <= note->flat_count; ++i) {
    const FlatEntry* origin = EntryOf(mapping, i);
    note->places[i - 1] = {origin != nullptr ? LevelNumber(origin->level->root) : -1,
                           origin != nullptr ? origin->relation : 0};
    note->level_count = Max(note->level_count, note->places[i - 1].level + 1);
  }
  note->levels = static_cast<LevelPlace*>(palloc0(sizeof(LevelPlace) * static_cast<size_t>(Max(note->level_count, 1))));
  for (int i = 0; i < note->level_count; ++i) note->levels[i].parent = -1;
  Bitmapset* met = nullptr;
  ListCell* cell;
  foreach (cell, mapping->planning->names.levels) {
    auto* level = static_cast<QueryLevel*>(lfirst(cell));
    int number = LevelNumber(level->root);
    if (number < 1 || number >= note->level_count) continue;
    // A query of WITH that was put in twice is two relations of the query around it, of one number.
    if (bms_is_member(number, met)) {
      note->levels[number] = {-1, 0, false};
      continue;
    }
    met = bms_add_member(met, number);
    Place up = Climb(mapping, {level, nullptr, Stage::kGroups, false});
    int relation;
    if (up.level == nullptr || !bms_get_singleton_member(up.relids, &relation)) continue;
    bool joined_once = false;
    ListCell* join;
    foreach (join, up.level->root->join_info_list)
      joined_once |= lfirst_node(SpecialJoinInfo, join)->jointype == JOIN_SEMI;
    note->levels[number] = {LevelNumber(up.level->root), relation, joined_once};
  }
}

}  // namespace

int NodeIdLimit(const PlannedStmt* statement) { return Min(VisitAll(statement).limit, kMostNodes); }

void FillNodeKeys(Planning* planning, const PlannedStmt* statement, PlanNote* note) {
  Mapping mapping = {planning, statement, note, nullptr, 0, VisitAll(statement).once};
  FindEntries(&mapping);
  FillPlaces(&mapping, note);
  Around around = {nullptr, false, false, -1, -1};
  Walk(&mapping, statement->planTree, around);
  int plan_id = 0;
  ListCell* cell;
  foreach (cell, statement->subplans) {
    ++plan_id;
    // Whether the others run once, and to their end, nobody says here.
    around.repeated = !bms_is_member(plan_id, mapping.once);
    around.cut_short = true;
    Walk(&mapping, static_cast<Plan*>(lfirst(cell)), around);
  }
}

}  // namespace query_shaper
