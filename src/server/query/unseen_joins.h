// Rows of joins of which nothing is known, from what is known around them.
#pragma once
#include "server/query/row_estimates.h"

namespace query_shaper {

// Used rows by natural ones; 1: not sized, or as the planner had it.
double Ratio(const RelationRows* rows);

// A join that nobody has seen, beside joins that were: left alone it would look cheap beside joins with their true,
// larger rows. Its error, log(rows / natural rows), is
//   what its known parts are wrong by, and its relations that belong to none of them, and
//   for every step (one more relation joined) that no part covers, the greater of
//     half of what the known joins of this level are wrong by per step, and
//     its share of what the join of all relations of the level is known to be wrong by and nothing known explains.
// The latter is what makes the first run tell of joins that it did not make: a relation that is outside of this join
// explains what its join with one of its neighbours is known to be wrong by. Never below 0 per step: a join that looks
// cheap by hearsay would be chosen for it. Returns -1 when nothing is known of any join.
double UnseenRows(const Planning* planning, QueryLevel* level, const RelationRows* join);

}  // namespace query_shaper
