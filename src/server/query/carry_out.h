// What is done to a running statement between two of its rows: by a node that a tick has armed, at its next call, or by
// a node that has delivered more rows than its limit. Both are points where no node is in the middle of anything, so
// that waiting, planning and raising are allowed, which they are not in a tick.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/execnodes.h"
}

namespace query_shaper {

struct Tracker;

// Set in Tracker::errands by whoever wants them, in signal context too; carried out in this order, after a pause.
enum Errand : int {
  kErrandGuard = 4,   // the plan on trial is to be given up
  kErrandReplan = 1,  // the tracked end lies far beyond the prediction
  kErrandMemos = 2,   // tracking began while subplans ran: InstallMemos()
};

// Signal context: arms the nodes of every statement that runs in this process, or those of one statement that are not
// below a Gather.
void ArmAllNodes();
void ArmErrands(Tracker* tracker);

void DisarmNodes();

// The function of an armed node.
TupleTableSlot* ArmedNode(PlanState* node);

// The node has just delivered the row that reached its limit.
void CarryOutRowLimit(PlanState* node, int wrapper);

}  // namespace query_shaper
