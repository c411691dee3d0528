// Test builds only: EXPLAIN without learned rows and with as many workers as planned, so that suites whose expected
// output shows plans stay meaningful while every statement that is executed is planned with them.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

#ifdef QUERY_SHAPER_FAULT_POINTS
void InstallPlainExplain();
// Inside an EXPLAIN, with query_shaper.plain_explain on.
bool ExplainsPlainly();
#else
inline void InstallPlainExplain() {}
inline bool ExplainsPlainly() { return false; }
#endif

}  // namespace query_shaper
