// Rows fetched out of order, block by block, and handed out in the order of the index.
//
// The scan goes on from entry to entry as it would; only where its rows come from changes: for the entries of the leaf
// page that it has read (core/prefetch/block_sweep.h) each block is pinned and locked once and the visible rows are
// copied. A copy is found by the entry's place on the page and its row's address, so that marks, turns and whatever
// else moves the scan need nothing: what was not fetched for this very entry is fetched then. Under one MVCC snapshot
// it does not matter when a row is fetched, but under SERIALIZABLE, where fetching locks.
#pragma once
#include "server/scan/prefetch_state.h"

namespace query_shaper {

enum class SweptRow : uint8_t {
  kNotSwept,  // to be fetched
  kRow,
  kNone,  // no row is visible
  kDead   // nor to anybody
};

// The row of the scan's entry, when it was fetched before: it is in the slot then.
SweptRow TakeSwept(PrefetchScanState* state, IndexScanDesc scan, TupleTableSlot* slot);

// Fetches rows from the scan's entry on, when that is worth it. May raise as reads do.
bool SweepRows(PrefetchScanState* state, IndexScanDesc scan);

// Rows that nobody has asked for until now.
int64_t UnusedRows(const PrefetchScanState* state);

// The scan is given other keys.
void ForgetSwept(PrefetchScanState* state);

// Before the row of the scan's entry is fetched in the ordinary way.
inline SweptRow SweptBefore(PrefetchScanState* state, IndexScanDesc scan, TupleTableSlot* slot) {
  return likely(state->sweep == nullptr) ? SweptRow::kNotSwept : TakeSwept(state, scan, slot);
}

// When it is in another block than the scan was at.
inline SweptRow SweptNow(PrefetchScanState* state, IndexScanDesc scan, TupleTableSlot* slot) {
  if (likely(--state->pace.until > 0) || !state->sweeping || !SweepRows(state, scan)) return SweptRow::kNotSwept;
  return TakeSwept(state, scan, slot);
}

}  // namespace query_shaper
