// What planning knows and running needs, carried inside the planned statement: an extensible node in
// PlannedStmt::invalItems, which copyObject() and the plan cache carry along and parallel workers do not get.
// (Its place of PlanInvalItem::cacheId is padding, always 0, and 0 is no cache that the plan cache listens to.)
#pragma once
#include "pg/pg.h"
#include "server/store/row_knowledge.h"
extern "C" {
#include "nodes/extensible.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
}

namespace query_shaper {

// What a plan node's rows are called; plain, copied bytewise.
struct NodeKey {
  uint64_t key;        // 0: this node has none
  uint64_t set_key;    // scans and joins: of the set of relations that it returns rows of, whatever parameters leave
  uint64_t outer_key;  // joins: the same of the outer side
  RowKind kind;
  bool parameterised;  // by an enclosing nested loop or an outer query: rows are per loop
  bool partial;        // below a Gather: rows are those of one process, totals need all
  bool cut_short;      // something above may stop it early: complete only when its end was seen
  int16_t gather;      // plan_node_id of the Gather above, -1: none
  bool repeated;       // may run more than once in one statement: rows are per loop
  int16_t loops_from;  // plan_node_id of the node that has a row for each loop of this one, -1: the ends seen tell them
  bool injected;       // planned_rows comes from what was learned
  RowConstants constants;
  double natural_rows;  // the planner's own, nothing learned in it
  double planned_rows;  // as used
  double relation_rows;
  // A look-up tells of its relation's own clauses, too: rows per look-up x passed_scale, under this key. 0: none
  uint64_t passed_key;
  RowConstants passed_constants;
  double passed_scale, passed_natural_rows;
  int32_t relation_count;
  Oid relations[kRowRelations];
};

// Where an entry of the flat range table stood: number of its query level (see query_levels.h), -1: of none that is
// numbered; and index in the level's own range table.
struct FlatPlace {
  int level;
  int index;
};

// The relation that a query level is the subquery of.
struct LevelPlace {
  int parent;  // number of a level, -1: of none
  int index;
  bool joined_once;  // the parent may have made its rows unique before it joined them (semi joins)
};

struct PlanNote {
  ExtensibleNode node;
  uint64 name;   // of a statement that has neither identifier nor text, see NameTextless(); else 0
  Query* query;  // before planning, to plan it again; null: it cannot be
  int cursor_options;
  bool secured;         // row security acts: its rows are not learned
  bool has_parameters;  // planned with bound parameters (a custom plan)
  PlanOrigin origin;
  bool trial;          // unknown plan of learned rows, see plan_trial.h
  bool foreign_rows;   // its figures are those that it was first made of, for whatever constants
  double known_ms;     // of the known plan it is held against
  double planning_ms;  // that its planning took, 0 where it is too little to matter
  PlannedStmt*
      modest;  // this plan was made for more memory: the one that needs none beyond the settings; null: it needs none
  double memory_kb;   // beyond the server's settings that it was made for
  double stock_cost;  // total cost of the plan without learned rows, -1 unknown
  int key_count;
  NodeKey* keys;      // by plan_node_id
  char** clauses;     // text of the clauses by plan_node_id, null: known already or none
  int flat_count;     // entries of PlannedStmt::rtable
  FlatPlace* places;  // by index in PlannedStmt::rtable - 1
  int level_count;
  LevelPlace* levels;  // by number
};

// Null: this plan carries none. Cheap.
PlanNote* NoteOf(const PlannedStmt* statement);

// An empty note, hung on the statement.
PlanNote* AddNote(PlannedStmt* statement, int key_count);

void RegisterPlanNotes();  // of _PG_init

struct Planning;  // row_estimates.h

// Rows to be used in one planning, before anything learned.
struct RowOverride {
  uint64_t key;
  uint64_t constants;  // RowConstants::hash, for one query may hold the same clauses with several constants; 0: any
  double rows;
  bool at_least;  // a lower bound: used where the planner's own figure is lower
};

struct PlanningOrder {
  const RowOverride* overrides = nullptr;
  int override_count = 0;
  bool use_learned = true;
  const PlanStep* steps = nullptr;  // the plan to be made, as far as they tell it: see plan_shape.h
  int step_count = 0;
  // Offers further paths for a base relation or join that is ready, e.g. finished work of the plan given up.
  void (*offer)(Planning* planning, PlannerInfo* root, RelOptInfo* rel, void* context) = nullptr;
  void* offer_context = nullptr;
};

// Plans note->query again (a copy of it) under an order. Raises what the planner raises.
PlannedStmt* PlanAgain(const PlanNote* note, const char* source_text, ParamListInfo parameters,
                       const PlanningOrder& order);

// The same of a query that the note does not keep.
PlannedStmt* PlanQueryAgain(const Query* query, const PlanNote* note, const char* source_text, ParamListInfo parameters,
                            const PlanningOrder& order);

// Installs planner_hook, set_rel_pathlist_hook, set_join_pathlist_hook and create_upper_paths_hook.
void InstallPlannerHooks();

}  // namespace query_shaper
