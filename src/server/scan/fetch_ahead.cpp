// The queue of blocks between the walk and the scan.
#include "pg/pg.h"

#include "server/pool/request_share.h"
#include "server/scan/block_requests.h"
#include "server/scan/entry_window.h"
#include "server/scan/prefetch_state.h"
extern "C" {
#include "access/relscan.h"
#include "access/visibilitymap.h"
#include "miscadmin.h"
#include "storage/itemptr.h"
}

namespace query_shaper {
namespace {

constexpr int kEntriesPerBlock = 64;
constexpr int kEntriesLeast = 512;
constexpr int kRestLeast = 16, kRestMost = 4096;
constexpr int kBlocksLeast = 3;  // of which order can be told
constexpr int64_t kFailuresMost = 16;
constexpr int kJudgeLeast = 16, kJudgeMost = 4096;
constexpr int kStraysBorne = 16;  // in a row
constexpr uint32_t kMissingAll = 64, kLookEvery = 8;

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
  // Where the file system takes no such requests the scan goes on without.
  if (state->figures.failed >= kFailuresMost && state->figures.failed * 2 > state->figures.requests)
    state->asking = false;
}

void ForgetRecent(PrefetchScanState* state) {
  memset(state->recent, 0xFF, sizeof(uint32_t) * kRecentBlocks);
  static_assert(kNoBlockYet == 0xFFFFFFFF);
  state->recent_count = 0;
}

// What was met shortly before is in shared buffers or soon will be: that costs less than to look there.
bool MetRecently(PrefetchScanState* state, uint32_t block) {
  uint32_t* recent = &state->recent[(block * 0x9E3779B1U) >> (32 - kRecentBits)];
  if (*recent == block) return true;
  if (++state->recent_count > Min(kRecentBlocks / 2, static_cast<uint32_t>(NBuffers) / 4)) ForgetRecent(state);
  *recent = block;
  return false;
}

// Where no block is cached only one in some is looked up. What is asked for in vain costs little more than the look.
bool Cached(PrefetchScanState* state, Relation heap, uint32_t block) {
  if (state->missing >= kMissingAll && state->missing++ % kLookEvery != 0) return false;
  bool cached = InSharedBuffers(heap, block);
  state->missing = cached ? 0 : state->missing + 1;
  return cached;
}

AheadOf Decide(PrefetchScanState* state, Relation heap, uint32_t block) {
  if (MetRecently(state, block)) return AheadOf::kSeen;
  if (!state->forced) {
    if (Cached(state, heap, block)) return AheadOf::kSeen;
    if (KernelReadsAhead(state->taken == nullptr ? state->window : *StepsOf(state->taken))) return AheadOf::kLeft;
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
    ForgetRecent(state);
  }
  if (state->taken != nullptr) {
    PlaceInWindow(state->taken);
    state->placed = true;
  } else {
    state->placed = TakePlace(&state->walk, scan, state->direction);
  }
  MemoryContextSwitchTo(caller);
  state->last_ahead = state->here;
  return state->placed;
}

bool NextBlock(PrefetchScanState* state, uint32_t* block) {
  if (state->taken != nullptr) return NextBlockTaken(state->taken, block);
  ItemPointer entry = NextAhead(&state->walk, state->direction);
  if (entry == nullptr) return false;
  *block = ItemPointerGetBlockNumberNoCheck(entry);
  return true;
}

// Goes on until as many blocks that are not cached lie ahead as the distance says. Begins only when a quarter of them
// has been used up, so that neighbours are asked for together.
void Fill(PrefetchScanState* state, IndexScanDesc scan) {
  int distance = RequestsAllowed(state->look.distance);
  if (state->pending > distance - Max(distance / 4, 1)) return;
  if (!state->placed && !Place(state, scan)) return;
  Relation heap = scan->heapRelation;
  uint32_t most = Min(kAheadBlocks, static_cast<uint32_t>(BlocksAhead(state->look)));
  for (int steps = Max(distance * kEntriesPerBlock, kEntriesLeast); steps > 0; --steps) {
    if (!state->asking || state->pending >= distance || state->head - state->tail >= most) break;
    uint32_t block;
    if (!NextBlock(state, &block)) break;
    if (block == state->last_ahead) continue;
    state->last_ahead = block;
    if (state->index_only && VM_ALL_VISIBLE(heap, block, &state->map_page)) continue;
    AheadOf how = Decide(state, heap, block);
    if (WillBeRead(how)) ++state->pending;
    *At(state, state->head++) = {block, how};
  }
  BlockRange rest;
  if (TakeRequest(&state->runs, &rest)) Request(state, heap, rest);
}

}  // namespace

bool LeaveToKernel(PrefetchScanState* state, IndexScanDesc scan) {
  Rest* rest = &state->rest;
  --rest->judge_in;
  if (rest->judge_in > 0 && !(KernelReadsAhead(state->window) && rest->judge_in % kWindow == 0)) return false;
  uint32_t blocks[kJudgedBlocks];
  int count = BlocksOfPage(scan, state->direction, blocks, kJudgedBlocks);
  if (count < kBlocksLeast) return false;
  bool long_runs = rest->run == 0 || Max(rest->run, static_cast<float>(rest->since_jump)) >= kRunForKernel;
  if (!long_runs || !ComeInOrder(blocks, count)) {
    rest->judge_again_in = Min(Max(rest->judge_again_in * 2, kJudgeLeast), kJudgeMost);
    rest->judge_in = rest->judge_again_in;
    return false;
  }
  rest->judge_in = rest->judge_again_in = 0;
  rest->at_once = Min(Max(rest->at_once * 2, kRestLeast), kRestMost);
  rest->blocks = rest->at_once;
  // The walk's blocks may be far from here when the scan is followed again.
  StopAsking(state);
  state->window.judged = Pattern::kSequential;
  return true;
}

void StopAsking(PrefetchScanState* state) {
  uint32_t here = state->here;
  LosePlace(state);
  state->here = here;
}

void LosePlace(PrefetchScanState* state) {
  if (state->ring != nullptr)
    for (; state->tail != state->head; ++state->tail) Pass(state, *At(state, state->tail));
  state->placed = false;
  state->strays = 0;
  state->here = kNoBlockYet;
}

void JoinWindow(PrefetchScanState* state) {
  if (state->ring != nullptr) {
    for (uint32_t at = state->tail; at != state->head; ++at)
      state->figures.used += At(state, at)->how == AheadOf::kAsked;
    state->tail = state->head;
    state->pending = 0;
  }
  LosePlace(state);
}

void ComeTo(PrefetchScanState* state, IndexScanDesc scan, uint32_t block, BlockVisit* visit) {
  AheadOf how = AheadOf::kSeen;
  if (state->placed) {
    if (TakeEntry(state, block, &how)) {
      visit->asked = how == AheadOf::kAsked;
      visit->probe = how == AheadOf::kProbe;
      state->figures.used += visit->asked;
      state->strays = 0;
    } else if (state->index_only && state->head != state->tail && ++state->strays < kStraysBorne) {
      // All of its rows were visible to everybody when the walk came by.
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
