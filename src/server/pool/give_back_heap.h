// Memory that a statement has freed goes back to the system while its reservation still stands, so that whoever is
// granted it next does not find the process holding it, too.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

// After the statement's contexts were deleted, before its reservation (or kNoReservation) ends. freed_kb: what its
// nodes held; ran_ms: its time. Does nothing where that does not pay (core/pool/heap_trim).
void GiveBackHeap(int64 freed_kb, double ran_ms, int reservation);

// Of a statement that failed: its contexts are deleted when the transaction or the subtransaction that caught the error
// is rolled back; the transaction's end calls the other.
void OweHeap(int64 freed_kb, double ran_ms);
void GiveBackOwedHeap();

}  // namespace query_shaper
