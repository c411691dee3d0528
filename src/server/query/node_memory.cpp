#include "pg/pg.h"

#include "server/query/node_memory.h"

#include <cmath>

#include "server/query/counting.h"
#include "server/query/memory_gates.h"
#include "server/query/plan_states.h"
#include "server/query/window_rows.h"
extern "C" {
#include "access/transam.h"
#include "executor/executor.h"
#include "executor/hashjoin.h"
#include "executor/nodeAgg.h"
#include "executor/nodeHash.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/guc.h"
#include "utils/tuplesort.h"
#include "utils/tuplestore.h"
}

namespace query_shaper {
namespace {

PlanState* StateOf(const Tracker* tracker, int i) { return i < 0 ? nullptr : tracker->nodes[i].state; }

// Of a Hash: its join.
int OwnerOf(const Tracker* tracker, int i) {
  return tracker->plan.nodes[i].op == Operator::kHash ? tracker->plan.nodes[i].parent : i;
}

HashJoinState* JoinOf(const Tracker* tracker, int hash) {
  PlanState* state = StateOf(tracker, tracker->plan.nodes[hash].parent);
  return state != nullptr && IsA(state, HashJoinState) ? reinterpret_cast<HashJoinState*>(state) : nullptr;
}

// Nodes below a Gather depend on a parameter of its own: it says no more than that it is scanned anew.
int OwnParameter(const PlanState* gather) {
  if (gather == nullptr) return -1;
  return IsA(gather, GatherState) ? reinterpret_cast<const Gather*>(gather->plan)->rescan_param
                                  : reinterpret_cast<const GatherMerge*>(gather->plan)->rescan_param;
}

bool RunsUnderParameters(const Tracker* tracker, int i, int launch) {
  const Bitmapset* params = StateOf(tracker, i)->plan->extParam;
  const int harmless = OwnParameter(StateOf(tracker, launch));
  for (int param = bms_next_member(params, -1); param >= 0; param = bms_next_member(params, param))
    if (param != harmless) return MayRunAgain(tracker, i);
  return false;
}

bool IsUsersFunction(Oid function, void*) { return function >= FirstNormalObjectId; }

bool CallsUsersFunction(Node* node, void* context) {
  if (node == nullptr) return false;
  if (check_functions_in_node(node, IsUsersFunction, context)) return true;
  return expression_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(CallsUsersFunction)),
                                context);
}

bool SortsArguments(const AggState* agg) {
  auto* plan = reinterpret_cast<const Agg*>(agg->ss.ps.plan);
  return (agg->aggstrategy == AGG_PLAIN || agg->aggstrategy == AGG_SORTED) && plan->chain == NIL &&
         plan->groupingSets == NIL;
}

// While its sorts are begun the arguments for the first row are computed: they must not care for work_mem.
bool SortsPlainly(const AggState* agg) {
  ListCell* cell;
  foreach (cell, agg->aggs) {
    auto* call = static_cast<Node*>(lfirst(cell));
    if (contain_mutable_functions(call) || contain_subplans(call) || CallsUsersFunction(call, nullptr)) return false;
  }
  return true;
}

// A spilled aggregate works under its own limit, results and transitions of its groups included.
bool GroupsPlainly(const AggState* agg) {
  auto* plan = reinterpret_cast<const Agg*>(agg->ss.ps.plan);
  for (int key = 0; key < plan->numCols; ++key)
    if (plan->grpOperators[key] >= FirstNormalObjectId) return false;
  for (List* list : {plan->plan.targetlist, plan->plan.qual}) {
    auto* node = reinterpret_cast<Node*>(list);
    if (contain_mutable_functions(node) || contain_subplans(node) || CallsUsersFunction(node, nullptr)) return false;
  }
  return true;
}

// While its table is built its keys are computed under its own limit; a process that finds the table built calls no
// input before its rows are joined.
bool JoinsPlainly(const HashJoinState* join) {
  auto* plan = reinterpret_cast<const HashJoin*>(join->js.ps.plan);
  ListCell* cell;
  foreach (cell, plan->hashoperators)
    if (lfirst_oid(cell) >= FirstNormalObjectId) return false;
  for (List* list : {plan->hashkeys, reinterpret_cast<const Hash*>(innerPlan(plan))->hashkeys, plan->hashclauses,
                     plan->join.joinqual, plan->join.plan.qual, plan->join.plan.targetlist}) {
    auto* node = reinterpret_cast<Node*>(list);
    if (contain_mutable_functions(node) || contain_subplans(node) || CallsUsersFunction(node, nullptr)) return false;
  }
  return true;
}

