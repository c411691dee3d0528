// Memory for the nodes of one statement: what each will want, what each is given, and what each turned out to need.
//
//   ExecutorStart   ReadNeeds()      core/pool: node_need, grant_history -> the claim on the pool
//   first call      ShapeMemory()    core/pool: grant_division -> a limit for each node
//                   Sort, hash join, Materialize: query/memory_gates raises work_mem while they set themselves up; hash
//                   aggregates have their limits stored; a CTE's empty store is made anew
//   Gather's call   GatherStarted()  what lies below a launch of workers that puts functions of its own over nodes
//   node's call     NodeStarts()     its input is better known by now: PoolGrow()
//   tick            WatchShaped()    hash tables that are filled give back what they did not need: PoolShrink()
//   ExecutorEnd     LearnNeedsOf()   what each needed -> shared_needs.h
//
// A node never has less than the server's own settings give it.
#pragma once
#include "core/pool/node_need.h"
#include "pg/pg.h"
extern "C" {
#include "nodes/plannodes.h"
}

struct ExplainState;

namespace query_shaper {

struct Tracker;
struct PoolClaim;

constexpr int kShapedNodes = 24;  // of one statement

struct ShapedNode {
  short index;   // in the plan
  short launch;  // the Gather above it whose launches put functions over nodes, in the plan; -1: none
  NeedKind kind;
  bool hash_limit;
  bool common;  // one table for all processes, of their limits together: predicted_kb and needed_kb are the whole of it
  bool fixed;   // nobody can set its limit
  bool shaped;  // it was given more than the server's settings
  const char* why_fixed;
  bool settled;  // what it did not need was given back
  bool spilled;  // at the end
  float processes;
  float predicted_kb, wanted_kb, floor_kb, spill_kb;  // of each process
  float margin_kb;                                    // of wanted_kb: what it is known to have done without
  float limit_kb;                                     // of each process
  float held_kb;                                      // of the reservation, all processes
  float used_kb;                                      // once it is set up, 0 unknown
  float needed_kb;                                    // at the end, -1 unknown
  uint64_t rows_key;                                  // of the rows that it holds, 0: they have none
  uint64_t name;                                      // in shared_needs.h
};

struct MemoryShape {
  int count;
  int shaped;
  bool told, told_fixed;
  double given_kb;  // beyond what the server's settings give
  ShapedNode nodes[kShapedNodes];
};

// What the nodes of the statement want: fills want_kb and least_kb of the claim, in all processes together. Catalogs
// are looked into for windows alone.
void ReadNeeds(Tracker* tracker, PoolClaim* claim);

// Divides tracker->grant among them. At the statement's first call, and when its plan was replaced.
void ShapeMemory(Tracker* tracker);
void ReshapeMemory(Tracker* tracker);

// In a parallel worker: the limits that its leader has for the same nodes.
void ShapeWorker(Tracker* tracker);

// Called by the gates. GatherStarted: gather by index in the plan. NodeStarts: returns the work_mem that the node shall
// have, planned_kb or more.
int NodeStarts(Tracker* tracker, int shaped, int planned_kb);
void GatherStarted(Tracker* tracker, int gather);
void NodeIsSetUp(Tracker* tracker, int shaped);

// Signal context, once per tick, after the counters were read.
void WatchShaped(Tracker* tracker);

// A hash table was given more while it was filled (grow_memory), signal context.
double HeldKbOf(const Tracker* tracker, int index);  // by index in the plan
void NoteGrown(Tracker* tracker, int index, double limit_kb, double more_kb);

// At the statement's end, while its nodes live.
void LearnNeedsOf(Tracker* tracker);

// shape_explain.cpp: at ExecutorEnd, for the lines that EXPLAIN (ANALYZE) adds.
void NoteShaped(const Tracker* tracker);
void ShowShaped(ExplainState* explain);
void ForgetShown();

}  // namespace query_shaper
