// Walks ahead of a B-tree scan: a second descriptor that takes the first one's place over and goes on from there.
//
// The first descriptor stays as PostgreSQL has it: hints for dead entries, marks, changes of direction and predicate
// locks are its own. The second never returns a row, never marks an entry dead, takes no predicate lock (its snapshot
// is SnapshotAny), keeps no leaf page pinned between calls and counts no scan in the statistics views.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "access/genam.h"
#include "access/relscan.h"
}

namespace query_shaper {

struct LeafWalk {
  IndexScanDesc ahead;  // null until first needed
  bool keys_set;        // of the first descriptor's present keys
  bool one_page;        // goes no further than the page that the first descriptor has read
  bool over;            // nothing is left
  uint32_t asked_to;    // leaf pages that lie one behind the other are asked for up to here
  uint32_t asked_run;   // as many at a time
};

// Puts the walk where `scan` stands; false when it stands nowhere. Allocates in the current memory context.
bool TakePlace(LeafWalk* walk, IndexScanDesc scan, ScanDirection direction);

// The heap blocks that the entries of the scan's present leaf page lead to, in the scan's order, none equal to the one
// before; the first `most`, 0 when it stands nowhere.
int BlocksOfPage(IndexScanDesc scan, ScanDirection direction, uint32_t* blocks, int most);

// The next entry in that direction; null at the end, and for good until TakePlace(). May read leaf pages.
ItemPointer NextAhead(LeafWalk* walk, ScanDirection direction);

// `scan` itself has come to another leaf page: those after it are asked for.
void AskForLeaves(LeafWalk* walk, IndexScanDesc scan);

// The first descriptor was given other keys, or is about to.
inline void ForgetKeys(LeafWalk* walk) { walk->keys_set = false; }

void EndWalk(LeafWalk* walk);

}  // namespace query_shaper