bool IsCommonJoin(const PlanState* state) {
  return state != nullptr && IsA(state, HashJoinState) && state->plan->parallel_aware;
}

// The launch of workers has taken it from a parallel hash join.
int WrapperOf(const Tracker* tracker, int i) {
  int wrapper = i < 0 ? -1 : tracker->nodes[i].wrapper;
  PlanState* state = StateOf(tracker, i);
  return wrapper >= 0 && IsCommonJoin(state) && !StillWrapped(state, wrapper) ? -1 : wrapper;
}

// Partitions begin amid a call, so that functions of the rows before and after it are computed under its limit.
bool WindowsPlainly(const WindowAggState* window) {
  auto* plan = reinterpret_cast<const WindowAgg*>(window->ss.ps.plan);
  for (int key = 0; key < plan->partNumCols; ++key)
    if (plan->partOperators[key] >= FirstNormalObjectId) return false;
  for (int key = 0; key < plan->ordNumCols; ++key)
    if (plan->ordOperators[key] >= FirstNormalObjectId) return false;
  for (Node* node : {reinterpret_cast<Node*>(plan->plan.targetlist), reinterpret_cast<Node*>(plan->plan.qual),
                     reinterpret_cast<Node*>(plan->runCondition), plan->startOffset, plan->endOffset})
    if (contain_mutable_functions(node) || contain_subplans(node) || CallsUsersFunction(node, nullptr)) return false;
  return true;
}

GateInput InputOf(const Tracker* tracker, int i) { return {StateOf(tracker, i), WrapperOf(tracker, i)}; }

bool GiveByGate(Tracker* tracker, int shaped, int work_mem_kb, RaiseAt when) {
  int i = tracker->memory.nodes[shaped].index;
  int owner = OwnerOf(tracker, i);
  const int launch = tracker->memory.nodes[shaped].launch;
  GateInput inputs[2];
  int count = 0;
  inputs[count++] = InputOf(tracker, ChildIn(tracker->plan, owner, ChildRole::kOuter));
  if (owner != i) inputs[count++] = InputOf(tracker, ChildIn(tracker->plan, i, ChildRole::kOuter));
  for (int input = 0; input < count; ++input)
    if (inputs[input].state == nullptr) return false;
  return RaiseFor(tracker, shaped, StateOf(tracker, owner), WrapperOf(tracker, owner), work_mem_kb, when, inputs, count,
                  launch >= 0 && MayRunAgain(tracker, launch));
}

bool GiveGroups(AggState* agg, int work_mem_kb) {
  if (agg->table_filled || agg->hash_ngroups_current > 0 || agg->hash_ever_spilled) return false;
  double groups = 0;
  for (int k = 0; k < agg->num_hashes; ++k) groups += static_cast<double>(agg->perhash[k].aggnode->numGroups);
  int own = work_mem;
  work_mem = work_mem_kb;  // nothing in between can raise
  hash_agg_set_limits(agg->hashentrysize, groups, 0, &agg->hash_mem_limit, &agg->hash_ngroups_limit,
                      &agg->hash_planned_partitions);
  work_mem = own;
  return true;
}

struct CteReaders {
  const CteScanState* leader;
  CteScanState* readers[16];
  int count;
  bool too_many;
};

void CollectReader(PlanState* state, void* context) {
  auto* found = static_cast<CteReaders*>(context);
  if (!IsA(state, CteScanState)) return;
  auto* scan = reinterpret_cast<CteScanState*>(state);
  if (scan->leader != found->leader || scan == found->leader) return;
  if (scan->readptr < 1 || scan->readptr > static_cast<int>(lengthof(found->readers)))
    found->too_many = true;
  else
    found->readers[scan->readptr - 1] = scan;
  ++found->count;
}

