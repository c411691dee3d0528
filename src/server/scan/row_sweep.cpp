#include "pg/pg.h"

#include "server/scan/row_sweep.h"

#include "server/settings.h"
extern "C" {
#include "access/heapam.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
}

namespace query_shaper {

struct SweptEntry {
  HeapTuple row;  // held until it is asked for
  ItemPointerData address;
  SweptRow fate;
};

// Entry i is item first_item + i * step of the leaf page.
struct RowSweep {
  MemoryContext context;  // of the rows; one in a slot is the slot's
  int32_t first_item, step;
  int32_t count;  // 0: nothing is held
  int32_t held;   // rows
  size_t bytes;
  SweptEntry entries[kSweepMost];
  HeapTupleData found[kSweepMost];  // on the page at hand
  uint32_t blocks[kSweepMost];
  BlockSweep order;
};

namespace {

constexpr int kEntriesWorth = 8;
constexpr size_t kBytesMost = 256 * 1024;

const BTScanPosData& PageOf(IndexScanDesc scan) { return static_cast<BTScanOpaque>(scan->opaque)->currPos; }

RowSweep* MakeSweep(PrefetchScanState* state) {
  MemoryContext context = state->scan.ss.ps.state->es_query_cxt;
  auto* sweep = static_cast<RowSweep*>(MemoryContextAlloc(context, sizeof(RowSweep)));
  sweep->context = AllocSetContextCreate(context, "query_shaper swept rows", ALLOCSET_DEFAULT_SIZES);
  sweep->count = sweep->held = 0;
  return sweep;
}

struct Chunk {
  RowSweep* sweep;
  const uint16_t* sequence;
  int count;
};

// heapam_index_fetch_tuple() for all entries of a block. The rows are copied without the lock: while the page is
// pinned none of it moves.
bool FetchChunk(IndexScanDesc scan, void* what) {
  const Chunk& chunk = *static_cast<const Chunk*>(what);
  RowSweep* sweep = chunk.sweep;
  auto* fetch = reinterpret_cast<IndexFetchHeapData*>(scan->xs_heapfetch);
  Relation heap = scan->heapRelation;
  uint32_t block = sweep->blocks[chunk.sequence[0]];
  Buffer before = fetch->xs_cbuf;
  fetch->xs_cbuf = ReleaseAndReadBuffer(fetch->xs_cbuf, heap, block);
  if (before != fetch->xs_cbuf) heap_page_prune_opt(heap, fetch->xs_cbuf);
  bool visible = false;
  LockBuffer(fetch->xs_cbuf, BUFFER_LOCK_SHARE);
  for (int i = 0; i < chunk.count; ++i) {
    SweptEntry* entry = &sweep->entries[chunk.sequence[i]];
    HeapTuple found = &sweep->found[i];
    ItemPointerData address = entry->address;
    bool dead = false;
    if (heap_hot_search_buffer(&address, heap, fetch->xs_cbuf, scan->xs_snapshot, found, &dead, true)) {
      entry->fate = SweptRow::kRow;
      visible = true;
    } else {
      entry->fate = dead ? SweptRow::kDead : SweptRow::kNone;
    }
  }
  LockBuffer(fetch->xs_cbuf, BUFFER_LOCK_UNLOCK);
  MemoryContext caller = MemoryContextSwitchTo(sweep->context);
  for (int i = 0; i < chunk.count; ++i) {
    SweptEntry* entry = &sweep->entries[chunk.sequence[i]];
    if (entry->fate != SweptRow::kRow) continue;
    entry->row = heap_copytuple(&sweep->found[i]);
    ++sweep->held;
    sweep->bytes += sweep->found[i].t_len;
  }
  MemoryContextSwitchTo(caller);
  return visible;
}

void FetchChunks(PrefetchScanState* state, IndexScanDesc scan) {
  RowSweep* sweep = state->sweep;
  const BlockSweep& order = sweep->order;
  for (int start = 0; start < order.entries && sweep->bytes < kBytesMost;) {
    uint32_t block = sweep->blocks[order.sequence[start]];
    int end = start + 1;
    while (end < order.entries && sweep->blocks[order.sequence[end]] == block) ++end;
    Chunk chunk = {sweep, &order.sequence[start], end - start};
    if (block == state->here)
      FetchChunk(scan, &chunk);
    else
      FetchElsewhere(state, scan, block, FetchChunk, &chunk);
    state->here = block;
    ++state->figures.swept_blocks;
    start = end;
    CHECK_FOR_INTERRUPTS();
  }
  state->figures.swept += sweep->held;
}

void DropRows(PrefetchScanState* state) {
  RowSweep* sweep = state->sweep;
  state->figures.swept_unused += sweep->held;
  NoteSpent(&state->pace, sweep->held);
  for (int i = 0; sweep->held > 0; ++i) {
    if (sweep->entries[i].fate != SweptRow::kRow) continue;
    pfree(sweep->entries[i].row);
    --sweep->held;
  }
  sweep->count = 0;
}

// Judged by the entries that follow; near the end of a page there are too few of them.
bool Worth(PrefetchScanState* state, const BTScanPosData& page, int step, int left) {
  if (left < kEntriesWorth) {
    state->pace.until = left;
    return false;
  }
  uint32_t blocks[kTurnsMost];
  int count = Min(left, kTurnsMost);
  for (int i = 0; i < count; ++i)
    blocks[i] = ItemPointerGetBlockNumberNoCheck(&page.items[page.itemIndex + i * step].heapTid);
  if (WorthSweeping(CountTurns(blocks, count))) return true;
  NoteNotWorth(&state->pace);
  return false;
}

}  // namespace

SweptRow TakeSwept(PrefetchScanState* state, IndexScanDesc scan, TupleTableSlot* slot) {
  RowSweep* sweep = state->sweep;
  int at = (PageOf(scan).itemIndex - sweep->first_item) * sweep->step;
  if (at < 0 || at >= sweep->count) {
    if (sweep->count > 0) DropRows(state);
    return SweptRow::kNotSwept;
  }
  SweptEntry* entry = &sweep->entries[at];
  if (!ItemPointerEquals(&entry->address, &scan->xs_heaptid)) return SweptRow::kNotSwept;
  SweptRow fate = entry->fate;
  if (fate == SweptRow::kNone || fate == SweptRow::kDead) {
    scan->kill_prior_tuple = fate == SweptRow::kDead && !scan->xactStartedInRecovery;
  } else if (fate == SweptRow::kRow) {
    // As ExecForceStoreHeapTuple() leaves it, but that the copy was made before.
    ExecClearTuple(slot);
    auto* stored = reinterpret_cast<BufferHeapTupleTableSlot*>(slot);
    slot->tts_flags = static_cast<uint16>((slot->tts_flags & ~TTS_FLAG_EMPTY) | TTS_FLAG_SHOULDFREE);
    stored->base.tuple = entry->row;
    stored->base.off = 0;
    slot->tts_tid = entry->row->t_self;
    slot->tts_tableOid = entry->row->t_tableOid;
    entry->fate = SweptRow::kNotSwept;
    --sweep->held;
    pgstat_count_heap_fetch(scan->indexRelation);
  }
  return fate;
}

bool SweepRows(PrefetchScanState* state, IndexScanDesc scan) {
  if (state->sweep != nullptr && state->sweep->count > 0) DropRows(state);
  const BTScanPosData& page = PageOf(scan);
  bool forward = ScanDirectionIsForward(state->direction);
  int first = page.itemIndex, step = forward ? 1 : -1;
  int left = (forward ? page.lastItem - first : first - page.firstItem) + 1;
  if (!state->forced && !Worth(state, page, step, left)) return false;
  NoteSwept(&state->pace);
  if (state->sweep == nullptr) state->sweep = MakeSweep(state);
  RowSweep* sweep = state->sweep;
  int most = Min(state->forced ? kSweepMost : state->pace.entries, settings::prefetch_sweep);
  sweep->first_item = first;
  sweep->step = step;
  sweep->count = Min(left, most);
  sweep->bytes = 0;
  for (int i = 0; i < sweep->count; ++i) {
    SweptEntry* entry = &sweep->entries[i];
    entry->address = page.items[first + i * step].heapTid;
    entry->fate = SweptRow::kNotSwept;
    sweep->blocks[i] = ItemPointerGetBlockNumberNoCheck(&entry->address);
  }
  // What is asked for ahead is asked for in the order of the scan, and comes in it.
  bool followed = !state->rest.warm && state->rest.blocks <= 0;
  SweepBlocks(sweep->blocks, sweep->count, followed ? ChunkOrder::kFirstMet : ChunkOrder::kAscending, &sweep->order);
  FetchChunks(state, scan);
  return true;
}

int64_t UnusedRows(const PrefetchScanState* state) {
  return state->figures.swept_unused + (state->sweep != nullptr ? state->sweep->held : 0);
}

void ForgetSwept(PrefetchScanState* state) {
  if (state->sweep != nullptr && state->sweep->count > 0) DropRows(state);
  state->pace = SweepPace();
}

}  // namespace query_shaper
