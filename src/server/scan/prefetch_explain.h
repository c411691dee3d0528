// What a prefetch scan says of itself.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/extensible.h"
}

namespace query_shaper {

struct PrefetchFigures;
struct PrefetchScanState;

// CustomExecMethods::ExplainCustomScan. Figures of parallel workers are not among those shown.
void ExplainPrefetch(CustomScanState* scan, List* ancestors, struct ExplainState* explain);

// What every node that asks ahead says first; in text a line that the caller ends. late: blocks that had to be waited
// for.
void ExplainFigures(const PrefetchFigures& figures, int64_t late, struct ExplainState* explain);

// Adds them to the metrics.
void CountFigures(const PrefetchFigures& figures, int64_t late);

// At the scan's end: metrics, and an event where it mattered.
void ReportPrefetch(const PrefetchScanState* state);

}  // namespace query_shaper
