// Puts learned and observed row counts where the planner keeps its own: base relations, joins, groups.
#pragma once
#include "server/query/plan_note.h"
#include "server/query/row_keys.h"
extern "C" {
#include "optimizer/paths.h"
}

namespace query_shaper {

struct PendingName;  // statement_name.h

// One call of the planner.
struct Planning {
  NamedPlanning names;
  Planning* outer;
  const PlanningOrder* order;
  PendingName* pending;  // null: the statement's name is not pending
  uint64 textless;       // its name where it has neither identifier nor text, see NameTextless(); else 0
  PlannerInfo* first;    // of the first level that was met, while it is not among the names
  bool secured;          // row security acts: nothing learned is used
  double planning_ms;    // 0: not measured
  bool injecting;        // something may be known: rows are looked up
  Query* undecided;  // a query of one relation: whether to inject is asked when its relation is sized; null: decided
  bool rebuilding;
  int injected;  // sets of relations whose rows were changed
};

// To be called from the planner's hooks, each after every other path was made.
void SizeRelation(Planning* planning, PlannerInfo* root, RelOptInfo* rel, RangeTblEntry* entry);

// True when the paths of this pair were made anew (and other extensions' hooks ran with them).
bool SizeJoin(Planning* planning, PlannerInfo* root, RelOptInfo* join, RelOptInfo* outer, RelOptInfo* inner,
              JoinType type, JoinPathExtraData* extra);

// The paths of a table as set_plain_rel_pathlist() makes them, in place of those it has.
void MakeTablePaths(PlannerInfo* root, RelOptInfo* rel);

// A query level of one relation of which a unique key leaves one row: what was learned can say nothing else. It spares
// the commonest of short statements all names.
bool NothingToLearn(PlannerInfo* root, RelOptInfo* rel);

// A table or what else has paths that can be made anew.
bool CanBeSized(const RelOptInfo* rel, const RangeTblEntry* entry);

void SizeGroups(Planning* planning, PlannerInfo* root, RelOptInfo* input, RelOptInfo* output,
                GroupPathExtraData* extra);
void SizeDistinct(Planning* planning, PlannerInfo* root, RelOptInfo* output);

}  // namespace query_shaper