// The store is made when nodes are initialised: an empty one is replaced, with a place for each of its readers.
bool GiveCte(const Tracker* tracker, CteScanState* leader, int work_mem_kb) {
  if (leader->leader != leader || leader->cte_table == nullptr || leader->eof_cte ||
      tuplestore_tuple_count(leader->cte_table) != 0)
    return false;
  CteReaders found = {leader, {}, 0, false};
  VisitPlanStates(tracker->query->estate, tracker->query->planstate, CollectReader, &found);
  if (found.too_many) return false;
  for (int reader = 0; reader < found.count; ++reader)
    if (found.readers[reader] == nullptr) return false;
  MemoryContext caller = MemoryContextSwitchTo(tracker->query->estate->es_query_cxt);
  Tuplestorestate* store = tuplestore_begin_heap(true, false, work_mem_kb);
  tuplestore_set_eflags(store, leader->eflags);
  for (int reader = 0; reader < found.count; ++reader)
    (void)tuplestore_alloc_read_pointer(store, found.readers[reader]->eflags);
  tuplestore_end(leader->cte_table);
  leader->cte_table = store;
  MemoryContextSwitchTo(caller);
  return true;
}

Tuplestorestate* StoreOf(const PlanState* state) {
  if (state == nullptr) return nullptr;
  if (IsA(state, MaterialState)) return reinterpret_cast<const MaterialState*>(state)->tuplestorestate;
  if (!IsA(state, CteScanState)) return nullptr;
  auto* scan = reinterpret_cast<const CteScanState*>(state);
  return scan->leader == scan ? scan->cte_table : nullptr;
}

bool SortStats(const PlanState* state, TuplesortInstrumentation* stats) {
  if (state == nullptr || !IsA(state, SortState)) return false;
  auto* sort = reinterpret_cast<const SortState*>(state);
  if (!sort->sort_Done || sort->tuplesortstate == nullptr) return false;
  tuplesort_get_stats(static_cast<Tuplesortstate*>(sort->tuplesortstate), stats);
  return true;
}

// Sorts of single values that are no pointers hold nothing beside their arrays: the share of what rows would take. All
// sorts of a node have the same limit, that of the largest.
double ArgumentShare(const PlanState* state) {
  if (state == nullptr || !IsA(state, AggState)) return 1;
  auto* agg = reinterpret_cast<const AggState*>(state);
  for (int t = 0; t < agg->numtrans; ++t) {
    const AggStatePerTransData& call = agg->pertrans[t];
    if (call.numSortCols == 0) continue;
    if (call.numInputs != 1 || call.sortdesc == nullptr || !TupleDescAttr(call.sortdesc, 0)->attbyval) return 1;
  }
  constexpr double kValueShare = 0.34;  // 24 bytes of 72 at the least
  return kValueShare;
}

// The rows of a CTE are those of its own plan, whatever the scan leaves of them.
const Plan* PlanOfCte(const Tracker* tracker, int i) {
  PlanState* state = StateOf(tracker, i);
  if (state == nullptr || !IsA(state, CteScanState)) return nullptr;
  auto* scan = reinterpret_cast<CteScanState*>(state);
  return scan->cteplanstate != nullptr ? scan->cteplanstate->plan : nullptr;
}

double RowsOf(const Tracker* tracker, int i) {
  if (i < 0) return 0;
  double rows = tracker->counters[i].rows;
  return rows >= 0 ? rows : static_cast<double>(tracker->progress.nodes()[i].refined_rows);
}

double NeedForRows(const Tracker* tracker, int i, double rows) { return NeedOfRows(tracker, i, rows, 0.1).kb; }

void ReadSortNeed(const Tracker* tracker, ShapedNode* node) {
  TuplesortInstrumentation stats;
  if (!SortStats(StateOf(tracker, node->index), &stats)) return;
  node->needed_kb = static_cast<float>(stats.spaceUsed);
  node->spilled = stats.spaceType == SORT_SPACE_TYPE_DISK;
  if (!node->spilled) return;
  double rows = Max(1, RowsOf(tracker, HeldRowsOf(tracker->plan, node->index)));
  double row_bytes = static_cast<double>(stats.spaceUsed) * 1024 / rows;
  node->needed_kb = static_cast<float>(rows * SortRowBytes(row_bytes) / 1024);
}

void ReadHashNeed(const Tracker* tracker, ShapedNode* node) {
  HashJoinState* join = JoinOf(tracker, node->index);
  HashJoinTable table = join != nullptr ? join->hj_HashTable : nullptr;
  if (table == nullptr || table->parallel_state != nullptr) return;
  if (node->common) {
    // What is left in the leader when the table itself is gone. One that came too late has seen none of its batches.
    if (table->batches == nullptr) return;
    node->spilled = table->nbatch > 1;
    double needed_kb = NeedForRows(tracker, node->index, table->totalTuples);
    if (!node->spilled) needed_kb = Max(needed_kb, 1.03 * static_cast<double>(table->spacePeak) / 1024);
    node->needed_kb = static_cast<float>(needed_kb);
    return;
  }
  node->spilled = table->nbatch > 1;
  node->needed_kb = static_cast<float>(node->spilled ? NeedForRows(tracker, node->index, table->totalTuples)
                                                     : 1.03 * static_cast<double>(table->spacePeak) / 1024);
}

