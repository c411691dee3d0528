// How far a scan looks ahead, in distinct blocks that are not cached: starts at one, doubles while reads are waited
// for, falls while blocks are found cached, and is nothing on warm data.
//
// A block that was asked for ahead and is then read at once says that the distance suffices, or that the operating
// system had it all the time. Only a block left unasked can tell: one in `probe_interval` is (ProbeNext), ever more
// rarely while probes turn out slow.
//
// Where few blocks are missing amid many that are cached, it stays awake and looks past the cached ones as long as a
// read saved is worth more than the looks that it takes.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

constexpr int kLookAheadMax = 1024;

// A copy out of the page cache takes a few microseconds on any machine, the fastest disks some twenty.
constexpr float kSlowReadUs = 15;

struct LookAhead {
  int32_t max_distance = 0;
  int32_t distance = 1;         // at 0 and 1 nothing is asked for; at 0 all of late has been cached
  int32_t calm = 0;             // visits in a row that looking ahead could not have made faster
  int32_t probe_interval = 32;  // requests
  int32_t until_probe = 32;
  int32_t probes_fast = 0;  // in a row
  int32_t since_miss = 0, since_read = 0;
  bool last_fast = true;  // of the reads that were timed and not asked for
  float gap = 1;          // visits from one missing block to the next, smoothed
  float slow_us = 0;      // of reads that were waited for, smoothed; 0: none was timed
  // Figures of the scan, for its reader.
  int64_t visited = 0, cached = 0, waited = 0, asked = 0, late = 0;
  int32_t highest = 1;
};
static_assert(std::is_trivially_copyable_v<LookAhead>);

// What became of one distinct block when the scan came to it.
struct BlockVisit {
  bool read;      // it was not in shared buffers
  bool asked;     // it was asked for ahead
  bool probe;     // ProbeNext() said to leave it unasked
  float read_us;  // time of the read, below 0: not measured
};

// max_distance 0..kLookAheadMax; 0 turns looking ahead off.
LookAhead MakeLookAhead(int max_distance);

// Learns from one visit and sets `distance`.
void NoteVisit(LookAhead* state, const BlockVisit& visit);

// To be called once for each block that is about to be asked for: true means to leave it.
bool ProbeNext(LookAhead* state);

// How many distinct blocks the walk may be ahead of the scan, cached ones included.
int BlocksAhead(const LookAhead& state);

// Whether visits need not be told any more until a block is read: all of late were cached.
bool AllCached(const LookAhead& state);

// In place of NoteVisit() for a visit of which only that is known that it read nothing.
inline void NoteCached(LookAhead* state) {
  ++state->visited;
  ++state->cached;
  state->since_miss += state->since_miss < INT32_MAX;
}

// Whether the time of the next visit is of use; a scan amid cached blocks saves the clock.
bool TimeNextRead(const LookAhead& state);

}  // namespace query_shaper
