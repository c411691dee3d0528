// Gives the inner index scan of a batched nested loop the entries that were found for a row when its blocks were asked
// for, in place of one more way down the index.
//
// That is what a scan does by itself with a leaf page that it has read: under an MVCC snapshot of an index that is
// logged it goes on from its copy of the entries, with no pin on the page, whatever becomes of the page meanwhile. Here
// it is the same copy made some rows earlier, under the same snapshot. What is marked dead by it is looked up again by
// the page's LSN. The scan itself is PostgreSQL's own: visibility, rechecks, filters, marks of dead entries.
#pragma once
#include "pg/pg.h"
#include "server/scan/index_probe.h"
extern "C" {
#include "nodes/execnodes.h"
}

namespace query_shaper {

constexpr int kFedEntries = 16;  // of more, finding them is the least of the work
constexpr int kFedKeys = 3;

// What is kept for a row.
struct RowEntries {
  int16_t count;  // below 0: they were not found, or not kept
  OffsetNumber places[kFedEntries];
  ItemPointerData rows[kFedEntries];
  BlockNumber page, next;
  XLogRecPtr lsn;
  Datum keys[kFedKeys];
};

// Whether entries found with it can be given to the scan: its keys can be compared as they are.
bool CanFeed(const IndexProbe* probe);
void KeepEntries(const IndexProbe* probe, const LeafEntries* found, RowEntries* kept);

// The next look-up of the node, if it is for these keys, begins with these entries, and *taken is counted up. At most
// one offer is open, until the node is called, which is at once: nothing but the look-up itself comes between a nested
// loop's outer row and it.
void OfferEntries(const PlanState* inner, const IndexProbe* probe, const RowEntries* kept, int64_t* taken);
void WithdrawEntries();

// Stands over the inner node of a nested loop, when that is an index scan that can be fed. False: it is not.
bool StandOverInner(PlanState* inner);

}  // namespace query_shaper