void ReadGroupsNeed(const Tracker* tracker, ShapedNode* node) {
  auto* agg = reinterpret_cast<const AggState*>(StateOf(tracker, node->index));
  if (agg == nullptr || !IsA(agg, AggState) || agg->hash_mem_peak == 0) return;
  node->spilled = agg->hash_ever_spilled;
  double needed = static_cast<double>(agg->hash_mem_peak);
  if (node->spilled) {
    constexpr double kTable = 24 * 2 / 0.9;  // slots of it, at worst
    double groups = Max(1, RowsOf(tracker, node->index));
    // HAVING hides groups, and what it took to spill was not enough.
    double not_enough = (agg->ss.ps.plan->qual != NIL ? 2 : 1.2) * needed;
    needed = Max(not_enough, 1.1 * groups * (agg->hashentrysize + kTable));
  }
  node->needed_kb = static_cast<float>(1.05 * needed / 1024);
}

// Its sorts have ended with their groups, and nobody knows whether they spilled.
void ReadDistinctNeed(const Tracker* tracker, ShapedNode* node) {
  const PlanState* state = StateOf(tracker, node->index);
  if (state == nullptr || !IsA(state, AggState)) return;
  double rows = RowsOf(tracker, HeldRowsOf(tracker->plan, node->index));
  if (reinterpret_cast<const AggState*>(state)->aggstrategy == AGG_SORTED) rows = MostGroupRows(tracker, state);
  if (rows < 0) return;
  static PlanTree one;
  one = tracker->plan;
  one.nodes[node->index].agg = AggStrategy::kPlain;  // that of one group
  NodeNeed need = PredictNeedOf(one, node->index, rows, 0.1);
  node->needed_kb = static_cast<float>(ArgumentShare(state) * need.kb);
}

void ReadStoreNeed(const Tracker* tracker, ShapedNode* node) {
  Tuplestorestate* store = StoreOf(StateOf(tracker, node->index));
  if (store == nullptr) return;
  node->spilled = !tuplestore_in_memory(store);
  auto rows = static_cast<double>(tuplestore_tuple_count(store));
  if (rows > 0) node->needed_kb = static_cast<float>(NeedForRows(tracker, node->index, rows));
}

void ReadWindowNeed(const Tracker* tracker, ShapedNode* node) {
  const PlanState* state = StateOf(tracker, node->index);
  double rows = MostGroupRows(tracker, state);
  if (rows < 0) return;
  node->spilled = SpilledAtGate(tracker, state);
  node->needed_kb = static_cast<float>(NeedForRows(tracker, node->index, rows));
}

}  // namespace

NodeNeed NeedOfRows(const Tracker* tracker, int i, double rows, double log_sd) {
  const Plan* cte = PlanOfCte(tracker, i);
  if (cte == nullptr) return PredictNeedOf(tracker->plan, i, rows, log_sd);
  static PlanTree one;
  one.count = 1;
  one.nodes[0] = tracker->plan.nodes[i];
  one.nodes[0].parent = -1;
  one.nodes[0].width = cte->plan_width;
  return PredictNeedOf(one, 0, rows, log_sd);
}

NodeNeed NeedOf(const Tracker* tracker, int i, double log_sd, double processes, double pieces) {
  const Plan* cte = PlanOfCte(tracker, i);
  if (cte != nullptr) return NeedOfRows(tracker, i, cte->plan_rows, log_sd);
  PlanState* state = StateOf(tracker, i);
  if (state != nullptr && IsA(state, WindowAggState))
    return PredictWindowNeed(tracker->plan, i, pieces, HoldsPieces(reinterpret_cast<const WindowAggState*>(state)),
                             log_sd);
  if (state != nullptr && IsA(state, HashState) && state->plan->parallel_aware) {
    constexpr double kOpenChunksKb = 64;  // of each process
    NodeNeed need = NeedOfRows(tracker, i, reinterpret_cast<const Hash*>(state->plan)->rows_total, log_sd);
    double outer_kb = NeedOfRows(tracker, i, 0, log_sd).spill_kb;  // each process counts its own
    need.spill_kb += (processes - 1) * outer_kb;
    need.probes *= processes;
    double grown = need.kb > 0 ? 1 + kOpenChunksKb * processes / need.kb : 1;
    need.kb *= grown;
    need.low_kb *= grown;
    need.high_kb *= grown;
    return need;
  }
  NodeNeed need = PredictNeed(tracker->plan, i, log_sd, processes);
  if (need.kind == NeedKind::kDistinct) {
    double share = ArgumentShare(StateOf(tracker, i));
    need.kb *= share;
    need.low_kb *= share;
    need.high_kb *= share;
  }
  return need;
}

