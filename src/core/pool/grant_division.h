// How the memory granted to a statement is divided among the nodes of its plan: to where a kB saves the most spilling.
//
// A hash table of w kB under a limit of m keeps m / w of its rows and spills the rest: its gain is a line from the
// floor to w, of slope  spill / w,  and any part of it is worth taking. A sort that does not fit is written whole, and
// twice where its runs are more than it can merge at once: beside all of it only the memory for one merge is worth
// anything, which is little and comes first. The pieces are taken by slope; where the best single piece saves more than
// all of these together it is taken alone, so that no less than half of the best possible is saved (the bound of the
// greedy knapsack). What a node wants beyond all that it is known to have needed is given last, when every node that
// can be kept from spilling has what it needs: a margin for one is not worth another one's spilling.
//
// Nodes keep their memory until the statement ends (PostgreSQL 15 frees neither a sort that was read nor a hash table
// that was probed), so that none is lent from one node to a later one; what a node turns out not to need is given back.
#pragma once

namespace query_shaper {

struct MemoryWish {
  double floor_kb = 0;   // limit that the server's own settings give the node
  double wanted_kb = 0;  // limit under which it is not expected to spill
  double margin_kb = 0;  // of that: what it can be expected to do without
  double most_kb = 0;    // it may have at most
  double spill_kb = 0;   // written and read again where nothing is kept
  double merge_kb = 0;   // a sort: from this limit on it is written once only; 0: whatever it has
  bool gradual = false;  // a part of the memory saves a part of that
  bool fixed = false;    // nobody can set its limit, but it uses memory
  double processes = 1;  // that hold as much each
};

// What the node uses at least, whatever is granted: no more than it needs, no more than its floor.
double LeastKb(const MemoryWish& wish);
// The same when it gets what it wants, or as much of that as it may have.
double MostKb(const MemoryWish& wish);

// Limits in kB by wish, never below the floor; their use beyond LeastKb() sums to no more than granted_kb - the sum of
// LeastKb() over all. Returns that sum of use beyond.
double DivideGrant(const MemoryWish* wishes, int count, double granted_kb, double* limits_kb);

// What is spilled under these limits, in kB.
double SpilledKbUnder(const MemoryWish& wish, double limit_kb);

}  // namespace query_shaper
