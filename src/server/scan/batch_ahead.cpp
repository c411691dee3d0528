// The rows between the outer plan and the nested loop.
#include "pg/pg.h"

#include "server/scan/batch_state.h"
#include "server/scan/block_requests.h"
#include "server/settings.h"
extern "C" {
#include "executor/executor.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "storage/itemptr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
}

namespace query_shaper {
namespace {

constexpr int kMostEntries = kEntriesOfLeaf;  // of one row's matches
constexpr int kMostBlocks = 64;
// A join that wants one match stops at the first that passes its filters.
constexpr int kSingleBlocks = 2;

RowAhead* RowAt(BatchState* state, uint32_t position) { return &state->ring[position & (kBatchRing - 1)]; }

void Prepare(BatchState* state) {
  EState* estate = state->scan.ss.ps.state;
  MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
  state->probe = OpenProbe(state->description);
  state->feeds = state->inner != nullptr && CanFeed(state->probe);
  state->found = static_cast<LeafEntries*>(palloc(sizeof(LeafEntries)));
  state->rows = AllocSetContextCreate(estate->es_query_cxt, "query_shaper batch", ALLOCSET_DEFAULT_SIZES);
  state->ring = static_cast<RowAhead*>(palloc0(sizeof(RowAhead) * kBatchRing));
  state->recent = static_cast<uint32_t*>(palloc(sizeof(uint32_t) * kRecentBlocks));
  for (uint32_t i = 0; i < kRecentBlocks; ++i) state->recent[i] = kNoBlockYet;
  state->recent_leaves = static_cast<uint32_t*>(palloc(sizeof(uint32_t) * kRecentLeaves));
  for (uint32_t i = 0; i < kRecentLeaves; ++i) state->recent_leaves[i] = kNoBlockYet;
  MemoryContextSwitchTo(caller);
}

// A copy that pins no buffer, of the child's own kind of slot: expressions above were compiled for that.
void Keep(BatchState* state, RowAhead* row, TupleTableSlot* slot) {
  if (row->slot == nullptr) {
    EState* estate = state->scan.ss.ps.state;
    MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
    row->slot = ExecAllocTableSlot(&estate->es_tupleTable, slot->tts_tupleDescriptor, slot->tts_ops);
    row->slot->tts_mcxt = state->rows;
    MemoryContextSwitchTo(caller);
  }
  ExecCopySlot(row->slot, slot);
  ExecMaterializeSlot(row->slot);
  row->asked = 0;
  row->left = false;
  row->leaf = InvalidBlockNumber;
  row->entries.count = -1;
}

bool FullOfRows(const BatchState* state) {
  return MemoryContextMemAllocated(state->rows, false) >= static_cast<Size>(work_mem) * 1024;
}

// False when a key is null: the comparisons are strict, so nothing matches.
bool SetKeys(BatchState* state, const RowAhead* row) {
  ExprContext* context = state->scan.ss.ps.ps_ExprContext;
  ResetExprContext(context);
  context->ecxt_scantuple = row->slot;
  for (int i = 0; i < state->probe->key_count; ++i) {
    bool null = false;
    auto* value = static_cast<ExprState*>(list_nth(state->values, i));
    state->probe->keys[i].sk_argument = ExecEvalExprSwitchContext(value, context, &null);
    if (null) return false;
  }
  return true;
}

bool Recently(uint32_t* seen, uint32_t size, uint32_t block) {
  uint32_t* place = &seen[block & (size - 1)];
  if (*place == block) return true;
  *place = block;
  return false;
}

void Request(BatchState* state, Relation relation, BlockRange range) {
  ++state->figures.requests;
  state->figures.failed += RequestBlocks(relation, range);
}

void Asked(BatchState* state, RowAhead* row) {
  ++row->asked;
  ++state->pending;
  ++state->figures.asked;
}

void AskForLeaf(BatchState* state, RowAhead* row) {
  if (!state->forced && ProbeNext(&state->look)) {
    row->left = true;
    return;
  }
  if (!SetKeys(state, row)) return;
  BlockNumber leaf = row->leaf = FirstLeaf(state->probe);
  if (leaf == InvalidBlockNumber || Recently(state->recent_leaves, kRecentLeaves, leaf)) return;
  if (!state->forced && InSharedBuffers(state->probe->index, leaf)) return;
  Asked(state, row);
  Request(state, state->probe->index, {leaf, 1});
}

// A row's heap blocks, entry by entry.
struct Matches {
  RowAhead* row;
  int blocks, most;
  uint32_t last;
};

// False when that is enough of them.
bool AskForMatch(BatchState* state, Matches* matches, const ItemPointerData* entry) {
  BlockNumber block = ItemPointerGetBlockNumberNoCheck(entry);
  if (block == matches->last) return true;
  matches->last = block;
  ++matches->blocks;
  bool cached = Recently(state->recent, kRecentBlocks, block) || !ReadsHeap(state->probe, block) ||
                (!state->forced && InSharedBuffers(state->probe->heap, block));
  if (!cached) {
    Asked(state, matches->row);
    BlockRange ready;
    if (AddRequest(&state->runs, block, &ready)) Request(state, state->probe->heap, ready);
  }
  return matches->blocks < matches->most;
}

void AskEntryByEntry(BatchState* state, Matches* matches) {
  BeginEntries(state->probe);
  for (int i = 0; i < kMostEntries; ++i) {
    ItemPointer entry = NextEntry(state->probe);
    if (entry == nullptr || !AskForMatch(state, matches, entry)) break;
  }
  LeaveEntries(state->probe);
}

void AskForMatches(BatchState* state, RowAhead* row) {
  if (row->left || !SetKeys(state, row)) return;
  int32_t leaves = row->asked;
  int64_t reads = pgBufferUsage.shared_blks_read;
  Matches matches = {row, 0, state->single ? kSingleBlocks : kMostBlocks, kNoBlockYet};
  if (row->leaf != InvalidBlockNumber && ReadLeaf(state->probe, row->leaf, state->found)) {
    if (state->feeds) KeepEntries(state->probe, state->found, &row->entries);
    for (int i = 0; i < state->found->count; ++i)
      if (!AskForMatch(state, &matches, &state->found->rows[i])) break;
  } else {
    AskEntryByEntry(state, &matches);
  }
  // The leaf page that was asked for has been read here, before the join comes to it.
  if (leaves == 0 || pgBufferUsage.shared_blks_read == reads) return;
  row->asked -= leaves;
  state->pending -= leaves;
  state->figures.used += leaves;
}

}  // namespace

void ReadAhead(BatchState* state) {
  auto distance = static_cast<uint32_t>(Min(state->look.distance, static_cast<int>(kBatchRows)));
  if (state->read - state->next > distance - Max(distance / 4, 1U)) return;
  if (state->probe == nullptr) Prepare(state);
  while (!state->at_end && state->read - state->next < distance) {
    if (state->read != state->next && FullOfRows(state)) break;
    TupleTableSlot* slot = ExecProcNode(state->child);
    if (TupIsNull(slot)) {
      state->at_end = true;
      break;
    }
    RowAhead* row = RowAt(state, state->read);
    Keep(state, row, slot);
    ++state->read;
    AskForLeaf(state, row);
  }
  // The leaf pages asked for last are left time to arrive.
  while (state->probed != state->read && state->probed - state->next < (distance + 1) / 2 &&
         (state->pending < settings::prefetch_distance || state->probed == state->next))
    AskForMatches(state, RowAt(state, state->probed++));
  BlockRange rest;
  if (TakeRequest(&state->runs, &rest)) Request(state, state->probe->heap, rest);
}

void ForgetRows(BatchState* state) {
  for (; state->next != state->read; ++state->next) {
    RowAhead* row = RowAt(state, state->next);
    state->figures.wasted += row->asked;
    ExecClearTuple(row->slot);
  }
  WithdrawEntries();
  state->next = state->probed = state->read = 0;
  state->pending = 0;
}

}  // namespace query_shaper
