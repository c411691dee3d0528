// A statement and its shadow: whether it gets one, what it asks for, and what the shadow has found so far.
#pragma once
#include "server/query/plan_note.h"
#include "server/query/tracker.h"

namespace query_shaper {

// At the first call of the executor. Starts a shadow worker when the statement is predicted long and its estimates rest
// on nothing seen; otherwise, or when it cannot, nothing or an event.
void ConsiderShadow(const Tracker* tracker);

// Rows found by the tracked statement's shadow, at most `capacity`. Safe in signal context.
int ShadowRows(const Tracker* tracker, RowOverride* out, int capacity);

// Grows whenever ShadowRows() has more to tell; 0: nothing yet. Safe in signal context.
uint32 ShadowVersion(const Tracker* tracker);

// The statement is over: its shadow is stopped; tell: an event says what it found. Never raises.
void EndShadow(const Tracker* tracker, bool tell);

void InstallShadow();

}  // namespace query_shaper
