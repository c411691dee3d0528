// Counting between tuples: small wrappers around ExecProcNode, one compiled entry per counter, no look-up.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/execnodes.h"
}

namespace query_shaper {

constexpr int kWrappers = 384;  // per process, over all statements tracked at once

struct Wrapper {
  ExecProcNodeMtd real;
  uint64_t rows;            // rows returned since the wrapper was put in place
  uint64_t ends;            // times the node said that there are no more
  uint64_t first_end_rows;  // rows when it first said so
  uint64_t limit;           // rows at which CarryOutRowLimit() is called
};

constexpr uint64_t kNoRowLimit = UINT64_MAX;

// Wraps the node and returns the wrapper's number, -1 when none is free. Where something else times the node it is
// wrapped below the clock if `below_clock`, else not at all (-1). Plain stores only: safe in signal context unless the
// pool is being changed (then -1).
int WrapNode(PlanState* node, uint64_t limit, bool below_clock);

void SetRowLimit(int number, uint64_t limit);

// The node will not run again through this wrapper.
void ReleaseWrapper(int number);

// Lets the node run without its wrapper for a while, and puts it back. Plain stores: safe in signal context. False
// where something else stands in the wrapper's place.
bool LayOffWrapper(PlanState* node, int number);
bool RecallWrapper(PlanState* node, int number);

// Adds what the node has done while its wrapper was laid off. Not while the node may be in the middle of counting, or
// what it adds may be lost.
void CreditWrapper(int number, uint64_t rows, uint64_t ends);

// False when PostgreSQL has put another function in the wrapper's place (parallel hash join set-up does).
bool StillWrapped(const PlanState* node, int number);

const Wrapper& WrapperAt(int number);

// The function below the wrapper becomes another one, whether the wrapper is laid off or not; false where it is not
// `from`.
bool RebaseWrapper(PlanState* node, int number, ExecProcNodeMtd from, ExecProcNodeMtd to);

}  // namespace query_shaper
