#include "pg/pg.h"

#include "server/query/row_keys.h"

#include <algorithm>

#include "server/store/object_names.h"
extern "C" {
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
}

namespace query_shaper {
namespace {

enum Seed : uint64_t {
  kSeedBase = 101,
  kSeedRelation = 102,
  kSeedMember = 103,
  kSeedJoin = 104,
  kSeedClass = 105,
  kSeedSpecial = 106,
  kSeedPartial = 107,
  kSeedLookup = 108,
  kSeedGroup = 109,
  kSeedSetOperation = 110,
  kSeedLevel = 111,
  kSeedChildJoin = 112,
  kSeedDistinct = 113,
  kSeedPassed = 114,
};

template <class T>
T* Make(NamedPlanning* planning, int count) {
  return static_cast<T*>(MemoryContextAllocZero(planning->memory, sizeof(T) * static_cast<size_t>(Max(count, 1))));
}

bool Before(const RowName& a, const RowName& b) {
  return a.key != b.key ? a.key < b.key : a.constants.hash < b.constants.hash;
}

RowName Plain(uint64_t key) {
  RowName name = {};
  name.key = key;
  return name;
}

void Fold(RowName* name, const RowName& more) {
  name->key = CombineHash(name->key, more.key);
  AppendConstants(&name->constants, more.constants);
}

RelOptInfo* BaseAt(const PlannerInfo* root, int relation) {
  if (root->simple_rel_array == nullptr || relation <= 0 || relation >= root->simple_rel_array_size) return nullptr;
  RelOptInfo* rel = root->simple_rel_array[relation];
  return rel != nullptr && (rel->reloptkind == RELOPT_BASEREL || rel->reloptkind == RELOPT_OTHER_MEMBER_REL) ? rel
                                                                                                             : nullptr;
}

// Members of a UNION ALL that was pulled up; partitions and children are told by their parent.
RowName MembersName(NamedPlanning* planning, QueryLevel* level, Index parent) {
  PlannerInfo* root = level->root;
  RowName members[16];
  int count = 0;
  ListCell* cell;
  foreach (cell, root->append_rel_list) {
    auto* member = static_cast<AppendRelInfo*>(lfirst(cell));
    if (member->parent_relid == parent && BaseAt(root, static_cast<int>(member->child_relid)) != nullptr &&
        count < static_cast<int>(lengthof(members)))
      members[count++] = BaseName(planning, level, member->child_relid);
  }
  return FoldNames(kSeedMember, members, count);
}

RowName EntryName(NamedPlanning* planning, QueryLevel* level, Index relation) {
  PlannerInfo* root = level->root;
  RangeTblEntry* entry = root->simple_rte_array[relation];
  RelOptInfo* rel = root->simple_rel_array[relation];
  uint64_t kind = CombineHash(kSeedRelation, entry->rtekind);
  RowName name = Plain(kind);
  switch (entry->rtekind) {
    case RTE_RELATION:
      name.key = CombineHash(CombineHash(kind, RelationNameHash(entry->relid)), entry->inh);
      break;
    case RTE_SUBQUERY:
      if (entry->inh)
        Fold(&name, MembersName(planning, level, relation));
      else if (rel->subroot != nullptr)
        Fold(&name, LevelName(planning, rel->subroot));
      break;
    case RTE_FUNCTION:
      Fold(&name, ExpressionName(planning, level, relation, reinterpret_cast<Node*>(entry->functions)));
      break;
    case RTE_TABLEFUNC:
      Fold(&name, ExpressionName(planning, level, relation, reinterpret_cast<Node*>(entry->tablefunc)));
      break;
    case RTE_VALUES:
      name.key = CombineHash(kind, static_cast<uint64_t>(list_length(entry->values_lists)));
      break;
    case RTE_CTE: {
      PlannerInfo* cte = entry->self_reference ? nullptr : CteRoot(root, entry);
      if (cte != nullptr)
        Fold(&name, LevelName(planning, cte));
      else
        name.key = CombineHash(kind, HashBytes(entry->ctename, strlen(entry->ctename)));
      break;
    }
    case RTE_NAMEDTUPLESTORE:
      name.key = CombineHash(kind, HashBytes(entry->enrname, strlen(entry->enrname)));
      break;
    default:
      break;
  }
  if (entry->tablesample != nullptr)
    Fold(&name, ExpressionName(planning, level, relation, reinterpret_cast<Node*>(entry->tablesample->args)));
  return name;
}

void NameClasses(NamedPlanning* planning, QueryLevel* level) {
  PlannerInfo* root = level->root;
  level->classes = Make<JoinClass>(planning, list_length(root->eq_classes));
  ListCell* cell;
  foreach (cell, root->eq_classes) {
    auto* equal = static_cast<EquivalenceClass*>(lfirst(cell));
    if (equal->ec_merged != nullptr || equal->ec_has_const || equal->ec_has_volatile) continue;
    JoinClass* named = &level->classes[level->class_count];
    named->count = 0;
    named->members = Make<ClassMember>(planning, list_length(equal->ec_members));
    ListCell* inner;
    foreach (inner, equal->ec_members) {
      auto* member = static_cast<EquivalenceMember*>(lfirst(inner));
      if (member->em_is_const || member->em_is_child || bms_is_empty(member->em_relids)) continue;
      named->members[named->count++] = {member->em_relids,
                                        ExpressionName(planning, level, 0, reinterpret_cast<Node*>(member->em_expr))};
    }
    if (named->count > 1) ++level->class_count;
  }
}

void NameClauses(NamedPlanning* planning, QueryLevel* level) {
  PlannerInfo* root = level->root;
  List* seen = NIL;
  for (int i = 1; i < level->base_count; ++i) {
    RelOptInfo* rel = BaseAt(root, i);
    if (rel == nullptr || rel->reloptkind != RELOPT_BASEREL) continue;
    seen = list_concat_unique_ptr(seen, rel->joininfo);
  }
  level->clauses = Make<ClassMember>(planning, list_length(seen));
  ListCell* cell;
  foreach (cell, seen) {
    auto* clause = static_cast<RestrictInfo*>(lfirst(cell));
    level->clauses[level->clause_count++] = {
        clause->required_relids, ExpressionName(planning, level, 0, reinterpret_cast<Node*>(clause->clause))};
  }
}

// The semi, anti and outer joins that lie inside the set.
int AddSpecialJoins(NamedPlanning* planning, QueryLevel* level, Relids relids, RowName* names, int count,
                    int capacity) {
  ListCell* cell;
  foreach (cell, level->root->join_info_list) {
    auto* special = static_cast<SpecialJoinInfo*>(lfirst(cell));
    if (count >= capacity) break;
    if (bms_is_subset(special->min_lefthand, relids) && bms_is_subset(special->min_righthand, relids)) {
      uint64_t right = 0;
      int relation = -1;
      while ((relation = bms_next_member(special->min_righthand, relation)) >= 0)
        right += BaseName(planning, level, static_cast<Index>(relation)).key;
      names[count++] = Plain(CombineHash(CombineHash(kSeedSpecial, special->jointype), right));
    } else if (special->jointype == JOIN_SEMI && bms_is_subset(special->syn_righthand, relids) &&
               !bms_equal(special->syn_righthand, relids)) {
      // The right side was made unique and joined with a part of the left.
      names[count++] = Plain(kSeedPartial);
    }
  }
  return count;
}

RowName JoinName(NamedPlanning* planning, QueryLevel* level, Relids relids) {
  if (!level->joins_named) {
    level->joins_named = true;
    NameClasses(planning, level);
    NameClauses(planning, level);
  }
  int capacity =
      bms_num_members(relids) + level->class_count + level->clause_count + list_length(level->root->join_info_list);
  auto* names = static_cast<RowName*>(palloc(sizeof(RowName) * static_cast<size_t>(capacity)));
  int count = 0;
  int relation = -1;
  while ((relation = bms_next_member(relids, relation)) >= 0)
    names[count++] = BaseName(planning, level, static_cast<Index>(relation));
  for (int i = 0; i < level->class_count; ++i) {
    const JoinClass& joined = level->classes[i];
    RowName members[32];
    int member_count = 0;
    bool several = false;
    Relids first = nullptr;
    for (int m = 0; m < joined.count && member_count < static_cast<int>(lengthof(members)); ++m) {
      if (!bms_is_subset(joined.members[m].relids, relids)) continue;
      members[member_count++] = joined.members[m].name;
      if (first == nullptr) first = joined.members[m].relids;
      several |= !bms_equal(first, joined.members[m].relids);
    }
    if (several) names[count++] = FoldNames(kSeedClass, members, member_count);
  }
  for (int i = 0; i < level->clause_count; ++i)
    if (bms_is_subset(level->clauses[i].relids, relids)) names[count++] = level->clauses[i].name;
  count = AddSpecialJoins(planning, level, relids, names, count, capacity);
  RowName name = FoldNames(kSeedJoin, names, count);
  pfree(names);
  return name;
}

Relids ParentsOf(const PlannerInfo* root, Relids relids) {
  Relids parents = nullptr;
  int relation = -1;
  while ((relation = bms_next_member(relids, relation)) >= 0) {
    int top = relation;
    while (root->append_rel_array != nullptr && root->append_rel_array[top] != nullptr)
      top = static_cast<int>(root->append_rel_array[top]->parent_relid);
    parents = bms_add_member(parents, top);
  }
  return parents;
}

RowName SetName(NamedPlanning* planning, QueryLevel* level, Relids relids) {
  int only;
  if (bms_get_singleton_member(relids, &only)) return BaseName(planning, level, static_cast<Index>(only));
  RelOptInfo* first = BaseAt(level->root, bms_next_member(relids, -1));
  if (first == nullptr || first->reloptkind == RELOPT_BASEREL) return JoinName(planning, level, relids);
  // A join of children has the clauses of its parents.
  RowName names[32];
  int count = 0;
  int relation = -1;
  while ((relation = bms_next_member(relids, relation)) >= 0 && count < static_cast<int>(lengthof(names)))
    names[count++] = BaseName(planning, level, static_cast<Index>(relation));
  RowName name = FoldNames(kSeedChildJoin, names, count);
  name.key = CombineHash(name.key, RowsOf(planning, level, ParentsOf(level->root, relids))->name.key);
  return name;
}

double TableRows(PlannerInfo* root, int depth);

double TableRowsOf(PlannerInfo* root, int relation, int depth) {
  RelOptInfo* rel = BaseAt(root, relation);
  if (rel == nullptr || depth > 10) return 0;
  RangeTblEntry* entry = root->simple_rte_array[relation];
  // Of a parent as many children count as the constants leave: no measure of change.
  if (entry->rtekind == RTE_RELATION) return entry->inh ? 0 : rel->tuples;
  if (entry->rtekind == RTE_SUBQUERY && rel->subroot != nullptr) return TableRows(rel->subroot, depth + 1);
  if (entry->rtekind == RTE_CTE && !entry->self_reference) {
    PlannerInfo* cte = CteRoot(root, entry);
    if (cte != nullptr) return TableRows(cte, depth + 1);
  }
  return 0;
}

double TableRows(PlannerInfo* root, int depth) {
  double rows = 0;
  for (int i = 1; i < root->simple_rel_array_size; ++i) {
    RelOptInfo* rel = BaseAt(root, i);
    if (rel != nullptr && rel->reloptkind == RELOPT_BASEREL) rows += TableRowsOf(root, i, depth);
  }
  return rows;
}

int SlotOf(const QueryLevel* level, Relids relids) {
  uint32 mask = static_cast<uint32>(level->table_size - 1);
  uint32 at = bms_hash_value(relids) & mask;
  while (level->table[at] != nullptr && !bms_equal(level->table[at]->relids, relids)) at = (at + 1) & mask;
  return static_cast<int>(at);
}

void Grow(NamedPlanning* planning, QueryLevel* level) {
  RelationRows** old = level->table;
  int old_size = level->table_size;
  level->table_size = old_size == 0 ? 32 : old_size * 2;
  level->table = Make<RelationRows*>(planning, level->table_size);
  for (int i = 0; i < old_size; ++i)
    if (old[i] != nullptr) level->table[SlotOf(level, old[i]->relids)] = old[i];
}

RowName InputName(NamedPlanning* planning, QueryLevel* level) {
  Relids all = level->root->all_baserels;
  return bms_is_empty(all) ? Plain(kSeedLevel) : RowsOf(planning, level, all)->name;
}

RowName ColumnsName(NamedPlanning* planning, QueryLevel* level, List* clauses) {
  PlannerInfo* root = level->root;
  List* targets = root->processed_tlist != NIL ? root->processed_tlist : root->parse->targetList;
  List* expressions = get_sortgrouplist_exprs(clauses, targets);
  RowName names[32];
  int count = 0;
  ListCell* cell;
  foreach (cell, expressions)
    if (count < static_cast<int>(lengthof(names)))
      names[count++] = ExpressionName(planning, level, 0, static_cast<Node*>(lfirst(cell)));
  return FoldNames(kSeedGroup, names, count);
}

RowName SetOperationName(NamedPlanning* planning, PlannerInfo* root, Node* node) {
  if (IsA(node, RangeTblRef)) {
    RelOptInfo* rel = BaseAt(root, reinterpret_cast<RangeTblRef*>(node)->rtindex);
    return rel != nullptr && rel->subroot != nullptr ? LevelName(planning, rel->subroot) : Plain(kSeedMember);
  }
  if (!IsA(node, SetOperationStmt)) return Plain(kSeedMember);
  auto* operation = reinterpret_cast<SetOperationStmt*>(node);
  RowName name = Plain(CombineHash(CombineHash(kSeedSetOperation, operation->op), operation->all));
  Fold(&name, SetOperationName(planning, root, operation->larg));
  Fold(&name, SetOperationName(planning, root, operation->rarg));
  return name;
}

}  // namespace

void AppendConstants(RowConstants* to, const RowConstants& more) {
  if (more.hash == 0) return;
  to->hash = CombineHash(to->hash, more.hash);
  for (int i = 0; i < more.count && to->count < kRowConstants; ++i) to->values[to->count++] = more.values[i];
}

RowName FoldNames(uint64_t seed, RowName* names, int count) {
  std::sort(names, names + count, [](const RowName& a, const RowName& b) { return Before(a, b); });
  RowName name = Plain(MixBits(seed));
  for (int i = 0; i < count; ++i) Fold(&name, names[i]);
  return name;
}

PlannerInfo* CteRoot(PlannerInfo* root, const RangeTblEntry* entry) {
  for (Index up = entry->ctelevelsup; up > 0 && root != nullptr; --up) root = root->parent_root;
  if (root == nullptr) return nullptr;
  int at = 0;
  ListCell* cell;
  foreach (cell, root->parse->cteList) {
    if (strcmp(static_cast<CommonTableExpr*>(lfirst(cell))->ctename, entry->ctename) == 0) break;
    ++at;
  }
  if (cell == nullptr || at >= list_length(root->cte_plan_ids)) return nullptr;
  int plan_id = list_nth_int(root->cte_plan_ids, at);
  if (plan_id < 1 || plan_id > list_length(root->glob->subroots)) return nullptr;
  return static_cast<PlannerInfo*>(list_nth(root->glob->subroots, plan_id - 1));
}

QueryLevel* LevelOf(NamedPlanning* planning, PlannerInfo* root) {
  ListCell* cell;
  foreach (cell, planning->levels) {
    auto* level = static_cast<QueryLevel*>(lfirst(cell));
    if (level->root == root) return level;
  }
  MemoryContext caller = MemoryContextSwitchTo(planning->memory);
  auto* level = Make<QueryLevel>(planning, 1);
  level->root = root;
  level->base_count = root->simple_rel_array_size;
  level->bases = Make<RowName>(planning, level->base_count);
  level->group.natural_rows = level->distinct.natural_rows = -1;
  planning->levels = lappend(planning->levels, level);
  MemoryContextSwitchTo(caller);
  return level;
}

RowName BaseName(NamedPlanning* planning, QueryLevel* level, Index relation) {
  RelOptInfo* rel = BaseAt(level->root, static_cast<int>(relation));
  if (rel == nullptr) return Plain(kSeedBase);
  if (level->bases[relation].key != 0) return level->bases[relation];
  RowName name = EntryName(planning, level, relation);
  int count = list_length(rel->baserestrictinfo);
  if (count > 0) {
    auto* clauses = static_cast<RowName*>(palloc(sizeof(RowName) * static_cast<size_t>(count)));
    for (int i = 0; i < count; ++i)
      clauses[i] = ExpressionName(planning, level, relation, static_cast<Node*>(list_nth(rel->baserestrictinfo, i)));
    Fold(&name, FoldNames(kSeedBase, clauses, count));
    pfree(clauses);
  }
  if (name.key == 0) name.key = 1;
  level->bases[relation] = name;
  return name;
}

RelationRows* FindRows(const QueryLevel* level, Relids relids) {
  return level->table_size == 0 ? nullptr : level->table[SlotOf(level, relids)];
}

RelationRows* RowsOf(NamedPlanning* planning, QueryLevel* level, Relids relids) {
  RelationRows* rows = FindRows(level, relids);
  if (rows != nullptr) return rows;
  MemoryContext caller = MemoryContextSwitchTo(planning->memory);
  rows = Make<RelationRows>(planning, 1);
  rows->relids = bms_copy(relids);
  rows->name = SetName(planning, level, relids);
  rows->natural_rows = rows->used_rows = -1;
  int relation = -1;
  while ((relation = bms_next_member(relids, relation)) >= 0)
    rows->relation_rows += TableRowsOf(level->root, relation, 0);
  if (2 * level->table_count >= level->table_size) Grow(planning, level);
  level->table[SlotOf(level, rows->relids)] = rows;
  ++level->table_count;
  MemoryContextSwitchTo(caller);
  return rows;
}

RowName LookupName(NamedPlanning* planning, QueryLevel* level, Index relation, const List* clauses) {
  RowName name = BaseName(planning, level, relation);
  RowName names[16];
  int count = 0;
  for (int i = 0; i < list_length(clauses) && count < static_cast<int>(lengthof(names)); ++i)
    names[count++] = ExpressionName(planning, level, 0, static_cast<Node*>(list_nth(clauses, i)));
  Fold(&name, FoldNames(kSeedLookup, names, count));
  return name;
}

RowName PassedName(NamedPlanning* planning, QueryLevel* level, Index relation) {
  RowName name = BaseName(planning, level, relation);
  name.key = CombineHash(name.key, kSeedPassed);
  return name;
}

RowName GroupName(NamedPlanning* planning, QueryLevel* level) {
  PlannerInfo* root = level->root;
  RowName name = InputName(planning, level);
  Fold(&name, ColumnsName(planning, level, root->parse->groupClause));
  if (root->parse->havingQual != nullptr) Fold(&name, ExpressionName(planning, level, 0, root->parse->havingQual));
  return name;
}

RowName DistinctName(NamedPlanning* planning, QueryLevel* level) {
  RowName name = level->root->parse->groupClause != NIL ? GroupName(planning, level) : InputName(planning, level);
  name.key = CombineHash(name.key, kSeedDistinct);
  Fold(&name, ColumnsName(planning, level, level->root->parse->distinctClause));
  return name;
}

RowName LevelName(NamedPlanning* planning, PlannerInfo* root) {
  Query* query = root->parse;
  RowName name = Plain(kSeedLevel);
  QueryLevel* level = LevelOf(planning, root);
  if (query->setOperations != nullptr) {
    Fold(&name, SetOperationName(planning, root, query->setOperations));
  } else if (query->groupClause != NIL) {
    Fold(&name, GroupName(planning, level));
  } else if (!bms_is_empty(root->all_baserels)) {
    Fold(&name, RowsOf(planning, level, root->all_baserels)->name);
  }
  if (query->groupClause == NIL && query->hasAggs) name.key = CombineHash(name.key, T_Aggref);
  if (query->groupingSets != NIL)
    name.key = CombineHash(name.key, static_cast<uint64_t>(list_length(query->groupingSets)) + T_GroupingSet);
  if (query->distinctClause != NIL && query->setOperations == nullptr) Fold(&name, DistinctName(planning, level));
  if (query->hasTargetSRFs) Fold(&name, ExpressionName(planning, level, 0, reinterpret_cast<Node*>(query->targetList)));
  if (query->limitCount != nullptr) Fold(&name, ExpressionName(planning, level, 0, query->limitCount));
  if (query->limitOffset != nullptr) Fold(&name, ExpressionName(planning, level, 0, query->limitOffset));
  return name;
}

}  // namespace query_shaper
