#include "pg/pg.h"

#include "server/scan/leaf_walk.h"

#include "server/scan/block_requests.h"
extern "C" {
#include "access/nbtree.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

namespace query_shaper {
namespace {

constexpr uint32_t kLeavesMost = 8;

BTScanOpaque PlaceOf(IndexScanDesc scan) { return static_cast<BTScanOpaque>(scan->opaque); }

// A scan under an MVCC snapshot keeps no pin between calls, so that vacuum need not wait; nor does the walk, whose
// entries lead to no row.
void DropPin(BTScanOpaque place) { BTScanPosUnpinIfPinned(place->currPos); }

void LeavePage(BTScanOpaque place) {
  if (!BTScanPosIsValid(place->currPos)) return;
  DropPin(place);
  BTScanPosInvalidate(place->currPos);
}

// Both descriptors have the same keys, and so arrays of the same elements in the same order.
void CopyArrays(IndexScanDesc ahead, IndexScanDesc scan, ScanDirection direction) {
  BTScanOpaque to = PlaceOf(ahead), from = PlaceOf(scan);
  if (to->numArrayKeys > 0) {
    _bt_start_array_keys(ahead, direction);
    for (int i = 0; i < to->numArrayKeys; ++i) to->arrayKeys[i].mark_elem = from->arrayKeys[i].cur_elem;
    _bt_restore_array_keys(ahead);
  }
  _bt_preprocess_keys(ahead);
}

// What the steps of the walk add to the count of scans is taken off again.
class ScanCount {
 public:
  explicit ScanCount(PgStat_TableStatus* counts) : counts_(counts), scans_(counts ? counts->t_counts.t_numscans : 0) {}
  void Restore() const {
    if (counts_ != nullptr) counts_->t_counts.t_numscans = scans_;
  }

 private:
  PgStat_TableStatus* counts_;
  PgStat_Counter scans_;
};

bool StepPage(IndexScanDesc ahead, ScanDirection direction) {
  BTScanOpaque place = PlaceOf(ahead);
  if (_bt_next(ahead, direction)) return true;
  while (place->numArrayKeys > 0 && _bt_advance_array_keys(ahead, direction)) {
    CHECK_FOR_INTERRUPTS();
    if (_bt_first(ahead, direction)) return true;
  }
  return false;
}

}  // namespace

// Pages after the present one are read while rows of this one are. Where they lie one behind the other several are
// asked for at once, and again when half of them are used up: amid cached heap blocks the walk passes many pages
// without a pause.
void AskForLeaves(LeafWalk* walk, IndexScanDesc scan) {
  const BTScanPosData& page = PlaceOf(scan)->currPos;
  Relation index = scan->indexRelation;
  if (!page.moreRight || page.nextPage == P_NONE) return;
  uint32_t next = page.nextPage;
  if (next != page.currPage + 1) {
    walk->asked_run = 1;
    PrefetchBuffer(index, MAIN_FORKNUM, next);
    return;
  }
  bool among = next <= walk->asked_to && walk->asked_to - next <= kLeavesMost;
  if (among && walk->asked_to - next > walk->asked_run / 2) return;
  walk->asked_run = Min(Max(walk->asked_run, 1) * 2, kLeavesMost);
  BlockRange range = {among ? walk->asked_to : next, 0};
  uint32_t end = Min(range.first + walk->asked_run, RelationGetNumberOfBlocks(index));
  walk->asked_to = end;
  while (range.first < end && InSharedBuffers(index, range.first)) ++range.first;
  if (range.first >= end) return;
  range.blocks = end - range.first;
  RequestBlocks(index, range);
}

bool TakePlace(LeafWalk* walk, IndexScanDesc scan, ScanDirection direction) {
  BTScanOpaque from = PlaceOf(scan);
  walk->over = true;
  if (!BTScanPosIsValid(from->currPos) || !from->qual_ok || from->numArrayKeys < 0) return false;
  if (walk->ahead == nullptr) {
    walk->ahead = index_beginscan(scan->heapRelation, scan->indexRelation, SnapshotAny, scan->numberOfKeys, 0);
    walk->keys_set = false;
  }
  IndexScanDesc ahead = walk->ahead;
  BTScanOpaque to = PlaceOf(ahead);
  LeavePage(to);
  if (!walk->keys_set) index_rescan(ahead, scan->keyData, scan->numberOfKeys, nullptr, 0);
  walk->keys_set = true;
  CopyArrays(ahead, scan, direction);
  const BTScanPosData& place = from->currPos;
  memcpy(&to->currPos, &place, offsetof(BTScanPosData, items));
  to->currPos.buf = InvalidBuffer;
  int first = place.firstItem, count = place.lastItem - place.firstItem + 1;
  if (count > 0)
    memcpy(&to->currPos.items[first], &place.items[first], sizeof(BTScanPosItem) * static_cast<size_t>(count));
  to->numKilled = 0;
  to->markItemIndex = -1;
  walk->over = false;
  if (!walk->one_page && ScanDirectionIsForward(direction)) AskForLeaves(walk, walk->ahead);
  return true;
}

int BlocksOfPage(IndexScanDesc scan, ScanDirection direction, uint32_t* blocks, int most) {
  const BTScanPosData* page = &PlaceOf(scan)->currPos;
  if (!BTScanPosIsValid(*page)) return 0;
  bool forward = ScanDirectionIsForward(direction);
  int count = 0;
  for (int i = 0; i <= page->lastItem - page->firstItem && count < most; ++i) {
    const BTScanPosItem* item = &page->items[forward ? page->firstItem + i : page->lastItem - i];
    uint32_t block = ItemPointerGetBlockNumberNoCheck(&item->heapTid);
    if (count == 0 || blocks[count - 1] != block) blocks[count++] = block;
  }
  return count;
}

ItemPointer NextAhead(LeafWalk* walk, ScanDirection direction) {
  if (walk->over) return nullptr;
  IndexScanDesc ahead = walk->ahead;
  BTScanPosData* page = &PlaceOf(ahead)->currPos;
  int next = page->itemIndex + (ScanDirectionIsForward(direction) ? 1 : -1);
  if (next >= page->firstItem && next <= page->lastItem) {
    page->itemIndex = next;
    return &page->items[next].heapTid;
  }
  walk->over = true;
  if (walk->one_page) return nullptr;
  ScanCount count(ahead->indexRelation->pgstat_info);
  bool found = StepPage(ahead, direction);
  count.Restore();
  if (!found) return nullptr;
  DropPin(PlaceOf(ahead));
  walk->over = false;
  if (ScanDirectionIsForward(direction)) AskForLeaves(walk, walk->ahead);
  return &page->items[page->itemIndex].heapTid;
}

void EndWalk(LeafWalk* walk) {
  if (walk->ahead != nullptr) index_endscan(walk->ahead);
  walk->ahead = nullptr;
  walk->keys_set = false;
  walk->over = true;
}

}  // namespace query_shaper
