#include "pg/pg.h"

#include "server/scan/entry_window.h"

#include "core/prefetch/block_order.h"
#include "pg/fault_point.h"
#include "server/scan/row_sweep.h"
extern "C" {
#include "access/heapam.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
}

namespace query_shaper {

struct EntryWindow {
  uint64_t* room[2];
  const uint64_t* entries;  // sorted
  int32_t count;
  int32_t next;       // for the scan
  int32_t ahead;      // for who asks ahead
  int32_t dead;       // entries of rows that nobody sees
  bool over;          // the index has no more
  bool stray_leaves;  // its pages are read in no order
  int32_t found_count, found_next;
  AccessWindow steps;
  HeapTupleData found[MaxHeapTuplesPerPage];  // on the page at hand
};

namespace {

constexpr double kRowsWorth = 2000;  // expected: below that a statement's rows keep the order that they always came in
constexpr int kForcedEntries = 100;  // several windows in small tables, and blocks in more than one
constexpr int kDeadBorne = 8, kDeadShare = 64;
constexpr int kStrayLeavesBorne = 2, kStrayLeavesShare = 8;

void FreeRoom(EntryWindow* window) {
  for (uint64_t*& room : window->room) {
    if (room != nullptr) pfree(room);
    room = nullptr;
  }
  window->count = window->next = window->ahead = 0;
}

EntryWindow* MakeWindow(PrefetchScanState* state) {
  int most = state->order_forced ? kForcedEntries : kOrderedMost;
  MemoryContext context = state->scan.ss.ps.state->es_query_cxt;
  auto* window = static_cast<EntryWindow*>(MemoryContextAlloc(context, sizeof(EntryWindow)));
  for (uint64_t*& room : window->room)
    room = static_cast<uint64_t*>(MemoryContextAlloc(context, sizeof(uint64_t) * static_cast<size_t>(most)));
  window->over = false;
  window->steps = AccessWindow();
  window->count = window->next = window->ahead = 0;
  window->found_count = window->found_next = 0;
  return window;
}

// Leaf pages behind one another are asked for several at a time; those that lie elsewhere are waited for one by one,
// which a scan that goes from entry to entry does beside its reads of heap blocks.
struct LeavesMet {
  BlockNumber at = InvalidBlockNumber;
  int count = 0, strays = 0;
  int64 reads = pgBufferUsage.shared_blks_read;

