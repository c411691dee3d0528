// An index-only scan below a prefetch scan: rows of pages that are not all visible are fetched through the look-ahead.
//
// A copy of nodeIndexonlyscan.c in every other respect; a B-tree's matches are exact and come as index entries, so that
// what that file does for others is left out.
#include "pg/pg.h"

#include "server/scan/prefetch_state.h"
extern "C" {
#include "access/relscan.h"
#include "access/visibilitymap.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/predicate.h"
#include "utils/builtins.h"
#include "utils/rel.h"
}

namespace query_shaper {
namespace {

// An index-only scan without ORDER BY operators has no use for this field.
PrefetchScanState* StateOfIndexOnly(IndexOnlyScanState* node) {
  return reinterpret_cast<PrefetchScanState*>(node->ioss_OrderByKeys);
}

IndexScanDesc ScanOfIndexOnly(IndexOnlyScanState* node) {
  if (node->ioss_ScanDesc != nullptr) return node->ioss_ScanDesc;
  IndexScanDesc scan =
      index_beginscan(node->ss.ss_currentRelation, node->ioss_RelationDesc, node->ss.ps.state->es_snapshot,
                      node->ioss_NumScanKeys, node->ioss_NumOrderByKeys);
  node->ioss_ScanDesc = scan;
  scan->xs_want_itup = true;
  node->ioss_VMBuffer = InvalidBuffer;
  if (node->ioss_NumRuntimeKeys == 0 || node->ioss_RuntimeKeysReady)
    index_rescan(scan, node->ioss_ScanKeys, node->ioss_NumScanKeys, nullptr, 0);
  return scan;
}

// StoreIndexTuple() of nodeIndexonlyscan.c: names lie in the index as shorter strings.
void StoreEntry(IndexOnlyScanState* node, TupleTableSlot* slot, IndexScanDesc scan) {
  ExecClearTuple(slot);
  index_deform_tuple(scan->xs_itup, scan->xs_itupdesc, slot->tts_values, slot->tts_isnull);
  for (int i = 0; unlikely(i < node->ioss_NameCStringCount); ++i) {
    int column = node->ioss_NameCStringAttNums[i];
    if (slot->tts_isnull[column]) continue;
    auto* name = static_cast<Name>(MemoryContextAlloc(node->ss.ps.ps_ExprContext->ecxt_per_tuple_memory, NAMEDATALEN));
    namestrcpy(name, DatumGetCString(slot->tts_values[column]));
    slot->tts_values[column] = NameGetDatum(name);
  }
  ExecStoreVirtualTuple(slot);
  // The node above has no way to the scan's place: WHERE CURRENT OF finds the row by these.
  slot->tts_tableOid = RelationGetRelid(node->ss.ss_currentRelation);
  slot->tts_tid = scan->xs_heaptid;
}

enum class Sight { kAllVisible, kVisible, kInvisible };

Sight LookAt(IndexOnlyScanState* node, PrefetchScanState* state, IndexScanDesc scan) {
  BlockNumber block = ItemPointerGetBlockNumber(&scan->xs_heaptid);
  if (VM_ALL_VISIBLE(scan->heapRelation, block, &node->ioss_VMBuffer)) return Sight::kAllVisible;
  InstrCountTuples2(node, 1);
  TupleTableSlot* row = node->ioss_TableSlot;
  if (!(state->watching ? FetchRow(state, scan, row) : index_fetch_heap(scan, row))) return Sight::kInvisible;
  ExecClearTuple(row);
  if (scan->xs_heap_continue) elog(ERROR, "non-MVCC snapshots are not supported in index-only scans");
  return Sight::kVisible;
}

TupleTableSlot* NextOfIndexOnly(ScanState* scan_state) {
  auto* node = reinterpret_cast<IndexOnlyScanState*>(scan_state);
  EState* estate = node->ss.ps.state;
  ScanDirection direction = estate->es_direction;
  if (ScanDirectionIsBackward(reinterpret_cast<const IndexOnlyScan*>(node->ss.ps.plan)->indexorderdir))
    direction = static_cast<ScanDirection>(-direction);
  IndexScanDesc scan = ScanOfIndexOnly(node);
  PrefetchScanState* state = StateOfIndexOnly(node);
  TupleTableSlot* slot = node->ss.ss_ScanTupleSlot;
  Face(state, direction);
  while (index_getnext_tid(scan, direction) != nullptr) {
    CHECK_FOR_INTERRUPTS();
    Sight sight = LookAt(node, state, scan);
    if (sight == Sight::kInvisible) continue;
    Assert(scan->xs_itup != nullptr && !scan->xs_recheck);
    StoreEntry(node, slot, scan);
    if (sight == Sight::kAllVisible)
      PredicateLockPage(scan->heapRelation, ItemPointerGetBlockNumber(&scan->xs_heaptid), estate->es_snapshot);
    return slot;
  }
  return ExecClearTuple(slot);
}

// An index cannot supply what is to be rechecked; nodeIndexonlyscan.c says the same.
bool RecheckIndexOnly(ScanState*, TupleTableSlot*) {
  elog(ERROR, "EvalPlanQual recheck is not supported in index-only scans");
}

TupleTableSlot* ExecIndexOnlyChild(PlanState* plan_state) {
  IndexOnlyScanState* node = castNode(IndexOnlyScanState, plan_state);
  if (node->ioss_NumRuntimeKeys != 0 && !node->ioss_RuntimeKeysReady) ExecReScan(plan_state);
  return ExecScan(&node->ss, NextOfIndexOnly, RecheckIndexOnly);
}

}  // namespace

void StandOverIndexOnly(PrefetchScanState* state) {
  IndexOnlyScanState* node = castNode(IndexOnlyScanState, state->child);
  Assert(node->ioss_NumOrderByKeys == 0);
  node->ioss_OrderByKeys = reinterpret_cast<ScanKey>(state);
  ExecSetExecProcNode(state->child, ExecIndexOnlyChild);
}

}  // namespace query_shaper
