// What a batch reader keeps while it runs.
#pragma once
#include <ctime>

#include "core/prefetch/look_ahead.h"
#include "core/prefetch/request_runs.h"
#include "server/scan/entry_feed.h"
#include "server/scan/index_probe.h"
#include "server/scan/prefetch_state.h"
extern "C" {
#include "commands/explain.h"
#include "executor/tuptable.h"
#include "nodes/extensible.h"
#include "nodes/execnodes.h"
}

namespace query_shaper {

constexpr uint32_t kBatchRows = 256;
constexpr uint32_t kBatchRing = 2 * kBatchRows;  // power of 2, more than kBatchRows: the row handed on last stays
constexpr uint32_t kRecentLeaves = 256;          // power of 2

struct RowAhead {
  TupleTableSlot* slot;  // null until first used
  int32_t asked;         // blocks
  bool left;             // nothing is asked for, to see how long that takes
  BlockNumber leaf;      // to begin at; invalid: unknown
  RowEntries entries;
};

// The join's work on the row handed on last, seen when it wants the next one.
struct RowVisit {
  bool open;
  bool timed;
  int32_t asked;
  bool left;
  int64_t reads;  // of this backend before
  timespec wall, cpu;
};

struct BatchState {
  CustomScanState scan;
  PlanState* child;
  PlanState* inner;  // of the join, where it can be given entries; null
  List* values;      // ExprState of each key
  const List* description;
  bool single;
  bool watching;  // the join's reads are followed: else all is as without this node
  bool asking;    // and asked for; else only advice
  bool forced;
  const char* declined;  // why not; null: it is not
  bool at_end;           // of the outer plan
  IndexProbe* probe;     // null until first needed
  bool feeds;            // the join's inner scan, what was found
  LeafEntries* found;
  int64_t fed;                  // look-ups
  MemoryContext rows;           // of the rows ahead
  RowAhead* ring;               // null until first needed
  uint32_t read, probed, next;  // rows read, rows whose matches were asked for, rows handed on
  int64_t pending;              // blocks asked for of rows from `next` on
  uint32_t* recent;             // by hash: blocks of the table
  uint32_t* recent_leaves;
  LookAhead look;
  RequestRuns runs;
  RowVisit visit;
  PrefetchFigures figures;
  int64_t judged_at;  // blocks asked for when the precision was looked at last
  int64_t judged_used;
};

// Reads rows ahead and asks for their blocks, as far as look.distance says.
void ReadAhead(BatchState* state);

// What was read ahead is not wanted any more.
void ForgetRows(BatchState* state);

// CustomExecMethods::ExplainCustomScan. Figures of parallel workers are not among those shown.
void ExplainBatch(CustomScanState* scan, List* ancestors, ExplainState* explain);

// At the node's end: metrics, and an event where it mattered.
void ReportBatch(const BatchState* state);

}  // namespace query_shaper
