// The named feature vector of a plan and its moment: what the models of room `predict` learn from.
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/plan/plan_tree.h"

namespace query_shaper {

constexpr int kFeatureCount = 48;  // stored with the models: changing it or an order means a new model version

// Amounts of work are what one process does over the whole run: rows per loop times loops (inner sides of nested loops,
// subplans), less what a LIMIT above never asks for. Sizes are those expected from row width and row count.
namespace feature {
enum Index {
  kSeqPages = 0,   // heap blocks read by sequential and sample scans
  kSeqRows,        // rows read by them
  kFilterChecks,   // input rows x clauses
  kFilteredRows,   // rows that pass the filters of scans
  kIndexSearches,  // descents of an index
  kIndexRows,      // rows fetched through an index from the heap
  kIndexOnlyRows,  // rows answered by an index alone
  kIndexPages,     // blocks touched by index scans, read back from the planner's price
  kBitmapPages,    // heap blocks visited by bitmap heap scans
  kBitmapRows,     // rows of bitmaps
  kFunctionRows,   // rows of functions, VALUES, foreign and custom scans
  kStoredRows,     // rows read back from CTEs, work tables and tuplestores
  kLoopOuterRows,  // rows that drive a nested loop
  kLoopInnerRows,  // rows the inner side hands to nested loops, all calls
  kHashBuildRows,
  kHashBuildKb,
  kHashProbeRows,
  kMergeRows,  // rows read by merge joins, both sides
  kJoinRows,   // rows that joins put out
  kSortRows,
  kSortCompares,  // n log2 n of every sort (bounded ones: n log2 of the bound)
  kSortKb,
  kSpillKb,            // of sorts, hashes and hash aggregates beyond their memory, written and read again
  kAggregateCalls,     // input rows x (1 + aggregates) of plain and sorted aggregates
  kHashAggregateRows,  // input rows of hash aggregates
  kGroups,             // expected groups, all aggregates
  kGroupKb,            // memory of hash aggregates
  kDistinctCompares,   // n log2 n of sorts inside DISTINCT and ordered aggregates
  kWindowRows,
  kPassedRows,  // rows through Materialize, Memoize, Append, Unique, SetOp, ProjectSet, LockRows, Gather
  kModifiedRows,
  kOutputRows,  // rows of the statement
  kOutputKb,
  kSubplanCalls,
  kPlanNodes,
  kTotalCost,
  kStartupCost,
  kExpectedKb,     // expected peak of all sorts, hashes and hash aggregates
  kRelationPages,  // blocks of the relations, each scan once
  kUncachedPages,  // blocks of the scans not found in shared buffers
  kJoins,
  kWorkers,
  kHourSine,
  kHourCosine,
  kWeekdaySine,
  kWeekdayCosine,
  kSinceLastRun,
  kConcurrency,
};
}  // namespace feature
static_assert(feature::kConcurrency + 1 == kFeatureCount);

// What is true at the start beside the plan. Times are the server's local time.
struct Moment {
  double hour = 0;                     // 0..24, fractional
  int weekday = 0;                     // 0 Sunday .. 6
  double seconds_since_last_run = -1;  // of the same statement; -1 never seen
  int concurrency = 0;                 // other tracked statements running
  double work_mem_kb = 4096;
};

// values[i] is already on its model scale (log1p of counts, sizes and costs; 0/1 flags; sine and cosine of cyclic
// times).
struct FeatureVector {
  double values[kFeatureCount] = {};
};
static_assert(std::is_trivially_copyable_v<FeatureVector>);

const char* FeatureName(int index);  // snake_case; static storage

// Async-signal-unsafe nothing: pure arithmetic, no allocation.
FeatureVector ExtractFeatures(const PlanTree& plan, const Moment& moment);

}  // namespace query_shaper
