// Reads the row counts of a sampled run out of its executed plan.
#pragma once
#include "server/query/sampled_query.h"
#include "server/query/whole_estimates.h"
extern "C" {
#include "executor/execdesc.h"
}

namespace query_shaper {

// After ExecutorRun, before ExecutorEnd, of a plan with row instrumentation. Adds the complete scans and joins, or
// pools them with what the run has of them.
void ReadSampledRows(const QueryDesc* query, const WholeEstimates* whole, int block, SampledRun* run);

}  // namespace query_shaper
