// Records of ticks for eta_replay, in test builds while query_shaper.fault is "record:DIRECTORY"; nothing in release
// builds.
#pragma once
#include "server/query/tracker.h"

namespace query_shaper {

#ifdef QUERY_SHAPER_FAULT_POINTS
// Begins a file per process for the outermost statement.
void RecordStart(const Tracker* tracker);
// Signal context; rows and log_sd as given to Believe().
void RecordBelief(const Tracker* tracker, const double* rows, const double* log_sd);
void RecordTick(const Tracker* tracker, const Tick& tick);
void RecordEnd(const Tracker* tracker, const Actual& actual, const Tick& tick);
#else
inline void RecordStart(const Tracker*) {}
inline void RecordBelief(const Tracker*, const double*, const double*) {}
inline void RecordTick(const Tracker*, const Tick&) {}
inline void RecordEnd(const Tracker*, const Actual&, const Tick&) {}
#endif

}  // namespace query_shaper
