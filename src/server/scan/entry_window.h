// Rows in the order of their blocks, where nobody asked for the index's order.
//
// The scan takes a window of entries from the index (row addresses, core/prefetch/block_order.h), which are sorted by
// block; each block is asked for ahead and visited once, and its visible rows are handed out as they lie there. Nothing
// is copied and nothing put back in order. It begins where reads are waited for and goes on while that is so; amid
// cached blocks, and where only a few rows are wanted, the scan keeps to the index.
//
// When a row is fetched does not matter under one MVCC snapshot, but under SERIALIZABLE, where fetching locks. Entries
// of dead rows cannot be marked once their leaf page was left: where a window meets some, it was the last one.
#pragma once
#include "server/scan/prefetch_state.h"
extern "C" {
#include "nodes/pathnodes.h"
}

namespace query_shaper {

// Whether the plan says that the index's order is of no use to anybody and that all rows are wanted: such a scan says
// so in its plan's private list.
bool AnyOrderWillDo(const PlannerInfo* root, const CustomPath* path);

// Takes a window from the scan's entry on. May raise as reads do.
void TakeEntries(PrefetchScanState* state, IndexScanDesc scan);

// The next row of the window, or of the one after it. False when there is none: then `state->taken` is null and the
// scan goes on from entry to entry, or it is not and the scan is over.
bool NextTaken(PrefetchScanState* state, IndexScanDesc scan, TupleTableSlot* slot);

// The next block that the window leads to, for who asks ahead; false at its end.
bool NextBlockTaken(EntryWindow* window, uint32_t* block);

// Asking ahead goes on from the window's next block.
void PlaceInWindow(EntryWindow* window);

AccessWindow* StepsOf(EntryWindow* window);

// The scan is given other keys, or ends.
void ForgetTaken(PrefetchScanState* state);

// Whether to take a window, at an entry that leads elsewhere.
inline bool TakesEntries(const PrefetchScanState* state) {
  if (likely(!state->any_order)) return false;
  if (state->order_forced) return state->look.visited >= kWaitedBeforeOrder;
  return state->look.waited >= kWaitedBeforeOrder && state->look.distance > 1 && state->rest.blocks <= 0 &&
         !KernelReadsAhead(state->window);
}

}  // namespace query_shaper