bool HoldsRows(const Tracker* tracker, int i) {
  PlanState* state = StateOf(tracker, i);
  if (state == nullptr) return false;
  // What only marks a place drops the rows before it.
  if (IsA(state, MaterialState)) return (reinterpret_cast<MaterialState*>(state)->eflags & EXEC_FLAG_REWIND) != 0;
  if (!IsA(state, CteScanState)) return true;
  return reinterpret_cast<CteScanState*>(state)->leader == reinterpret_cast<CteScanState*>(state);
}

bool MayRunAgain(const Tracker* tracker, int i) {
  for (int at = i; at >= 0; at = tracker->plan.nodes[at].parent) {
    const PlanNode& node = tracker->plan.nodes[at];
    if (node.role == ChildRole::kSubPlan) return true;
    if (node.role != ChildRole::kInner || node.parent < 0) continue;
    Operator above = tracker->plan.nodes[node.parent].op;
    if (above == Operator::kNestLoop || above == Operator::kRecursiveUnion) return true;
  }
  return false;
}

const char* WhyNotGiven(const Tracker* tracker, int i, NeedKind kind, int launch) {
  static const char* const kCannot = "the memory of a node cannot be set";
  static const char* const kFunctions = "functions of users, or not immutable, would run under the memory of a node";
  PlanState* state = StateOf(tracker, i);
  if (state == nullptr) return kCannot;
  if (RunsUnderParameters(tracker, i, launch)) return "a node is run again and again under other parameters";
  switch (kind) {
    case NeedKind::kSort:
      return IsA(state, SortState) || IsA(state, IncrementalSortState) ? nullptr : kCannot;
    case NeedKind::kHash: {
      HashJoinState* join = JoinOf(tracker, i);
      if (join == nullptr || join->hj_HashTable != nullptr) return kCannot;
      return !IsCommonJoin(&join->js.ps) || JoinsPlainly(join) ? nullptr : kFunctions;
    }
    case NeedKind::kGroups:
      if (!IsA(state, AggState) || reinterpret_cast<AggState*>(state)->hash_mem_limit == 0) return kCannot;
      return GroupsPlainly(reinterpret_cast<AggState*>(state)) ? nullptr : kFunctions;
    case NeedKind::kStore:
      return IsA(state, MaterialState) && reinterpret_cast<MaterialState*>(state)->eflags != 0 ? nullptr : kCannot;
    case NeedKind::kCte:
      return HoldsRows(tracker, i) ? nullptr : kCannot;
    case NeedKind::kWindow:
      if (!IsA(state, WindowAggState)) return kCannot;
      return WindowsPlainly(reinterpret_cast<WindowAggState*>(state)) ? nullptr : kFunctions;
    case NeedKind::kDistinct:
      if (!IsA(state, AggState) || !SortsArguments(reinterpret_cast<AggState*>(state))) return kCannot;
      return SortsPlainly(reinterpret_cast<AggState*>(state)) ? nullptr : kFunctions;
    default:
      return kCannot;
  }
}

int WorkMemFor(double limit_kb, bool hash_limit) {
  double kb = hash_limit ? std::ceil(limit_kb / Max(1.0, hash_mem_multiplier)) : std::floor(limit_kb);
  return static_cast<int>(Min(kb, static_cast<double>(MAX_KILOBYTES)));
}

