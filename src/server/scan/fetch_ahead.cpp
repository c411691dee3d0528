// The queue of blocks between the walk and the scan.
#include "pg/pg.h"

#include "server/scan/block_requests.h"
#include "server/scan/prefetch_state.h"
extern "C" {
#include "access/relscan.h"
#include "storage/itemptr.h"
}

namespace query_shaper {
namespace {

// Blocks that turn out cached cost a look each: the walk does not go on for ever to find others.
constexpr uint32_t kLooksPerBlock = 8;
constexpr int kEntriesPerBlock = 64;

AheadBlock* At(PrefetchScanState* state, uint32_t position) { return &state->ring[position & (kAheadBlocks - 1)]; }

bool WillBeRead(AheadOf how) { return how != AheadOf::kSeen; }

void Pass(PrefetchScanState* state, const AheadBlock& entry) {
  if (WillBeRead(entry.how)) --state->pending;
  if (entry.how == AheadOf::kAsked) ++state->figures.wasted;
}

// Entries that the scan skipped because they were found dead meanwhile are passed over; an entry that the walk has not
// met means that it went another way.
bool TakeEntry(PrefetchScanState* state, uint32_t block, AheadOf* how) {
  uint32_t position = state->tail;
  while (position != state->head && At(state, position)->block != block) ++position;
  if (position == state->head) return false;
  for (; state->tail != position; ++state->tail) Pass(state, *At(state, state->tail));
  *how = At(state, state->tail++)->how;
  if (WillBeRead(*how)) --state->pending;
  return true;
}

void Request(PrefetchScanState* state, Relation heap, BlockRange range) {
  ++state->figures.requests;
  state->figures.failed += RequestBlocks(heap, range);
}

AheadOf Decide(PrefetchScanState* state, Relation heap, uint32_t block) {
  uint32_t* recent = &state->recent[block & (kRecentBlocks - 1)];
  if (*recent == block) return AheadOf::kSeen;
  *recent = block;
  if (!state->forced) {
    if (InSharedBuffers(heap, block)) return AheadOf::kSeen;
    if (KernelReadsAhead(state->window)) return AheadOf::kLeft;
    if (ProbeNext(&state->look)) return AheadOf::kProbe;
  }
  ++state->figures.asked;
  BlockRange ready;
  if (AddRequest(&state->runs, block, &ready)) Request(state, heap, ready);
  return AheadOf::kAsked;
}

bool Place(PrefetchScanState* state, IndexScanDesc scan) {
  MemoryContext caller = MemoryContextSwitchTo(state->scan.ss.ps.state->es_query_cxt);
  if (state->ring == nullptr) {
    state->ring = static_cast<AheadBlock*>(palloc(sizeof(AheadBlock) * kAheadBlocks));
    state->recent = static_cast<uint32_t*>(palloc(sizeof(uint32_t) * kRecentBlocks));
    for (uint32_t i = 0; i < kRecentBlocks; ++i) state->recent[i] = kNoBlockYet;
  }
  state->placed = TakePlace(&state->walk, scan, state->direction);
  MemoryContextSwitchTo(caller);
  state->last_ahead = state->here;
  return state->placed;
}

// Goes on until as many blocks that are not cached lie ahead as the distance says. Begins only when a quarter of them
// has been used up, so that neighbours are asked for together.
void Fill(PrefetchScanState* state, IndexScanDesc scan) {
  int distance = state->look.distance;
  if (state->pending > distance - Max(distance / 4, 1)) return;
  if (!state->placed && !Place(state, scan)) return;
  Relation heap = scan->heapRelation;
  uint32_t most = Min(kAheadBlocks, static_cast<uint32_t>(distance) * kLooksPerBlock);
  for (int steps = distance * kEntriesPerBlock; steps > 0; --steps) {
    if (state->pending >= distance || state->head - state->tail >= most) break;
    ItemPointer entry = NextAhead(&state->walk, state->direction);
    if (entry == nullptr) break;
    uint32_t block = ItemPointerGetBlockNumberNoCheck(entry);
    if (block == state->last_ahead) continue;
    state->last_ahead = block;
    AheadOf how = Decide(state, heap, block);
    if (WillBeRead(how)) ++state->pending;
    *At(state, state->head++) = {block, how};
  }
  BlockRange rest;
  if (TakeRequest(&state->runs, &rest)) Request(state, heap, rest);
}

}  // namespace

void LosePlace(PrefetchScanState* state) {
  if (state->ring != nullptr)
    for (; state->tail != state->head; ++state->tail) Pass(state, *At(state, state->tail));
  state->placed = false;
  state->here = kNoBlockYet;
}

void ComeTo(PrefetchScanState* state, IndexScanDesc scan, uint32_t block, BlockVisit* visit) {
  AheadOf how = AheadOf::kSeen;
  if (state->placed) {
    if (TakeEntry(state, block, &how)) {
      visit->asked = how == AheadOf::kAsked;
      visit->probe = how == AheadOf::kProbe;
      state->figures.used += visit->asked;
    } else {
      // At its end the walk leaves the scan to find its own end.
      ++state->figures.lost;
      LosePlace(state);
    }
  }
  state->here = block;
  if (state->forced) state->look.distance = state->look.max_distance;
  if (state->asking && state->look.distance > 1) Fill(state, scan);
}

}  // namespace query_shaper
