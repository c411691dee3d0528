#include "pg/pg.h"

#include "server/scan/batch_reader.h"

#include "pg/fault_point.h"
#include "server/prefetch_plan.h"
#include "server/scan/batch_state.h"
#include "server/settings.h"
#include "server/shared_state.h"
extern "C" {
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

namespace query_shaper {
namespace {

CustomScanMethods batch_plan_methods;
CustomExecMethods batch_exec_methods;

constexpr int64_t kFailuresBorne = 16;
constexpr int64_t kJudgedBlocks = 512;
// Of the blocks asked for, the share that must be read by the rows that they were asked for.
constexpr double kLeastUsed = 0.25;

float WaitedMicroseconds(const RowVisit& visit) {
  timespec wall, cpu;
  clock_gettime(CLOCK_MONOTONIC, &wall);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
  int64_t passed = (wall.tv_sec - visit.wall.tv_sec) * INT64CONST(1000000000) + wall.tv_nsec - visit.wall.tv_nsec;
  int64_t worked = (cpu.tv_sec - visit.cpu.tv_sec) * INT64CONST(1000000000) + cpu.tv_nsec - visit.cpu.tv_nsec;
  return static_cast<float>(Max(passed - worked, 0)) / 1e3F;
}

// What is asked for and not read is worth nothing: clauses that no key tells of, or matches that are cached elsewhere.
void JudgePrecision(BatchState* state) {
  if (state->figures.failed >= kFailuresBorne && state->figures.failed * 2 > state->figures.requests) {
    state->asking = false;
    state->declined = "the requests failed";
  }
  int64_t asked = state->figures.used + state->figures.wasted - state->judged_at;
  if (asked < kJudgedBlocks || state->forced) return;
  int64_t used = state->figures.used - state->judged_used;
  if (static_cast<double>(used) < kLeastUsed * static_cast<double>(asked)) {
    state->asking = false;
    state->declined = "few of the blocks asked for were read";
  }
  state->judged_at = state->figures.used + state->figures.wasted;
  state->judged_used = state->figures.used;
}

// The join has done with the row handed on last. What others above it read in the meantime counts as its own.
void EndVisit(BatchState* state) {
  RowVisit* visit = &state->visit;
  visit->open = false;
  int64_t reads = pgBufferUsage.shared_blks_read - visit->reads;
  BlockVisit seen = {reads > 0, visit->asked > 0, visit->left, -1};
  if (visit->timed && reads > 0) seen.read_us = WaitedMicroseconds(*visit) / static_cast<float>(reads);
  NoteVisit(&state->look, seen);
  if (visit->asked == 0) return;
  int64_t used = Min(reads, static_cast<int64_t>(visit->asked));
  state->figures.used += used;
  state->figures.wasted += visit->asked - used;
  JudgePrecision(state);
}

void BeginVisit(BatchState* state, const RowAhead* row) {
  RowVisit* visit = &state->visit;
  visit->open = true;
  visit->asked = row != nullptr ? row->asked : 0;
  visit->left = row != nullptr && row->left;
  visit->reads = pgBufferUsage.shared_blks_read;
  visit->timed = TimeNextRead(state->look);
  if (!visit->timed) return;
  clock_gettime(CLOCK_MONOTONIC, &visit->wall);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &visit->cpu);
}

TupleTableSlot* NextAhead(BatchState* state) {
  RowAhead* row = &state->ring[state->next & (kBatchRing - 1)];
  state->pending -= row->asked;
  if (state->probed == state->next) ++state->probed;
  ++state->next;
  BeginVisit(state, row);
  if (row->entries.count >= 0) OfferEntries(state->inner, state->probe, &row->entries, &state->fed);
  return row->slot;
}

TupleTableSlot* NextRow(BatchState* state) {
  if (state->visit.open) EndVisit(state);
  if (state->feeds) WithdrawEntries();
  if (state->forced) state->look.distance = state->look.highest = state->look.max_distance;
  if (state->asking && state->look.distance > 1) ReadAhead(state);
  if (state->next != state->read) return NextAhead(state);
  if (state->at_end) return nullptr;
  TupleTableSlot* slot = ExecProcNode(state->child);
  state->at_end = TupIsNull(slot);
  if (!state->at_end) BeginVisit(state, nullptr);
  return slot;
}

TupleTableSlot* ExecBatch(PlanState* plan_state) {
  auto* state = reinterpret_cast<BatchState*>(plan_state);
  TupleTableSlot* slot = state->watching ? NextRow(state) : ExecProcNode(state->child);
  ProjectionInfo* projection = plan_state->ps_ProjInfo;
  if (projection == nullptr) return slot;
  if (TupIsNull(slot)) return ExecClearTuple(projection->pi_state.resultslot);
  ExprContext* context = plan_state->ps_ExprContext;
  ResetExprContext(context);
  context->ecxt_scantuple = slot;
  return ExecProject(projection);
}

TupleTableSlot* ExecBatchScan(CustomScanState* scan) { return ExecBatch(&scan->ss.ps); }

// While a row is checked again after a concurrent update, every relation has one row. A serializable transaction would
// take predicate locks on rows that the join may never come to.
void DecideWhetherToBatch(BatchState* state, int flags) {
  EState* estate = state->scan.ss.ps.state;
  if ((flags & EXEC_FLAG_EXPLAIN_ONLY) != 0 || estate->es_epq_active != nullptr || estate->es_snapshot == nullptr ||
      !IsMVCCSnapshot(estate->es_snapshot) || settings::prefetch_distance < 2)
    return;
  state->watching = Does(settings::prefetch) || Advises(settings::prefetch);
  if (state->values == NIL)
    state->declined = "the keys are not columns of the outer rows";
  else if (IsolationIsSerializable())
    state->declined = "the transaction is serializable";
  state->asking = state->watching && state->declined == nullptr && Does(settings::prefetch);
  state->forced = state->asking && (pg::FaultIs("prefetch", "force") || pg::FaultIs("prefetch", "force_joins"));
  // Rows pass through as if this node were not there.
  if (state->declined != nullptr) state->watching = false;
}

void BeginBatch(CustomScanState* scan, EState* estate, int flags) {
  WithdrawEntries();
  auto* state = reinterpret_cast<BatchState*>(scan);
  auto* plan = reinterpret_cast<CustomScan*>(scan->ss.ps.plan);
  PlanState* child = ExecInitNode(static_cast<struct Plan*>(linitial(plan->custom_plans)), estate, flags);
  state->child = child;
  scan->custom_ps = list_make1(child);
  bool fixed = false;
  const TupleTableSlotOps* ops = ExecGetResultSlotOps(child, &fixed);
  ExecInitScanTupleSlot(estate, &scan->ss, ExecGetResultType(child), ops);
  scan->ss.ps.scanopsfixed = fixed;
  scan->ss.ps.resultopsset = false;
  scan->ss.ps.resultops = nullptr;
  ExecInitResultTupleSlotTL(&scan->ss.ps, &TTSOpsVirtual);
  ExecAssignScanProjectionInfoWithVarno(&scan->ss, INDEX_VAR);
  scan->ss.ps.ExecProcNode = ExecBatch;
  if (flags & EXEC_FLAG_EXPLAIN_ONLY) return;

  state->values = ExecInitExprList(plan->custom_exprs, &scan->ss.ps);
  if (plan->custom_private != NIL) {
    state->description = static_cast<const List*>(linitial(plan->custom_private));
    state->single = linitial_oid(static_cast<const List*>(lsecond(plan->custom_private))) != 0;
  }
  DecideWhetherToBatch(state, flags);
  state->look = MakeLookAhead(Min(settings::prefetch_distance * 4, static_cast<int>(kBatchRows)));
}

void EndBatch(CustomScanState* scan) {
  auto* state = reinterpret_cast<BatchState*>(scan);
  ForgetRows(state);
  if (state->probe != nullptr) CloseProbe(state->probe);
  state->probe = nullptr;
  ReportBatch(state);
  ExecEndNode(state->child);
}

void ReScanBatch(CustomScanState* scan) {
  auto* state = reinterpret_cast<BatchState*>(scan);
  if (state->visit.open) EndVisit(state);
  // Who stops early will do so again.
  if (state->read - state->next > state->next) state->look.distance = Max(state->look.distance / 2, 1);
  ForgetRows(state);
  state->at_end = false;
  if (scan->ss.ps.chgParam != nullptr) UpdateChangedParamSet(state->child, scan->ss.ps.chgParam);
  if (state->child->chgParam == nullptr) ExecReScan(state->child);
}

Node* CreateBatchState(CustomScan*) {
  auto* state = static_cast<BatchState*>(palloc0(sizeof(BatchState)));
  NodeSetTag(state, T_CustomScanState);
  state->scan.methods = &batch_exec_methods;
  state->look = LookAhead();
  state->runs = RequestRuns();
  return reinterpret_cast<Node*>(state);
}

// A column that the outer plan does not hand on cannot be looked up: then the node only passes on.
bool AllHandedOn(const List* values, const List* target) {
  ListCell *value, *entry;
  foreach (value, values) {
    auto* node = static_cast<Node*>(lfirst(value));
    while (IsA(node, RelabelType)) node = reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(node)->arg);
    if (!IsA(node, Var)) continue;
    bool found = false;
    foreach (entry, target) found |= equal(static_cast<TargetEntry*>(lfirst(entry))->expr, node);
    if (!found) return false;
  }
  return true;
}

}  // namespace