bool GiveNode(Tracker* tracker, int shaped, double limit_kb) {
  const ShapedNode& node = tracker->memory.nodes[shaped];
  int kb = WorkMemFor(limit_kb, node.hash_limit);
  PlanState* state = StateOf(tracker, node.index);
  if (kb <= work_mem || state == nullptr) return false;
  switch (node.kind) {
    case NeedKind::kGroups:
      return GiveByGate(tracker, shaped, kb, RaiseAt::kRefill) && GiveGroups(reinterpret_cast<AggState*>(state), kb);
    case NeedKind::kCte:
      return GiveCte(tracker, reinterpret_cast<CteScanState*>(state), kb);
    case NeedKind::kDistinct: {
      int sorts = Max(1, static_cast<int>(tracker->plan.nodes[node.index].sorted_inputs));
      bool grouped = reinterpret_cast<AggState*>(state)->aggstrategy == AGG_SORTED;
      return kb / sorts > work_mem &&
             GiveByGate(tracker, shaped, kb / sorts, grouped ? RaiseAt::kEachGroup : RaiseAt::kFirstInput);
    }
    case NeedKind::kWindow:
      return GiveByGate(tracker, shaped, kb, RaiseAt::kEachPartition);
    default:
      return GiveByGate(tracker, shaped, kb, node.common ? RaiseAt::kBuild : RaiseAt::kCall);
  }
}

void WatchNode(Tracker* tracker, int shaped) {
  const ShapedNode& node = tracker->memory.nodes[shaped];
  int input = ChildIn(tracker->plan, node.index, ChildRole::kOuter);
  if (node.kind != NeedKind::kWindow || node.fixed || node.shaped || input < 0) return;
  double all_kb = PredictNeedOf(tracker->plan, node.index, tracker->plan.nodes[input].rows, 0.1).kb;
  if (all_kb > static_cast<double>(node.floor_kb)) (void)GiveByGate(tracker, shaped, 0, RaiseAt::kEachPartition);
}

double PlannedGroupsKb(const Tracker* tracker, int i) {
  PlanState* state = StateOf(tracker, i);
  if (state == nullptr || !IsA(state, AggState)) return 0;
  auto* agg = reinterpret_cast<AggState*>(state);
  double groups = 0;
  for (int k = 0; k < agg->num_hashes; ++k) groups += static_cast<double>(agg->perhash[k].aggnode->numGroups);
  return agg->num_hashes > 0 ? groups * agg->hashentrysize / 1024 : 0;
}

double UsedKb(const Tracker* tracker, const ShapedNode& node) {
  TuplesortInstrumentation stats;
  switch (node.kind) {
    case NeedKind::kSort:
      if (!SortStats(StateOf(tracker, node.index), &stats) || stats.spaceType == SORT_SPACE_TYPE_DISK) return -1;
      return static_cast<double>(stats.spaceUsed);
    case NeedKind::kHash: {
      HashJoinState* join = JoinOf(tracker, node.index);
      if (join == nullptr || join->hj_HashTable == nullptr || join->hj_HashTable->nbatch > 1) return -1;
      return static_cast<double>(join->hj_HashTable->spaceUsed) / 1024;
    }
    case NeedKind::kDistinct:
      return 0;  // its sorts have ended with it
    default:
      return -1;
  }
}

bool HasSpilled(const Tracker* tracker, const ShapedNode& node) {
  const PlanState* state = tracker->nodes[node.index].state;
  return node.kind == NeedKind::kGroups && state != nullptr &&
         reinterpret_cast<const AggState*>(state)->hash_ever_spilled;
}

void ReadNeed(const Tracker* tracker, ShapedNode* node) {
  node->needed_kb = -1;
  node->spilled = false;
  // Of what workers hold the leader knows nothing.
  if (tracker->plan.nodes[node->index].under_gather && !node->common) return;
  switch (node->kind) {
    case NeedKind::kSort:
      ReadSortNeed(tracker, node);
      break;
    case NeedKind::kHash:
      ReadHashNeed(tracker, node);
      break;
    case NeedKind::kGroups:
      ReadGroupsNeed(tracker, node);
      break;
    case NeedKind::kStore:
    case NeedKind::kCte:
      ReadStoreNeed(tracker, node);
      break;
    case NeedKind::kDistinct:
      ReadDistinctNeed(tracker, node);
      break;
    case NeedKind::kWindow:
      ReadWindowNeed(tracker, node);
      break;
    default:
      break;
  }
}

bool SamePlan(const StatementSlot& statement, const PlanTree& plan) {
  for (int i = 0; i < plan.count; ++i) {
    bool found = false;
    for (int s = 0; s < statement.node_count && !found; ++s)
      found = statement.nodes[s].node_id == plan.nodes[i].node_id && statement.nodes[s].op == plan.nodes[i].op;
    if (!found) return false;
  }
  return plan.count > 0;
}

}  // namespace query_shaper