  void Come(BlockNumber leaf) {
    bool read = pgBufferUsage.shared_blks_read != reads;
    strays += read && count > 0 && leaf != at + 1;
    reads = pgBufferUsage.shared_blks_read;
    at = leaf;
    ++count;
  }
  bool Stray() const { return strays > kStrayLeavesBorne && strays * kStrayLeavesShare > count; }
};

// What is learned of an index is the order that it has.
void Learn(PrefetchScanState* state, uint32_t block) {
  if (state->trace.count == kTracedBlocks) return;
  NoteStep(&state->window, block);
  TraceBlock(&state->trace, block);
}

// From the entry that the scan stands at, or from the next one.
void Gather(PrefetchScanState* state, IndexScanDesc scan, bool stands) {
  EntryWindow* window = state->taken;
  int most = state->order_forced ? kForcedEntries : kOrderedMost;
  uint64_t* entries = window->room[0];
  uint32_t before = kNoBlockYet;
  int count = 0;
  LeavesMet leaves;
  scan->kill_prior_tuple = false;
  for (; count < most && !leaves.Stray(); stands = false) {
    if (!stands && index_getnext_tid(scan, state->direction) == nullptr) {
      window->over = true;
      break;
    }
    uint32_t block = ItemPointerGetBlockNumberNoCheck(&scan->xs_heaptid);
    entries[count++] = PackEntry(block, ItemPointerGetOffsetNumberNoCheck(&scan->xs_heaptid));
    if (block != before) Learn(state, block);
    before = block;
    BlockNumber leaf = static_cast<BTScanOpaque>(scan->opaque)->currPos.currPage;
    if (leaf == leaves.at) continue;
    leaves.Come(leaf);
    AskForLeaves(&state->walk, scan);
    CHECK_FOR_INTERRUPTS();
  }
  window->entries = SortByBlock(entries, window->room[1], count);
  window->count = count;
  window->next = window->ahead = 0;
  window->dead = 0;
  window->stray_leaves = leaves.Stray();
  state->figures.ordered += count;
  ++state->figures.windows;
}

// heapam_index_fetch_tuple() for all entries of a block. Without the lock the rows stay where they are, as in a bitmap
// scan: while the page is pinned none of it moves.
bool FetchBlock(IndexScanDesc scan, void* what) {
  auto* window = static_cast<EntryWindow*>(what);
  auto* fetch = reinterpret_cast<IndexFetchHeapData*>(scan->xs_heapfetch);
  Relation heap = scan->heapRelation;
  uint32_t block = BlockOf(window->entries[window->next]);
  Buffer before = fetch->xs_cbuf;
  Buffer buffer = fetch->xs_cbuf = ReleaseAndReadBuffer(fetch->xs_cbuf, heap, block);
  if (before != buffer) heap_page_prune_opt(heap, buffer);
  int count = 0;
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  do {
    ItemPointerData address;
    ItemPointerSet(&address, block, ItemOf(window->entries[window->next]));
    bool dead = false;
    if (heap_hot_search_buffer(&address, heap, buffer, scan->xs_snapshot, &window->found[count], &dead, true))
      ++count;
    else
      window->dead += dead;
    ++window->next;
  } while (window->next < window->count && BlockOf(window->entries[window->next]) == block &&
           count < MaxHeapTuplesPerPage);
  LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  window->found_count = count;
  window->found_next = 0;
  return count > 0;
}

// Whether to take one more after the window that has been gone through.
bool GoesOn(PrefetchScanState* state) {
  const EntryWindow* window = state->taken;
  bool many_dead = window->dead > kDeadBorne && window->dead * kDeadShare > window->count;
  state->any_order = !many_dead && !window->stray_leaves;
  return state->any_order && (state->order_forced || state->look.distance > 1);
}

void Store(IndexScanDesc scan, EntryWindow* window, TupleTableSlot* slot) {
  auto* stored = reinterpret_cast<BufferHeapTupleTableSlot*>(slot);
  // The slot's own copy: `found` is overwritten before the slot is.
  stored->base.tupdata = window->found[window->found_next++];
  slot->tts_tableOid = stored->base.tupdata.t_tableOid;
  ExecStoreBufferHeapTuple(&stored->base.tupdata, slot,
                           reinterpret_cast<IndexFetchHeapData*>(scan->xs_heapfetch)->xs_cbuf);
  pgstat_count_heap_fetch(scan->indexRelation);
}

}  // namespace

bool AnyOrderWillDo(const PlannerInfo* root, const CustomPath* path) {
  const auto* index = static_cast<const IndexPath*>(linitial(path->custom_paths));
  if (index->path.pathkeys != NIL || index->path.param_info != nullptr || index->path.parallel_aware) return false;
  if (index->path.pathtype != T_IndexScan || !ScanDirectionIsForward(index->indexscandir)) return false;
  // Rows that are locked or written are so in the order in which they come: in another one two sessions would run into
  // each other.
  for (const PlannerInfo* of = root; of != nullptr; of = of->parent_root)
    if (of->parse->commandType != CMD_SELECT || of->rowMarks != NIL) return false;
  if (pg::FaultIs("prefetch_order", "force")) return true;
  if (root->tuple_fraction > 0) return false;
  return index->indexselectivity * index->path.parent->tuples >= kRowsWorth;
}

void TakeEntries(PrefetchScanState* state, IndexScanDesc scan) {
  ForgetSwept(state);
  JoinWindow(state);
  state->taken = MakeWindow(state);
  Gather(state, scan, true);
}

bool NextTaken(PrefetchScanState* state, IndexScanDesc scan, TupleTableSlot* slot) {
  EntryWindow* window = state->taken;
  while (window->found_next == window->found_count) {
    if (window->next == window->count) {
      if (window->over) {
        FreeRoom(window);
        return false;
      }
      if (!GoesOn(state)) {
        ForgetTaken(state);
        return false;
      }
      LosePlace(state);
      Gather(state, scan, false);
      continue;
    }
    uint32_t block = BlockOf(window->entries[window->next]);
    ++state->figures.ordered_blocks;
    if (block == state->here)
      FetchBlock(scan, window);
    else
      FetchElsewhere(state, scan, block, FetchBlock, window);
    CHECK_FOR_INTERRUPTS();
  }
  Store(scan, window, slot);
  return true;
}

bool NextBlockTaken(EntryWindow* window, uint32_t* block) {
  if (window->ahead == window->count) return false;
  *block = BlockOf(window->entries[window->ahead++]);
  while (window->ahead < window->count && BlockOf(window->entries[window->ahead]) == *block) ++window->ahead;
  return true;
}

void PlaceInWindow(EntryWindow* window) { window->ahead = window->next; }

AccessWindow* StepsOf(EntryWindow* window) { return &window->steps; }

void ForgetTaken(PrefetchScanState* state) {
  if (state->taken == nullptr) return;
  LosePlace(state);
  FreeRoom(state->taken);
  pfree(state->taken);
  state->taken = nullptr;
}

}  // namespace query_shaper
