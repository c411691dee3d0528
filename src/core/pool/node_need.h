// How much memory a plan node will want so that nothing of it goes to disk: rows x bytes per row, with the overheads of
// PostgreSQL's own sorts, hash tables and tuple stores.
//
//   sort            n (24 + 24 + maxalign(16 + w)): entry of the array, chunk, tuple; the array keeps a tenth spare
//   hash table      n (16 + 16 + maxalign(w)) + 8 buckets, buckets the next power of two
//   hash aggregate  n (chunk of the tuple + chunk of the states) + 24 slots, slots the next power of two over n / 0.9
//   tuple store     n (8 + chunk): materialise, CTE, a window's partition; a chunk is 16 bytes and a power of two
//   bitmap          64 bytes a heap page
//
// w: bytes of the row's columns. A limit of n bytes holds that much because the executor counts the same bytes.
#pragma once
#include "core/plan/plan_tree.h"

namespace query_shaper {

enum class NeedKind : uint8_t {
  kNone = 0,
  kSort = 1,        // Sort, Incremental Sort
  kHash = 2,        // the table of a hash join
  kGroups = 3,      // hash aggregate
  kStore = 4,       // Materialize
  kCte = 5,         // CTE Scan: the store of its CTE
  kWindow = 6,      // rows of a partition
  kBitmap = 7,      // lossy when short, nothing is spilled
  kCache = 8,       // Memoize: evicts when short
  kSetOp = 9,       // cannot spill
  kRecursive = 10,  // working tables of a recursive union
  kDistinct = 11,   // sorts inside of an aggregate, of one group at a time: DISTINCT, ORDER BY
  kSubplan = 12,    // hashed subplan, cannot spill
};

struct NodeNeed {
  NeedKind kind = NeedKind::kNone;
  double kb = 0;      // expected
  double low_kb = 0;  // central 80 %
  double high_kb = 0;
  double spill_kb = 0;  // written, and read again, when next to nothing of it is kept; other inputs of a join included
  double rows = 0;      // that are held
  double probes = 0;    // rows that look into a hash table
  bool hash_limit = false;   // its limit is work_mem x hash_mem_multiplier
  bool spills = false;       // false: it takes what it needs, or does with less without writing
  bool gradual = false;      // a part of the memory saves a part of the spilling
  double wanted_kb() const;  // what is asked for when nothing is remembered: above the expected by what it is unsure of
};

// Rows of an input are known to within a factor of e^sd: joins and groups below add up.
double RowsLogSd(const PlanTree& plan, int node, bool learned);

// Of plan.nodes[node], in each process that runs it; processes: those that share a parallel hash table. rows_log_sd: of
// what it holds.
NodeNeed PredictNeed(const PlanTree& plan, int node, double rows_log_sd, double processes);

// The same for other rows than planned.
NodeNeed PredictNeedOf(const PlanTree& plan, int node, double rows, double rows_log_sd);

// Of a window, which holds one of so many pieces of its input at a time, or (whole: false) a few rows of it.
NodeNeed PredictWindowNeed(const PlanTree& plan, int node, double pieces, bool whole, double rows_log_sd);

// Index of the first child in a role, -1 none.
int ChildIn(const PlanTree& plan, int parent, ChildRole role);

// The plan node whose rows the node holds: its input, or itself for groups and CTEs.
int HeldRowsOf(const PlanTree& plan, int node);

// The limit under which a sort of so much merges all its runs at once: each run is as large as the limit and wants a
// buffer while it is merged (tuplesort_merge_order() of the server). 0: they are too many for any.
double MergeKb(double sorted_kb);

// What one more row costs, in bytes, where rows are of width bytes.
double SortRowBytes(double width);
double HashRowBytes(double width);
double StoreRowBytes(double width);

}  // namespace query_shaper
