// A query run on a sample of its largest relations: row counts of its scans and joins, scaled to the whole.
//
// Only relations from which every row of the join is drawn at most once are sampled (reached through inner joins and
// the preserved sides of outer joins, never below a grouping): then a node's rows are those of the whole times the
// product of the fractions of the sampled relations below it. Nodes without any are exact. What stands above the joins
// (grouping, sorting, limits, the select list) is left out. Subqueries and CTEs that group, and the members of set
// operations, are run as queries of their own where they can stand alone.
#pragma once
#include "core/cardinality/sample_scale.h"
#include "pg/pg.h"
extern "C" {
#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "utils/snapshot.h"
}

namespace query_shaper {

constexpr int kSampledNodes = 64;
constexpr int kSampledNameBytes = 256;

struct SampledNode {
  int block;    // number of the query of its own
  int node_id;  // of the node with the same relations in the query's own plan, -1: it has none
  bool join;
  uint64 key, constants;  // as RowOverride; key 0: has no name
  Bitmapset* relids;      // in its query
  SampledCount count;     // pooled
  ScaledRows rows;
  char relations[kSampledNameBytes];  // names or aliases, sorted
};

struct SampledOrder {
  const Query* query;  // analysed and rewritten; not changed
  const char* text;
  ParamListInfo parameters;
  bool generic;  // to be planned without their values
  Snapshot snapshot;
  double fraction;  // (0, 1] of the largest relation at first; more of one that has few rows, and while that is cheap
  uint32 seed;
  double fewest_rows = 1000;  // of a sampled relation at first, after its filter, as estimated
};

struct SampledRun {
  int count;
  SampledNode nodes[kSampledNodes];
  // Called when the figures have got better; may be null.
  void (*publish)(const SampledRun* run, void* context);
  void* context;
};

// Null when the query can be run on a sample; otherwise why not, as a clause that follows "because".
const char* WhyNotSampled(const Query* query);

// Runs the query in the caller's transaction, with the current user's rights, again with larger samples while the
// figures are uncertain and the cost is small. Raises what the planner and the executor raise.
void RunSampled(const SampledOrder& order, SampledRun* run);

}  // namespace query_shaper
