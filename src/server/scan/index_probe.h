// Finds out, for keys that a nested loop will bring to its inner index scan, which blocks that scan will read.
//
// Nothing is returned to anybody but what entry_feed.h takes on: no predicate lock is taken (the snapshot is
// SnapshotAny), no entry is marked dead, no page stays pinned between calls but one of the visibility map, and no scan
// is counted in the statistics views.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "access/nbtree.h"
#include "nodes/pathnodes.h"
}

namespace query_shaper {

constexpr int kEntriesOfLeaf = 256;  // that are looked at

// The entries of one leaf page that fit the keys, and what a scan remembers of a page that it has read.
struct LeafEntries {
  BlockNumber page, next;
  XLogRecPtr lsn;
  int count;
  ItemPointerData rows[kEntriesOfLeaf];
  OffsetNumber places[kEntriesOfLeaf];
};

struct IndexProbe {
  Relation heap, index;
  bool index_only;  // rows of pages that are all visible are not read
  bool exact;       // the keys are equalities, and `place` has them all
  int key_count;
  ScanKeyData keys[INDEX_MAX_KEYS];  // as the inner scan has them; arguments by SetProbeKeys()
  // Where the scan will begin: for the first so many keys of `keys` by their number.
  int16_t place_keys[INDEX_MAX_KEYS];
  BTScanInsertData place;  // keysz 0: unknown
  IndexScanDesc scan;      // null until first needed
  Buffer map_page;
};

// The keys of an index path as a list that a plan can carry, and their comparison values into *values. NIL when they
// are not simple comparisons led by one of the index's first column.
List* DescribeProbe(const IndexPath* path, Oid heap, List** values);

// Opens the relations, which the statement has locked already. In the current memory context, until CloseProbe().
IndexProbe* OpenProbe(const List* description);

// The leaf page that the inner scan will come to first; InvalidBlockNumber when it cannot be told without reading it.
// May read inner pages of the index.
BlockNumber FirstLeaf(IndexProbe* probe);

// The entries that fit, from the leaf page that FirstLeaf() gave for these keys under the snapshot that is still held:
// a page that is deleted is not used again before it is gone. False when they are to be gone through instead: the keys
// are not exact, or the entries are many, or go on on the next page.
bool ReadLeaf(IndexProbe* probe, BlockNumber leaf, LeafEntries* entries);

// Begins to go through the entries that fit the keys. May read leaf pages, as NextEntry() may.
void BeginEntries(IndexProbe* probe);
ItemPointer NextEntry(IndexProbe* probe);  // null at the end
// Keeps nothing pinned.
void LeaveEntries(IndexProbe* probe);

// Whether the row of the entry is read from its table.
bool ReadsHeap(IndexProbe* probe, BlockNumber block);

void CloseProbe(IndexProbe* probe);

}  // namespace query_shaper
