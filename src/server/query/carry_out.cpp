#include "pg/pg.h"

#include "server/query/carry_out.h"

#include "server/query/counting.h"
#include "server/query/memory_gates.h"
#include "server/query/pause.h"
#include "server/query/plan_trial.h"
#include "server/query/replan.h"
#include "server/query/rest_between_rows.h"
#include "server/query/subplan_memo.h"
#include "server/query/tracker.h"

namespace query_shaper {

static void Arm(TrackedNode* node) {
  if (node->state->ExecProcNode == nullptr || node->state->ExecProcNode == ArmedNode) return;
  node->before_armed = node->state->ExecProcNode;
  node->state->ExecProcNode = ArmedNode;
}

static void Disarm(TrackedNode* node) {
  if (node->state->ExecProcNode == ArmedNode) node->state->ExecProcNode = node->before_armed;
}

void ArmAllNodes() { ForEachRunningNode(Arm); }
void DisarmNodes() { ForEachRunningNode(Disarm); }

void ArmErrands(Tracker* tracker) {
  if (!tracker->attached) return;
  for (int i = 0; i < tracker->plan.count; ++i)
    if (tracker->nodes[i].state != nullptr && !tracker->plan.nodes[i].under_gather) Arm(&tracker->nodes[i]);
}

static Tracker* RunningTracker() {
  Frame* frame = innermost_frame;
  return frame != nullptr ? frame->tracker : nullptr;
}

TupleTableSlot* ArmedNode(PlanState* node) {
  // What is planned or run here is not the node's.
  const int gate = CloseGate();
  if (PauseWanted())
    HoldHere();
  else
    DisarmNodes();
  if (RestWanted()) RestHere();
  Tracker* tracker = RunningTracker();
  if (tracker != nullptr && tracker->errands != 0) {
    // What is asked for meanwhile waits for the next arming.
    int errands = tracker->errands;
    tracker->errands = 0;
    if (errands & kErrandMemos) InstallMemos(tracker);
    if (errands & kErrandGuard) GiveUpTrial(tracker);
    if (errands & kErrandReplan) ConsiderReplan(tracker, nullptr);
  }
  ReopenGate(gate);
  return node->ExecProcNode(node);
}

void CarryOutRowLimit(PlanState* node, int wrapper) {
  Tracker* tracker = RunningTracker();
  int id = node->plan->plan_node_id;
  TrackedNode* tracked = nullptr;
  if (tracker != nullptr && tracker->attached && id >= 0 && id < kNodeIds && tracker->by_id[id] >= 0)
    tracked = &tracker->nodes[tracker->by_id[id]];
  if (tracked == nullptr || tracked->state != node || tracked->wrapper != wrapper) {
    SetRowLimit(wrapper, kNoRowLimit);
    return;
  }
  const int gate = CloseGate();
  ConsiderReplan(tracker, tracked);
  ReopenGate(gate);
}

}  // namespace query_shaper
