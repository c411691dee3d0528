// Whether a hash table is better kept whole or spilled: memory beyond the processor's caches is not free.
//
// A table of S kB under a limit of m is built and probed in parts of m. Every probe then reaches its bucket and its row
// in memory of m kB instead of S, while the share  1 - m / S  of all rows is written and read again:
//
//   cost(m) = (inserted + 2 probed) access(m) + (1 - m / S) spilled (row + bytes byte)
//
// access(m) grows with each doubling beyond the private caches, and faster beyond the shared one, where address
// translation misses as well. Where the page cache takes the temporary files, a row's way through them is some
// tens of ns, less than the misses of one probe. Where it does not, memory is always worth it: disks are shared.
// Figures: a virtual machine (EPYC, 32 MB shared cache), 1 M rows probed by 3 M, 2 M by 6 M (1 batch 4.7 s, 4
// batches 3.8 s, 16 batches 3.3 s, 32 batches 3.1 s), 1.5 M groups.
#pragma once
#include "core/pool/node_need.h"

namespace query_shaper {

struct ProcessorCaches {
  double private_kb = 1024;
  double shared_kb = 8192;
};

struct HashTraffic {
  double inserted = 0;  // rows or groups that the table holds
  double probed = 0;    // rows that look into it
  double spilled = 0;   // rows that are written where nothing of it is kept
  double spill_kb = 0;  // the same rows
  double table_kb = 0;  // all of it
};

// Of a hash table or hash aggregate as predicted.
HashTraffic TrafficOf(const NodeNeed& need);

// What whole tables cost beyond tables of that size.
double MissesNs(const HashTraffic& traffic, double limit_kb, const ProcessorCaches& caches);

// To a random place in a table of this size.
double AccessNs(double table_kb, const ProcessorCaches& caches);

// What differs by the limit, with temporary files in page cache.
double HashCostNs(const HashTraffic& traffic, double limit_kb, const ProcessorCaches& caches);

// The limit to ask for: wanted_kb, or floor_kb where spilling is clearly cheaper. page_cached: temporary files stay in
// memory.
double WorthwhileKb(const HashTraffic& traffic, double floor_kb, double wanted_kb, bool page_cached,
                    const ProcessorCaches& caches);

}  // namespace query_shaper
