// Makes a plan of known shape again. Row figures alone often make another plan: what decided between two plans that
// cost nearly the same was an estimate of neither. So of every set of relations that a step tells of only the paths of
// that step are kept: the pair that it is joined of, the kind of join or scan, the index.
//
// The steps tell a plan up to what they leave out (grouping, sorting, parallel workers, which relation of two of one
// name): the maker compares fingerprints.
#pragma once
#include "server/query/plan_note.h"
#include "server/query/row_estimates.h"
#include "server/query/tracker.h"

namespace query_shaper {

// The steps of the running plan; the number of them, -1: it is too large. Plain memory only.
int StepsOf(const Tracker* tracker, PlanStep* steps, int capacity);

// The plan had read what a plan before it had finished: how that was made its steps do not tell.
bool TellsPart(const PlanStep* steps, int count);

// To be called from the planner's hooks, when the relation or the pair has its rows. Without steps in the order of this
// planning nothing is done.
void ForceRelation(Planning* planning, PlannerInfo* root, RelOptInfo* rel, RangeTblEntry* entry);
// True when the paths of the join were made anew (and other extensions' hooks ran with them).
bool ForceJoin(Planning* planning, PlannerInfo* root, RelOptInfo* join, RelOptInfo* outer, RelOptInfo* inner,
               JoinType type, JoinPathExtraData* extra);

}  // namespace query_shaper
