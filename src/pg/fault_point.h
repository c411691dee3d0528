// Named places where a test build can raise an error, throw, wait or exit; nothing in release builds.
#pragma once
#include "pg/pg.h"

namespace query_shaper::pg {

#ifdef QUERY_SHAPER_FAULT_POINTS
extern char* fault;  // the setting query_shaper.fault

// Acts when the setting query_shaper.fault, entries parted by commas, names this point as "point:action"; action is
// error, throw, exit or wait (until the setting changes). Cheap when the setting is empty.
void FaultPoint(const char* name);

// What stands behind "name:" when the setting names this point, else null; good until the next call.
const char* FaultAction(const char* name);

// True when the setting says "point:action"; for what a test build does differently rather than wrongly.
bool FaultIs(const char* name, const char* action);
#else
inline void FaultPoint(const char*) {}
inline bool FaultIs(const char*, const char*) { return false; }
#endif

}  // namespace query_shaper::pg
