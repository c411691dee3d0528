// What a prefetch scan keeps while it runs.
#pragma once
#include "core/prefetch/access_pattern.h"
#include "core/prefetch/block_order.h"
#include "core/prefetch/block_sweep.h"
#include "core/prefetch/look_ahead.h"
#include "core/prefetch/request_runs.h"
#include "server/scan/leaf_walk.h"
#include "server/store/access_knowledge.h"
extern "C" {
#include "nodes/execnodes.h"
}

namespace query_shaper {

// What the walk decided about a block that the scan has yet to come to.
enum class AheadOf : uint8_t {
  kSeen,   // met shortly before, or in shared buffers
  kAsked,  // requested
  kProbe,  // left out to see how long an unasked read takes
  kLeft,   // the kernel reads ahead here by itself
};

struct AheadBlock {
  uint32_t block;
  AheadOf how;
};

constexpr uint32_t kAheadBlocks = 4096;  // power of 2
constexpr int kRecentBits = 14;
constexpr uint32_t kRecentBlocks = 1 << kRecentBits;

// A scan that need not be followed, because all is cached or the kernel reads ahead, is left alone: what it costs then
// is a comparison per block.
struct Rest {
  bool warm;                         // until a block is read
  int32_t blocks;                    // or for so many blocks that come in order, or until one is a jump away
  int32_t at_once;                   // as many the next time
  int32_t judge_in, judge_again_in;  // reads until order is judged again
  int32_t since_jump;
  float run;  // blocks from one jump to the next, smoothed; 0: there was none
};

struct AccessPredictor;  // access_lead.h
struct ReachTrace;       // stage_ahead.h
struct RowSweep;         // row_sweep.cpp
struct EntryWindow;      // entry_window.cpp

constexpr int64_t kWaitedBeforeOrder = 8;  // reads

struct PrefetchFigures {
  int64_t asked;  // blocks
  int64_t used;
  int64_t wasted;
  int64_t requests;
  int64_t failed;
  int64_t lost;          // times the walk had to begin anew because it had gone another way
  int64_t swept;         // rows fetched out of order
  int64_t swept_blocks;  // chunks that they came in
  int64_t swept_unused;  // rows that nobody asked for
  int64_t ordered;       // entries gone through in the order of their blocks
  int64_t ordered_blocks;
  int64_t windows;  // that they were taken in
};

struct PrefetchScanState {
  CustomScanState scan;
  PlanState* child;  // an index scan, or an index-only scan
  Relation heap, index;
  bool index_only;  // rows of pages that are all visible are not fetched
  Buffer map_page;  // of the visibility map, pinned for the walk
  bool watching;    // blocks are followed: else all is as without this node
  bool asking;      // and asked for; else only advice
  bool forced;
  bool columns_only;  // the projection leaves nothing in its memory context
  bool bare;          // the index scan's rows are handed on as they lie in their buffers
  bool sweeping;      // rows may be fetched out of order
  bool any_order;     // nobody asked for the index's: rows may come in that of their blocks
  bool order_forced;
  bool rescanned;  // other keys came since it began
  bool placed;     // the walk stands ahead of the scan
  ScanDirection direction;
  uint32_t here;        // block of the scan's entry
  uint32_t last_ahead;  // block of the walk's
  LookAhead look;
  Rest rest;
  AccessWindow window;
  RequestRuns runs;
  LeafWalk walk;
  SweepPace pace;
  RowSweep* sweep;     // null until rows were fetched out of order
  EntryWindow* taken;  // null while the scan goes from entry to entry
  PrefetchFigures figures;
  AccessTrace trace;           // of the first blocks that were read
  AccessPredictor* predictor;  // null until needed
  AccessAdvice advice;         // at its start
  ReachTrace* reach;           // null: nothing is staged for statements to come
  uint32_t head, tail;         // of the ring
  int32_t pending;             // blocks in it that will be read
  uint32_t missing;            // blocks in a row that were looked up ahead and not cached
  int32_t strays;              // blocks in a row that the scan came to and the walk did not
  AheadBlock* ring;            // null until the walk first goes
  uint32_t* recent;            // met by the walk, by hash
  uint32_t recent_count;
};

// What is done at each new heap block of the scan, before its row is fetched. *visit says what is known of
// it.
void ComeTo(PrefetchScanState* state, IndexScanDesc scan, uint32_t block, BlockVisit* visit);

// Whether to let the kernel read ahead for a while. To be asked after a read.
bool LeaveToKernel(PrefetchScanState* state, IndexScanDesc scan);

// What reads a block, once it has been looked ahead from there. False when no row of it is visible.
using BlockFetch = bool (*)(IndexScanDesc scan, void* what);

// At a block that the scan was not at before.
bool FetchElsewhere(PrefetchScanState* state, IndexScanDesc scan, uint32_t block, BlockFetch fetch, void* what);

inline bool FetchSlot(IndexScanDesc scan, void* slot) {
  return index_fetch_heap(scan, static_cast<TupleTableSlot*>(slot));
}

// The row of the scan's entry.
inline bool FetchRow(PrefetchScanState* state, IndexScanDesc scan, TupleTableSlot* slot) {
  uint32_t block = ItemPointerGetBlockNumberNoCheck(&scan->xs_heaptid);
  return block == state->here ? index_fetch_heap(scan, slot) : FetchElsewhere(state, scan, block, FetchSlot, slot);
}

// Nothing more is asked for; the scan goes on from where it is.
void StopAsking(PrefetchScanState* state);

// A block was read amid cached ones: the scan is followed again.
void WakeUp(PrefetchScanState* state, IndexScanDesc scan);

// The scan stands elsewhere than where it would have come: what was asked for ahead is not waited for any more.
void LosePlace(PrefetchScanState* state);

// What was asked for ahead of the scan is among the blocks of a window that it takes.
void JoinWindow(PrefetchScanState* state);

// From now on the index-only scan below fetches through this state.
void StandOverIndexOnly(PrefetchScanState* state);

// The scan goes in this direction now.
inline void Face(PrefetchScanState* state, ScanDirection direction) {
  if (likely(state->direction == direction)) return;
  LosePlace(state);
  state->direction = direction;
}

}  // namespace query_shaper
