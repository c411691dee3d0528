#include "pg/pg.h"

#include "server/scan/entry_feed.h"
extern "C" {
#include "access/relscan.h"
#include "executor/executor.h"
#include "pgstat.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

namespace query_shaper {
namespace {

// Every index scan has the same one.
ExecProcNodeMtd index_scan;

// Stale after an error, which nobody sees: what is fed has begun by withdrawing it.
struct Offer {
  const PlanState* inner;
  const IndexProbe* probe;
  const RowEntries* entries;
  int64_t* taken;
};
Offer offered;

bool SameLookup(const IndexScanDesc scan, const IndexProbe* probe, const RowEntries& entries) {
  if (scan->numberOfKeys != probe->key_count || RelationGetRelid(scan->indexRelation) != RelationGetRelid(probe->index))
    return false;
  for (int i = 0; i < scan->numberOfKeys; ++i) {
    const ScanKeyData& key = scan->keyData[i];
    const ScanKeyData& probed = probe->keys[i];
    if (key.sk_flags != 0 || key.sk_attno != probed.sk_attno || key.sk_strategy != BTEqualStrategyNumber ||
        key.sk_subtype != probed.sk_subtype || key.sk_collation != probed.sk_collation ||
        key.sk_argument != entries.keys[i])
      return false;
  }
  return true;
}

bool MayTake(const IndexScanState* node, const Offer& offer) {
  const IndexScanDesc scan = node->iss_ScanDesc;
  return scan != nullptr && node->iss_RuntimeKeysReady && node->ss.ps.chgParam == nullptr &&
         scan->parallel_scan == nullptr && !scan->xs_want_itup && IsMVCCSnapshot(scan->xs_snapshot) &&
         scan->xs_snapshot == node->ss.ps.state->es_snapshot &&
         ScanDirectionIsForward(node->ss.ps.state->es_direction) &&
         !BTScanPosIsValid(static_cast<BTScanOpaque>(scan->opaque)->currPos) &&
         SameLookup(scan, offer.probe, *offer.entries);
}

// As _bt_first() leaves a scan whose entries are all on one page, but before the first of them.
void Take(const IndexScanDesc scan, const RowEntries& entries) {
  auto* state = static_cast<BTScanOpaque>(scan->opaque);
  BTScanPosData& position = state->currPos;
  position.buf = InvalidBuffer;
  position.lsn = entries.lsn;
  position.currPage = entries.page;
  position.nextPage = entries.next;
  position.moreLeft = position.moreRight = false;
  position.nextTupleOffset = 0;
  position.firstItem = 0;
  position.lastItem = entries.count - 1;
  position.itemIndex = -1;
  for (int i = 0; i < entries.count; ++i) position.items[i] = {entries.rows[i], entries.places[i], 0};
  state->numKilled = 0;
  state->markItemIndex = -1;
  pgstat_count_index_scan(scan->indexRelation);
}

TupleTableSlot* FedScan(PlanState* node) {
  if (unlikely(offered.inner == node)) {
    auto* scan = castNode(IndexScanState, node);
    Offer offer = offered;
    WithdrawEntries();
    if (MayTake(scan, offer)) {
      Take(scan->iss_ScanDesc, *offer.entries);
      ++*offer.taken;
    }
  }
  return index_scan(node);
}

}  // namespace

bool CanFeed(const IndexProbe* probe) {
  if (!probe->exact || probe->index_only || probe->key_count > kFedKeys || !RelationNeedsWAL(probe->index))
    return false;
  for (int i = 0; i < probe->key_count; ++i)
    if (!get_typbyval(probe->keys[i].sk_subtype)) return false;
  return true;
}

void KeepEntries(const IndexProbe* probe, const LeafEntries* found, RowEntries* kept) {
  if (found->count > kFedEntries) return;
  kept->count = static_cast<int16_t>(found->count);
  kept->page = found->page;
  kept->next = found->next;
  kept->lsn = found->lsn;
  for (int i = 0; i < found->count; ++i) {
    kept->rows[i] = found->rows[i];
    kept->places[i] = found->places[i];
  }
  for (int i = 0; i < probe->key_count; ++i) kept->keys[i] = probe->keys[i].sk_argument;
}

void OfferEntries(const PlanState* inner, const IndexProbe* probe, const RowEntries* kept, int64_t* taken) {
  offered = {inner, probe, kept, taken};
}

void WithdrawEntries() { offered = {}; }

bool StandOverInner(PlanState* inner) {
  if (!IsA(inner, IndexScanState) || inner->plan->parallel_aware || inner->ExecProcNodeReal == nullptr ||
      reinterpret_cast<IndexScanState*>(inner)->iss_NumOrderByKeys != 0 ||
      ScanDirectionIsBackward(reinterpret_cast<IndexScan*>(inner->plan)->indexorderdir))
    return false;
  index_scan = inner->ExecProcNodeReal;
  ExecSetExecProcNode(inner, FedScan);
  return true;
}

}  // namespace query_shaper
