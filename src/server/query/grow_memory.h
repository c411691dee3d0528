// Hash tables that outgrow their plan are given more memory before they split into batches: the tick raises the limit
// of a hash join or hash aggregate while it is being filled.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

struct Tracker;

constexpr int kGrownNodes = 8;  // of one statement

struct GrownNode {
  short index;  // in the plan
  bool done, advised, told;
  float from_kb, to_kb, needed_kb;
  float held_rows, planned_rows;
};

struct GrowthState {
  int count;
  double grown_kb;  // given beyond the plan
  GrownNode nodes[kGrownNodes];
};

// Signal context, once per tick, after the counters were read and refined.
void WatchHashTables(Tracker* tracker);

// Between two rows, at the statement's end, and in a catch block (failed: catalogs are not looked into).
void TellGrowth(Tracker* tracker, bool failed);

}  // namespace query_shaper
