// Learned rows: what a statement's complete nodes have shown goes to the knowledge of the database.
#pragma once
#include "server/query/tracker.h"

namespace query_shaper {

// At the end of a statement. Never raises, reads memory only.
void LearnRowsOf(const Tracker* tracker);

// The same of a statement that an error ends, or before its nodes are given up for another plan; what already came in
// excess of the plan is learned, too, as if it were all.
void LearnFailedRowsOf(const Tracker* tracker);

// Rows that were seen before under these very constants count for more than what a beginning run extrapolates.
// foreign: the plan's own figures are those of other constants, so that a guess, and the planner's figure for the
// constants at hand, count for more than they do.
void BelieveLearnedRows(Tracker* tracker, bool foreign);

// Rows that a node has shown: in all, or per loop where its key says so. False: it was not run to its end, or what was
// counted of it is not all.
bool CompleteRows(const Tracker* tracker, int node, const struct NodeKey& key, double* rows);

}  // namespace query_shaper
