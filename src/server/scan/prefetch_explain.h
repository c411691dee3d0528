// What a prefetch scan says of itself.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/extensible.h"
}

namespace query_shaper {

struct PrefetchScanState;

// CustomExecMethods::ExplainCustomScan. Figures of parallel workers are not among those shown.
void ExplainPrefetch(CustomScanState* scan, List* ancestors, struct ExplainState* explain);

// At the scan's end: metrics, and an event where it mattered.
void ReportPrefetch(const PrefetchScanState* state);

}  // namespace query_shaper