List* BatchPrivate(List* description, List* values, bool single) {
  return list_make3(description, values, list_make1_oid(static_cast<Oid>(single)));
}

CustomScan* MakeBatchReader(const CustomPath* path, List* target, struct Plan* child) {
  auto* values = static_cast<List*>(lsecond(path->custom_private));
  CustomScan* plan = makeNode(CustomScan);
  plan->flags = path->flags;
  plan->custom_plans = list_make1(child);
  plan->custom_scan_tlist = static_cast<List*>(copyObjectImpl(child->targetlist));
  if (AllHandedOn(values, child->targetlist)) {
    plan->custom_exprs = static_cast<List*>(copyObjectImpl(values));
    plan->custom_private =
        list_make2(copyObjectImpl(linitial(path->custom_private)), copyObjectImpl(lthird(path->custom_private)));
  }
  plan->methods = &batch_plan_methods;
  plan->scan.plan.targetlist = target;
  return plan;
}

void FeedInner(NestLoopState* join) {
  auto* state = reinterpret_cast<BatchState*>(outerPlanState(join));
  if (!IsA(state, CustomScanState) || state->scan.methods != &batch_exec_methods || !state->asking) return;
  if (StandOverInner(innerPlanState(join))) state->inner = innerPlanState(join);
}

void RegisterBatchReader() {
  batch_plan_methods.CustomName = batch_exec_methods.CustomName = kBatchReader;
  batch_plan_methods.CreateCustomScanState = CreateBatchState;
  batch_exec_methods.BeginCustomScan = BeginBatch;
  batch_exec_methods.ExecCustomScan = ExecBatchScan;
  batch_exec_methods.EndCustomScan = EndBatch;
  batch_exec_methods.ReScanCustomScan = ReScanBatch;
  batch_exec_methods.ExplainCustomScan = ExplainBatch;
  RegisterCustomScanMethods(&batch_plan_methods);
}

}  // namespace query_shaper
