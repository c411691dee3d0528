#include "pg/pg.h"

#include "server/query/memory_gates.h"

#include <array>
#include <utility>

#include "server/query/counting.h"
#include "server/query/shape_memory.h"
#include "server/query/start_gather.h"
#include "server/query/tracker.h"
#include "server/query/window_rows.h"
extern "C" {
#include "access/xact.h"
#include "executor/hashjoin.h"
#include "miscadmin.h"
#include "utils/tuplestore.h"
}

namespace query_shaper {
namespace {

constexpr int kGates = 96;  // per process

struct Gate {
  Tracker* tracker;  // null: free
  PlanState* node;
  ExecProcNodeMtd real;
  int wrapper;
  int over;  // gate of the node that this one is an input of, -1: it is that gate itself
  int raised_kb;
  short shaped;
  RaiseAt when;
  short awaited;                       // a Gather by index in the plan, whose launch is awaited; -1: none
  double group_rows, most_group_rows;  // kEachGroup
  bool spilled, keeps_behind;          // kEachPartition
  bool started;
  bool over_with;  // passes everything on
  bool told;
  bool left;   // was taken out of the way, or cannot be: something of others' holds it
  bool stays;  // will be needed again: its node is scanned anew, or that over which it stands
  bool fills;  // an input under kRefill: of its rows only the end matters
};

Gate gates[kGates];
int open_gate = -1;
int own_kb;  // of the session, while a gate is open

void Open(int number) {
  own_kb = work_mem;
  work_mem = Max(work_mem, gates[number].raised_kb);
  open_gate = number;
}

void Close() {
  if (open_gate < 0) return;
  work_mem = own_kb;
  open_gate = -1;
}

bool IsSetUp(const Gate& gate) {
  if (gate.when == RaiseAt::kBuild) return gate.over_with;
  switch (nodeTag(gate.node)) {
    case T_SortState:
      return reinterpret_cast<SortState*>(gate.node)->tuplesortstate != nullptr;
    case T_IncrementalSortState: {
      auto* sort = reinterpret_cast<IncrementalSortState*>(gate.node);
      return sort->fullsort_state != nullptr && sort->prefixsort_state != nullptr;
    }
    case T_MaterialState:
      return reinterpret_cast<MaterialState*>(gate.node)->tuplestorestate != nullptr;
    case T_HashJoinState:
      return reinterpret_cast<HashJoinState*>(gate.node)->hj_HashTable != nullptr;
    default:
      return gate.over_with;
  }
}

// Whatever stands at the node and holds `from` is given `to`. What holds it elsewhere goes on through the gate.
bool Relink(PlanState* node, int wrapper, ExecProcNodeMtd from, ExecProcNodeMtd to) {
  bool done = wrapper >= 0 && StillWrapped(node, wrapper) && RebaseWrapper(node, wrapper, from, to);
  if (node->ExecProcNodeReal == from) {
    node->ExecProcNodeReal = to;
    done = true;
  }
  if (node->ExecProcNode == from) {
    node->ExecProcNode = to;
    done = true;
  }
  for (Gate& other : gates)
    if (other.tracker != nullptr && other.node == node && other.real == from) other.real = to;
  return done;
}

bool HasSpilled(const Gate& gate) { return reinterpret_cast<AggState*>(gate.node)->hash_ever_spilled; }

TupleTableSlot* PassRefill(int number, PlanState* node) {
  Gate& gate = gates[number];
  auto* agg = reinterpret_cast<AggState*>(node);
  if (agg->table_filled && agg->hash_ever_spilled) Open(number);
  TupleTableSlot* slot = gate.real(node);
  if (open_gate == number) Close();
  // One that has not spilled by now is not filled again.
  if (agg->table_filled && !agg->hash_ever_spilled) gate.over_with = true;
  return slot;
}

// Sorts are begun before the next row is called for, but for the first group: after its first row has come.
TupleTableSlot* PassGroups(int number, PlanState* node) {
  Gate& gate = gates[number];
  gate.started = reinterpret_cast<AggState*>(node)->grp_firstTuple != nullptr;
  gate.group_rows = gate.started ? 1 : 0;
  Open(number);
  TupleTableSlot* slot = gate.real(node);
  if (open_gate == number) Close();
  gate.most_group_rows = Max(gate.most_group_rows, gate.group_rows);
  return slot;
}

// Partitions begin amid a call, at once where the first row of the next one has been read by the one before.
TupleTableSlot* PassPartitions(int number, PlanState* node) {
  Gate& gate = gates[number];
  auto* window = reinterpret_cast<WindowAggState*>(node);
  Open(number);
  TupleTableSlot* slot = gate.real(node);
  if (open_gate == number) Close();
  gate.most_group_rows = Max(gate.most_group_rows, HeldNow(window, gate.keeps_behind));
  gate.spilled = gate.spilled || (window->buffer != nullptr && !tuplestore_in_memory(window->buffer));
  return slot;
}

TupleTableSlot* PassInput(int number, PlanState* node) {
  Gate& gate = gates[number];
  const int over = gate.over;
  const bool was_open = open_gate == over;
  if (was_open) Close();
  TupleTableSlot* slot = gate.real(node);
  Gate& above = gates[over];
  if (above.when == RaiseAt::kRefill) {
    if (TupIsNull(slot) && HasSpilled(above)) Open(over);
    return slot;
  }
  if (above.when == RaiseAt::kEachGroup) {
    if (!TupIsNull(slot)) ++above.group_rows;
    if (was_open && !above.started && !TupIsNull(slot)) Open(over);
    above.started = true;
    return slot;
  }
  if (above.when == RaiseAt::kBuild) {
    // The outer input is not called before the table is built.
    if (TupIsNull(slot) || node == outerPlanState(above.node)) above.over_with = true;
    if (was_open && !above.over_with) Open(over);
    return slot;
  }
  if (above.when == RaiseAt::kFirstInput) {
    if (!above.started && !TupIsNull(slot)) {
      above.started = true;
      Open(over);
    } else if (above.started) {
      above.over_with = true;
    }
  } else if (was_open && !IsSetUp(above)) {
    Open(over);
  }
  return slot;
}

TupleTableSlot* PassNode(int number, PlanState* node) {
  Gate& gate = gates[number];
  if (gate.over_with) return gate.real(node);
  if ((gate.when == RaiseAt::kCall || gate.when == RaiseAt::kBuild) && !IsSetUp(gate)) {
    if (!gate.started) {
      gate.started = true;
      gate.raised_kb = Max(gate.raised_kb, NodeStarts(gate.tracker, gate.shaped, gate.raised_kb));
    }
    Open(number);
  }
  TupleTableSlot* slot = gate.real(node);
  if (open_gate == number) Close();
  if (gate.when == RaiseAt::kBuild) gate.over_with = true;
  if (!gate.told && IsSetUp(gate)) {
    gate.over_with = gate.told = true;
    NodeIsSetUp(gate.tracker, gate.shaped);
  }
  return slot;
}

// A Gather that is scanned anew launches anew.
bool HasLaunched(const PlanState* node) {
  return IsA(node, GatherState) ? reinterpret_cast<const GatherState*>(node)->initialized
                                : reinterpret_cast<const GatherMergeState*>(node)->initialized;
}

TupleTableSlot* PassLaunch(Gate& gate, PlanState* node) {
  gate.over_with = true;
  StartGather(node);
  GatherStarted(gate.tracker, gate.awaited);
  return gate.real(node);
}

template <int N>
TupleTableSlot* AtGate(PlanState* node);

template <size_t... N>
constexpr std::array<ExecProcNodeMtd, sizeof...(N)> GateTable(std::index_sequence<N...>) {
  return {AtGate<static_cast<int>(N)>...};
}
constexpr auto kPass = GateTable(std::make_index_sequence<kGates>());

template <int N>
TupleTableSlot* AtGate(PlanState* node) {
  Gate& gate = gates[N];
  if (gate.fills && open_gate != gate.over && !gates[gate.over].over_with) {
    TupleTableSlot* slot = gate.real(node);
    if (unlikely(TupIsNull(slot)) && HasSpilled(gates[gate.over])) Open(gate.over);
    return slot;
  }
  if (gate.awaited >= 0 && (!gate.over_with || (gate.stays && !HasLaunched(node)))) return PassLaunch(gate, node);
  // Nothing is left to do here.
  if (gate.over >= 0 && open_gate == gate.over) return PassInput(N, node);
  if (gate.over_with || (gate.over >= 0 && IsSetUp(gates[gate.over]))) {
    gate.over_with = true;
    if (gate.stays) return gate.real(node);
    if (!gate.left) Relink(node, gate.wrapper, kPass[N], gate.real);
    gate.left = true;
    return gate.real(node);
  }
  if (gate.over >= 0) return PassInput(N, node);
  if (gate.when == RaiseAt::kEachGroup) return PassGroups(N, node);
  if (gate.when == RaiseAt::kEachPartition) return PassPartitions(N, node);
  return gate.when == RaiseAt::kRefill ? PassRefill(N, node) : PassNode(N, node);
}

int TakeGate() {
  for (int i = 0; i < kGates; ++i)
    if (gates[i].tracker == nullptr) return i;
  return -1;
}

Gate* InputGateAt(const PlanState* node) {
  for (Gate& gate : gates)
    if (gate.tracker != nullptr && gate.node == node && gate.over >= 0) return &gate;
  return nullptr;
}

// -1: none is free, or something else stands there.
int Stand(Tracker* tracker, int shaped, PlanState* node, int wrapper, int over) {
  int number = TakeGate();
  if (number < 0 || node == nullptr || node->ExecProcNode == nullptr || node->ExecProcNodeReal == nullptr) return -1;
  if (wrapper >= 0 && !StillWrapped(node, wrapper)) return -1;
  const ExecProcNodeMtd pass = kPass[static_cast<size_t>(number)];
  Gate* input = over < 0 ? InputGateAt(node) : nullptr;
  ExecProcNodeMtd real = wrapper >= 0 ? WrapperAt(wrapper).real : node->ExecProcNodeReal;
  if (input != nullptr) {
    // A parent's gate closes before this one opens: it stays on the outside.
    real = input->real;
    input->real = pass;
  } else if (!Relink(node, wrapper, real, pass)) {
    // Without a wrapper ExecProcNodeFirst() and the clock look at ExecProcNodeReal.
    return -1;
  }
  Gate& gate = gates[number];
  gate = Gate{};
  gate.tracker = tracker;
  gate.node = node;
  gate.real = real;
  gate.wrapper = wrapper;
  gate.over = over;
  gate.shaped = static_cast<short>(shaped);
  gate.awaited = -1;
  return number;
}

void Remove(int number) {
  Gate& gate = gates[number];
  Relink(gate.node, gate.wrapper, kPass[static_cast<size_t>(number)], gate.real);
  gate.tracker = nullptr;
}

EVERY_STATEMENT void AtTransactionEnd(XactEvent, void*) { Close(); }
void AtSubtransactionEnd(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  if (event == SUBXACT_EVENT_ABORT_SUB) Close();
}

}  // namespace

bool RaiseFor(Tracker* tracker, int shaped, PlanState* node, int wrapper, int work_mem_kb, RaiseAt when,
              const GateInput* inputs, int input_count, bool stay) {
  int stood[4];
  int count = 0;
  int over = Stand(tracker, shaped, node, wrapper, -1);
  if (over < 0) return false;
  gates[over].raised_kb = work_mem_kb;
  gates[over].when = when;
  if (when == RaiseAt::kEachPartition)
    gates[over].keeps_behind = KeepsRowsBehind(reinterpret_cast<WindowAggState*>(node));
  stood[count++] = over;
  for (int i = 0; i < input_count; ++i) {
    int input = Stand(tracker, shaped, inputs[i].state, inputs[i].wrapper, over);
    if (input >= 0) {
      gates[input].fills = when == RaiseAt::kRefill;
      stood[count++] = input;
      continue;
    }
    // An input that cannot be guarded would run under this node's memory.
    while (count > 0) Remove(stood[--count]);
    return false;
  }
  for (int i = 0; i < count; ++i) gates[stood[i]].stays = stay;
  return true;
}

bool RearmGates(const Tracker* tracker, int shaped) {
  bool found = false;
  for (Gate& gate : gates) {
    if (gate.tracker != tracker || gate.shaped != shaped || !gate.stays) continue;
    gate.over_with = gate.started = gate.told = false;
    found = true;
  }
  return found;
}

bool AwaitLaunch(Tracker* tracker, int gather, PlanState* node, int wrapper, bool again) {
  for (const Gate& gate : gates)
    if (gate.tracker == tracker && gate.node == node && gate.awaited == gather) return true;
  int number = Stand(tracker, -1, node, wrapper, -1);
  if (number < 0) return false;
  gates[number].awaited = static_cast<short>(gather);
  gates[number].stays = again;
  return true;
}

void RaiseGate(const Tracker* tracker, int shaped, int work_mem_kb) {
  for (Gate& gate : gates)
    if (gate.tracker == tracker && gate.shaped == shaped && gate.over < 0)
      gate.raised_kb = Max(gate.raised_kb, work_mem_kb);
}

double MostGroupRows(const Tracker* tracker, const PlanState* node) {
  for (const Gate& gate : gates)
    if (gate.tracker == tracker && gate.node == node && gate.over < 0 &&
        (gate.when == RaiseAt::kEachGroup || gate.when == RaiseAt::kEachPartition))
      return gate.most_group_rows;
  return -1;
}

bool SpilledAtGate(const Tracker* tracker, const PlanState* node) {
  for (const Gate& gate : gates)
    if (gate.tracker == tracker && gate.node == node && gate.over < 0 && gate.spilled) return true;
  return false;
}

void ReleaseGates(const Tracker* tracker) {
  for (int i = 0; i < kGates; ++i) {
    if (gates[i].tracker != tracker) continue;
    if (open_gate == i) Close();
    gates[i].tracker = nullptr;
  }
}

int CloseGate() {
  int gate = open_gate;
  Close();
  return gate;
}

void ReopenGate(int gate) {
  if (gate >= 0 && gates[gate].tracker != nullptr && !IsSetUp(gates[gate])) Open(gate);
}

void InstallMemoryGates() {
  RegisterXactCallback(AtTransactionEnd, nullptr);
  RegisterSubXactCallback(AtSubtransactionEnd, nullptr);
}

}  // namespace query_shaper
