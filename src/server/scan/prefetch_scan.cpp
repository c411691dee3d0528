#include "pg/pg.h"

#include "server/scan/prefetch_scan.h"

#include "pg/fault_point.h"
#include "server/prefetch_plan.h"
#include "server/scan/access_lead.h"
#include "server/scan/entry_window.h"
#include "server/scan/prefetch_explain.h"
#include "server/scan/prefetch_state.h"
#include "server/scan/row_sweep.h"
#include "server/scan/stage_ahead.h"
#include "server/settings.h"
extern "C" {
#include "access/relscan.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/instrument.h"
#include "executor/executor.h"
#include "executor/nodeIndexscan.h"
#include "nodes/makefuncs.h"
#include "optimizer/plancat.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

namespace query_shaper {
namespace {

CustomScanMethods scan_methods;
CustomExecMethods exec_methods;

// An index scan without ORDER BY operators has no use for this field.
PrefetchScanState* StateOf(IndexScanState* node) {
  return reinterpret_cast<PrefetchScanState*>(node->iss_OrderByValues);
}

// index_getnext_slot(), with the look ahead between an entry and its row.
bool NextRow(PrefetchScanState* state, IndexScanDesc scan, ScanDirection direction, TupleTableSlot* slot) {
  Face(state, direction);
  for (;;) {
    if (state->taken != nullptr) {
      if (NextTaken(state, scan, slot)) return true;
      if (state->taken != nullptr) return false;
    }
    if (!scan->xs_heap_continue && index_getnext_tid(scan, direction) == nullptr) return false;
    SweptRow swept = SweptBefore(state, scan, slot);
    if (swept == SweptRow::kNotSwept && ItemPointerGetBlockNumberNoCheck(&scan->xs_heaptid) != state->here) {
      if (unlikely(TakesEntries(state))) {
        TakeEntries(state, scan);
        continue;
      }
      swept = SweptNow(state, scan, slot);
    }
    if (swept == SweptRow::kRow || (swept == SweptRow::kNotSwept && FetchRow(state, scan, slot))) return true;
    // Entries of dead rows are marked on the page that they were met on.
    if (scan->kill_prior_tuple) state->any_order = false;
    CHECK_FOR_INTERRUPTS();
  }
}

IndexScanDesc ScanOf(IndexScanState* node) {
  if (node->iss_ScanDesc != nullptr) return node->iss_ScanDesc;
  IndexScanDesc scan = index_beginscan(node->ss.ss_currentRelation, node->iss_RelationDesc,
                                       node->ss.ps.state->es_snapshot, node->iss_NumScanKeys, node->iss_NumOrderByKeys);
  node->iss_ScanDesc = scan;
  if (node->iss_NumRuntimeKeys == 0 || node->iss_RuntimeKeysReady)
    index_rescan(scan, node->iss_ScanKeys, node->iss_NumScanKeys, node->iss_OrderByKeys, node->iss_NumOrderByKeys);
  return scan;
}

ScanDirection DirectionOf(const IndexScanState* node) {
  ScanDirection direction = node->ss.ps.state->es_direction;
  bool backward = ScanDirectionIsBackward(reinterpret_cast<const IndexScan*>(node->ss.ps.plan)->indexorderdir);
  return backward ? static_cast<ScanDirection>(-direction) : direction;
}

// Amid cached blocks a row takes as long as in PostgreSQL's own scan: its every step is in this function.
inline bool NextWarm(PrefetchScanState* state, IndexScanDesc scan, ScanDirection direction, TupleTableSlot* slot) {
  Face(state, direction);
  for (;;) {
    if (!scan->xs_heap_continue && index_getnext_tid(scan, direction) == nullptr) return false;
    SweptRow swept = SweptBefore(state, scan, slot);
    uint32_t block = ItemPointerGetBlockNumberNoCheck(&scan->xs_heaptid);
    if (swept == SweptRow::kNotSwept && block != state->here) {
      swept = SweptNow(state, scan, slot);
      if (likely(swept == SweptRow::kNotSwept)) {
        state->here = block;
        NoteCached(&state->look);
      }
    }
    if (swept == SweptRow::kRow) return true;
    if (unlikely(swept != SweptRow::kNotSwept)) {
      CHECK_FOR_INTERRUPTS();
      continue;
    }
    int64 reads = pgBufferUsage.shared_blks_read;
    bool found = index_fetch_heap(scan, slot);
    if (unlikely(pgBufferUsage.shared_blks_read != reads)) {
      WakeUp(state, scan);
      return found || NextRow(state, scan, direction, slot);
    }
    if (likely(found)) return true;
    CHECK_FOR_INTERRUPTS();
  }
}

// IndexNext() of nodeIndexscan.c. A B-tree's matches are exact: nothing is rechecked.
TupleTableSlot* NextOfChild(ScanState* scan_state) {
  auto* node = reinterpret_cast<IndexScanState*>(scan_state);
  ScanDirection direction = DirectionOf(node);
  TupleTableSlot* slot = node->ss.ss_ScanTupleSlot;
  PrefetchScanState* state = StateOf(node);
  bool found;
  if (likely(state->rest.warm && state->reach == nullptr)) {
    found = NextWarm(state, node->iss_ScanDesc, direction, slot);
  } else {
    IndexScanDesc scan = ScanOf(node);
    found = state->watching ? NextRow(state, scan, direction, slot) : index_getnext_slot(scan, direction, slot);
  }
  CHECK_FOR_INTERRUPTS();
  Assert(!found || !node->iss_ScanDesc->xs_recheck);
  if (likely(found)) return slot;
  node->iss_ReachedEnd = true;
  return ExecClearTuple(slot);
}

// IndexRecheck() of nodeIndexscan.c, for EvalPlanQual.
bool RecheckChild(ScanState* scan_state, TupleTableSlot* slot) {
  auto* node = reinterpret_cast<IndexScanState*>(scan_state);
  ExprContext* context = node->ss.ps.ps_ExprContext;
  context->ecxt_scantuple = slot;
  return ExecQualAndReset(node->indexqualorig, context);
}

TupleTableSlot* ExecChild(PlanState* plan_state) {
  auto* node = reinterpret_cast<IndexScanState*>(plan_state);
  if (unlikely(node->iss_NumRuntimeKeys != 0 && !node->iss_RuntimeKeysReady)) ExecReScan(plan_state);
  // ExecScan() would find nothing to evaluate and nothing to free.
  if (likely(StateOf(node)->bare)) return NextOfChild(&node->ss);
  return ExecScan(&node->ss, NextOfChild, RecheckChild);
}

TupleTableSlot* ExecPrefetch(PlanState* plan_state) {
  const auto* state = reinterpret_cast<const PrefetchScanState*>(plan_state);
  TupleTableSlot* slot = ExecProcNode(state->child);
  ProjectionInfo* projection = plan_state->ps_ProjInfo;
  if (projection == nullptr) return slot;
  if (TupIsNull(slot)) return ExecClearTuple(projection->pi_state.resultslot);
  ExprContext* context = plan_state->ps_ExprContext;
  if (!state->columns_only) ResetExprContext(context);
  context->ecxt_scantuple = slot;
  return ExecProject(projection);
}

TupleTableSlot* ExecPrefetchScan(CustomScanState* scan) { return ExecPrefetch(&scan->ss.ps); }

void DecideWhetherToWatch(PrefetchScanState* state, int flags) {
  Relation heap = state->heap;
  EState* estate = state->scan.ss.ps.state;
  bool fit = (flags & EXEC_FLAG_EXPLAIN_ONLY) == 0 && estate->es_snapshot != nullptr &&
             IsMVCCSnapshot(estate->es_snapshot) && heap->rd_tableam == GetHeapamTableAmRoutine() &&
             !RelationUsesLocalBuffers(heap) && settings::prefetch_distance > 1;
  state->asking = fit && Does(settings::prefetch);
  state->watching = state->asking || (fit && Advises(settings::prefetch));
  state->forced = state->asking && pg::FaultIs("prefetch", "force");
  state->sweeping = state->asking && !state->index_only && settings::prefetch_sweep > 0 && !IsolationIsSerializable() &&
                    estate->es_epq_active == nullptr;
  const auto* plan = reinterpret_cast<const CustomScan*>(state->scan.ss.ps.plan);
  state->order_forced = pg::FaultIs("prefetch_order", "force");
  state->any_order = state->sweeping && plan->custom_private != NIL &&
                     (flags & (EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK)) == 0 && (!state->forced || state->order_forced);
}

bool ColumnsOnly(const List* targets) {
  ListCell* cell;
  foreach (cell, targets)
    if (!IsA(lfirst_node(TargetEntry, cell)->expr, Var)) return false;
  return true;
}

// Rows come as the child makes them, which is known only now: what was compiled for other slots is compiled anew.
void BeginPrefetch(CustomScanState* scan, EState* estate, int flags) {
  auto* state = reinterpret_cast<PrefetchScanState*>(scan);
  auto* plan = reinterpret_cast<CustomScan*>(scan->ss.ps.plan);
  PlanState* child = ExecInitNode(static_cast<struct Plan*>(linitial(plan->custom_plans)), estate, flags);
  state->child = child;
  state->index_only = IsA(child, IndexOnlyScanState);
  state->heap = reinterpret_cast<ScanState*>(child)->ss_currentRelation;
  scan->custom_ps = list_make1(child);
  bool fixed = false;
  const TupleTableSlotOps* ops = ExecGetResultSlotOps(child, &fixed);
  ExecInitScanTupleSlot(estate, &scan->ss, ExecGetResultType(child), ops);
  scan->ss.ps.scanopsfixed = fixed;
  scan->ss.ps.resultopsset = false;
  scan->ss.ps.resultops = nullptr;
  ExecInitResultTupleSlotTL(&scan->ss.ps, &TTSOpsVirtual);
  ExecAssignScanProjectionInfoWithVarno(&scan->ss, INDEX_VAR);
  scan->ss.ps.ExecProcNode = ExecPrefetch;
  state->columns_only = ColumnsOnly(plan->scan.plan.targetlist);
  // WHERE CURRENT OF looks for the scan of its table, and there for the row.
  scan->ss.ss_currentRelation = state->heap;
  scan->ss.ss_ScanTupleSlot = reinterpret_cast<ScanState*>(child)->ss_ScanTupleSlot;
  if (flags & EXEC_FLAG_EXPLAIN_ONLY) return;

  state->index = state->index_only ? reinterpret_cast<IndexOnlyScanState*>(child)->ioss_RelationDesc
                                   : reinterpret_cast<IndexScanState*>(child)->iss_RelationDesc;
  state->map_page = InvalidBuffer;
  DecideWhetherToWatch(state, flags);
  state->look = MakeLookAhead(settings::prefetch_distance);
  FollowAdvice(state);
  BeginReach(state);
  state->here = kNoBlockYet;
  state->walk.one_page = child->plan->parallel_aware;  // other pages may be another worker's
  if (state->index_only) {
    StandOverIndexOnly(state);
  } else {
    auto* below = reinterpret_cast<IndexScanState*>(child);
    below->iss_OrderByValues = reinterpret_cast<Datum*>(state);
    state->bare = child->qual == nullptr && child->ps_ProjInfo == nullptr && estate->es_epq_active == nullptr;
    ExecSetExecProcNode(child, ExecChild);
  }
}

void EndPrefetch(CustomScanState* scan) {
  auto* state = reinterpret_cast<PrefetchScanState*>(scan);
  ForgetTaken(state);
  LosePlace(state);
  EndWalk(&state->walk);
  ReportPrefetch(state);
  EndReach(state);
  if (BufferIsValid(state->map_page)) ReleaseBuffer(state->map_page);
  state->map_page = InvalidBuffer;
  ExecEndNode(state->child);
}

void ReScanPrefetch(CustomScanState* scan) {
  auto* state = reinterpret_cast<PrefetchScanState*>(scan);
  PlanState* child = state->child;
  if (scan->ss.ps.chgParam != nullptr) UpdateChangedParamSet(child, scan->ss.ps.chgParam);
  LosePlace(state);
  ForgetKeys(&state->walk);
  NoteRescan(state);
  ForgetSwept(state);
  ForgetTaken(state);
  // Whoever comes again may want little of it.
  if (state->look.visited > 0 && !state->order_forced) state->any_order = false;
  state->rest.blocks = 0;
  if (child->chgParam == nullptr) ExecReScan(child);
}

void MarkPrefetch(CustomScanState* scan) { ExecMarkPos(static_cast<PlanState*>(linitial(scan->custom_ps))); }

void RestorePrefetch(CustomScanState* scan) {
  auto* state = reinterpret_cast<PrefetchScanState*>(scan);
  LosePlace(state);
  state->rest.blocks = 0;
  ExecRestrPos(static_cast<PlanState*>(linitial(scan->custom_ps)));
}

Node* CreateState(CustomScan*) {
  auto* state = static_cast<PrefetchScanState*>(palloc0(sizeof(PrefetchScanState)));
  NodeSetTag(state, T_CustomScanState);
  state->scan.methods = &exec_methods;
  state->look = LookAhead();
  state->window = AccessWindow();
  state->pace = SweepPace();
  state->runs = RequestRuns();
  return reinterpret_cast<Node*>(state);
}

// Columns of the whole row, for then the child hands its rows on as they lie in their buffers and the projection is
// made once, here. Null when something is needed that is no column.
List* PhysicalTarget(PlannerInfo* root, RelOptInfo* rel) {
  ListCell* cell;
  foreach (cell, rel->reltarget->exprs) {
    const auto* expression = static_cast<const Node*>(lfirst(cell));
    if (!IsA(expression, Var) || reinterpret_cast<const Var*>(expression)->varattno <= 0) return NIL;
  }
  return build_physical_tlist(root, rel);
}

}  // namespace

CustomScan* MakePrefetchScan(PlannerInfo* root, RelOptInfo* rel, const CustomPath* path, List* target,
                             struct Plan* child) {
  List* physical = IsA(child, IndexScan) ? PhysicalTarget(root, rel) : NIL;
  if (physical != NIL) child->targetlist = physical;
  CustomScan* plan = makeNode(CustomScan);
  plan->flags = path->flags;
  plan->custom_plans = list_make1(child);
  plan->custom_scan_tlist = static_cast<List*>(copyObjectImpl(child->targetlist));
  plan->methods = &scan_methods;
  if (AnyOrderWillDo(root, path)) plan->custom_private = list_make1(makeInteger(1));
  plan->scan.plan.targetlist = target;
  return plan;
}

void RegisterPrefetchScan() {
  scan_methods.CustomName = exec_methods.CustomName = kPrefetchScan;
  scan_methods.CreateCustomScanState = CreateState;
  exec_methods.BeginCustomScan = BeginPrefetch;
  exec_methods.ExecCustomScan = ExecPrefetchScan;
  exec_methods.EndCustomScan = EndPrefetch;
  exec_methods.ReScanCustomScan = ReScanPrefetch;
  exec_methods.MarkPosCustomScan = MarkPrefetch;
  exec_methods.RestrPosCustomScan = RestorePrefetch;
  exec_methods.ExplainCustomScan = ExplainPrefetch;
  RegisterCustomScanMethods(&scan_methods);
}

}  // namespace query_shaper
