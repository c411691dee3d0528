// Names of what sets of relations under their clauses return, made from the planner's structures.
//
// A name is the same for the same relations, clauses and kind of joins, whatever aliases, order or range table they
// stand in; its constants are taken out and listed in the order of the name. Subqueries and CTEs are named from their
// own query level.
#pragma once
#include "core/base/hash.h"
#include "core/cardinality/row_model.h"
#include "pg/pg.h"
extern "C" {
#include "nodes/pathnodes.h"
}

namespace query_shaper {

struct RowName {
  uint64_t key;
  RowConstants constants;
};

struct ForcedPair;     // plan_shape.cpp
struct LearnedErrors;  // unseen_joins.cpp

// One set of relations of a query level; its rows as the planner had them and as they are used.
struct RelationRows {
  Relids relids;
  RowName name;
  double relation_rows;  // of the tables below
  double natural_rows;   // the planner's own with nothing learned in it, -1: not sized yet
  double used_rows;
  bool known;          // used_rows were learned or ordered
  bool injected;       // and differ from what the planner had
  ForcedPair* forced;  // the one way in which it may be joined; null: any
};

// Grouping or DISTINCT on top of a level's joins.
struct GroupRows {
  RowName name;
  double natural_rows;  // -1: none
  double used_rows;
  bool injected;
};

struct ClassMember {
  Relids relids;
  RowName name;
};

struct JoinClass {  // an equivalence class without a constant
  ClassMember* members;
  int count;
};

// One PlannerInfo.
struct QueryLevel {
  PlannerInfo* root;
  bool sized;  // base relations have their rows
  int base_count;
  RowName* bases;  // by range table index; key 0: not named yet
  bool joins_named;
  JoinClass* classes;
  int class_count;
  ClassMember* clauses;  // join clauses, by the relations they need
  int clause_count;
  RelationRows** table;  // open addressing by relids
  int table_size;
  int table_count;
  GroupRows group;
  GroupRows distinct;
  LearnedErrors* errors;  // null: not asked for yet
};

struct NamedPlanning {
  MemoryContext memory;  // lives as long as the planning
  List* levels;
};

QueryLevel* LevelOf(NamedPlanning* planning, PlannerInfo* root);

// The set of relations; named, not sized, when it is new.
RelationRows* RowsOf(NamedPlanning* planning, QueryLevel* level, Relids relids);
RelationRows* FindRows(const QueryLevel* level, Relids relids);  // null when unknown

// A base relation under the join clauses that a parameterised path hands down to it.
RowName LookupName(NamedPlanning* planning, QueryLevel* level, Index relation, const List* clauses);

// A base relation as what is looked up in it tells: the share that passes its own clauses, of all its rows.
RowName PassedName(NamedPlanning* planning, QueryLevel* level, Index relation);

// What the level's GROUP BY with HAVING leaves, and its DISTINCT.
RowName GroupName(NamedPlanning* planning, QueryLevel* level);
RowName DistinctName(NamedPlanning* planning, QueryLevel* level);

// Everything the level returns.
RowName LevelName(NamedPlanning* planning, PlannerInfo* root);

// The planner's root of a CTE's query, null when it is being planned still.
PlannerInfo* CteRoot(PlannerInfo* root, const RangeTblEntry* entry);

// Expressions (expression_name.cpp). `self` stands for the relation that is being named, 0: none.
RowName ExpressionName(NamedPlanning* planning, QueryLevel* level, Index self, Node* expression);
RowName BaseName(NamedPlanning* planning, QueryLevel* level, Index relation);

void AppendConstants(RowConstants* to, const RowConstants& more);
// Sorts the names and folds them into one: order does not matter.
RowName FoldNames(uint64_t seed, RowName* names, int count);

}  // namespace query_shaper
