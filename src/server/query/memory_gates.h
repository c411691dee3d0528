// Where a node is given memory of its own: sorts, hash joins and materialisations read work_mem when they set
// themselves up, so the variable is raised for exactly that long.
//
// A gate stands over the node and one over each input that may be called before it is set up:
//
//   the node is called           work_mem goes up
//   it calls an input            back to what it was (functions in expressions, nested statements and parallel workers
//                                that start below see the session's own)
//   the input returns            up again, while the node is not set up
//   the node returns             back
//   it is set up                 the gates take themselves out
//
// The table of a parallel hash join is sized by whichever process comes first, and once more by any of them when it
// outgrows one batch: there a gate is up between the rows of the inner input, in each process, until the table is
// built. No gate is up while rows of others are computed, so at most one is up at any time. An error puts the value
// back before anything else runs: transaction callbacks come before the server restores its settings.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/execnodes.h"
}

namespace query_shaper {

struct Tracker;

enum class RaiseAt : uint8_t {
  kCall = 0,        // when the node is called
  kFirstInput = 1,  // when its first input row has come: an aggregate that sorts its input
  kRefill = 2,      // whenever a hash aggregate that has spilled works without its input: each refill sets its limits
                    // anew, and its array of buckets alone may be larger than the session's own allow
  kEachGroup = 3,   // whenever a group begins, in an aggregate over sorted input that sorts each group's rows again
  kBuild = 4,       // a parallel hash join, until its table is built
  kEachPartition = 5,  // whenever a partition begins, in a window
};

struct GateInput {
  PlanState* state;
  int wrapper;  // its counting wrapper, -1: none
};

// shaped: number in tracker->memory.nodes, told to NodeStarts() and NodeIsSetUp() (shape_memory). False, and nothing
// done, when no gates are left or something else stands at one of the nodes. With work_mem_kb 0 it only looks on.
// stay: the gates do not take themselves out.
bool RaiseFor(Tracker* tracker, int shaped, PlanState* node, int wrapper, int work_mem_kb, RaiseAt when,
              const GateInput* inputs, int input_count, bool stay);

// Stands over a Gather: its first call launches the workers, then tells GatherStarted() (shape_memory), then goes on.
// The functions of parallel hash joins below are put in place, over anything that stands there, by that launch alone.
// gather: in the tracker's plan. again: it is scanned anew, maybe, and tells of each time. True also where one stands
// there already.
bool AwaitLaunch(Tracker* tracker, int gather, PlanState* node, int wrapper, bool again);

// What those of a shaped node have done is forgotten, before it sets itself up once more; gates that stay only. False:
// none stands there.
bool RearmGates(const Tracker* tracker, int shaped);

// Signal context: the node has been given more since.
void RaiseGate(const Tracker* tracker, int shaped, int work_mem_kb);

// kEachGroup: rows of the largest group so far; kEachPartition: most rows held; -1: no gate stands there.
double MostGroupRows(const Tracker* tracker, const PlanState* node);

// kEachPartition: whether one of them was written.
bool SpilledAtGate(const Tracker* tracker, const PlanState* node);

// The tracker's nodes do not run any more.
void ReleaseGates(const Tracker* tracker);

// Between two rows, where more is done than passing a row on (planning, waiting): puts the session's own value back and
// returns what ReopenGate() takes to go on.
int CloseGate();
void ReopenGate(int gate);

void InstallMemoryGates();  // of _PG_init

}  // namespace query_shaper
