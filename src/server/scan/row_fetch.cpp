// Fetching the row of an entry, and what is learned from how long that takes.
#include "pg/pg.h"

#include <ctime>

#include "server/scan/access_lead.h"
#include "server/scan/entry_window.h"
#include "server/scan/prefetch_state.h"
#include "server/scan/stage_ahead.h"
extern "C" {
#include "access/relscan.h"
#include "executor/instrument.h"
}

namespace query_shaper {
namespace {

float Microseconds(const timespec& from, const timespec& to) {
  return static_cast<float>(to.tv_sec - from.tv_sec) * 1e6F + static_cast<float>(to.tv_nsec - from.tv_nsec) / 1e3F;
}

void NoteJump(PrefetchScanState* state, uint32_t block) {
  Rest* rest = &state->rest;
  ++rest->since_jump;
  if (state->here == kNoBlockYet || !IsJump(state->here, block)) return;
  auto run = static_cast<float>(rest->since_jump);
  rest->run = rest->run == 0 ? run : rest->run + (run - rest->run) / 4;
  rest->since_jump = 0;
  rest->blocks = 0;
  rest->at_once = static_cast<int32_t>(rest->run) / 2;
}

bool FetchAtRest(PrefetchScanState* state, IndexScanDesc scan, uint32_t block, BlockFetch fetch, void* what) {
  --state->rest.blocks;
  state->here = block;
  ++state->look.visited;
  TraceBlock(&state->trace, block);
  return fetch(scan, what);
}

// Amid cached blocks nothing is noted but that one was read.
bool FetchWarm(PrefetchScanState* state, IndexScanDesc scan, uint32_t block, BlockFetch fetch, void* what) {
  int64 reads = pgBufferUsage.shared_blks_read;
  state->here = block;
  bool found = fetch(scan, what);
  if (likely(pgBufferUsage.shared_blks_read == reads)) {
    NoteCached(&state->look);
    return found;
  }
  WakeUp(state, scan);
  return found;
}

bool FetchFromNewBlock(PrefetchScanState* state, IndexScanDesc scan, uint32_t block, BlockFetch fetch, void* what) {
  BlockVisit visit = {false, false, false, -1};
  ComeTo(state, scan, block, &visit);
  if (MayPredict(state)) PredictFrom(state, scan->heapRelation, block, &visit);
  timespec from, to;
  bool timed = TimeNextRead(state->look);
  int64 reads = pgBufferUsage.shared_blks_read;
  if (timed) clock_gettime(CLOCK_MONOTONIC, &from);
  bool found = fetch(scan, what);
  visit.read = pgBufferUsage.shared_blks_read != reads;
  if (timed && visit.read) {
    clock_gettime(CLOCK_MONOTONIC, &to);
    visit.read_us = Microseconds(from, to);
  }
  NoteVisit(&state->look, visit);
  if (state->predictor != nullptr) NotePrediction(state, visit);
  if (state->taken != nullptr) {
    NoteStep(StepsOf(state->taken), block);
    return found;
  }
  if (visit.read || state->look.distance > 0) {
    NoteStep(&state->window, block);
    TraceBlock(&state->trace, block);
  }
  if (state->forced) return found;
  if (visit.read) {
    if (state->asking) LeaveToKernel(state, scan);
  } else if (AllCached(state->look)) {
    state->rest.warm = true;
    StopAsking(state);
  }
  return found;
}

}  // namespace

void WakeUp(PrefetchScanState* state, IndexScanDesc scan) {
  state->rest.warm = false;
  NoteVisit(&state->look, {true, false, false, -1});
  if (state->asking) LeaveToKernel(state, scan);
}

bool FetchElsewhere(PrefetchScanState* state, IndexScanDesc scan, uint32_t block, BlockFetch fetch, void* what) {
  if (unlikely(state->reach != nullptr)) TraceReach(state->reach, block);
  if (state->rest.warm) return FetchWarm(state, scan, block, fetch, what);
  NoteJump(state, block);
  return state->rest.blocks > 0 ? FetchAtRest(state, scan, block, fetch, what)
                                : FetchFromNewBlock(state, scan, block, fetch, what);
}

}  // namespace query_shaper
