// A statement and its shadow: whether it gets one, what it asks for, and what the shadow has found so far.
#pragma once
#include "server/query/plan_note.h"
#include "server/query/tracker.h"

namespace query_shaper {

// At the first call of the executor. Starts a shadow worker when the statement is predicted long and its estimates rest
// on nothing seen; otherwise, or when it cannot, nothing or an event.
void ConsiderShadow(const Tracker* tracker);

// Signal context: makes the tracker's progress go by what the shadow has found since the last call. True when it says
// that the running plan rests on wrong rows.
bool AdoptShadow(Tracker* tracker);

// Adds what the shadow has found to what the running plan has shown, which comes first. believed as in ObserveRows().
int AddShadowRows(const Tracker* tracker, RowOverride* overrides, int count, int capacity, double* believed);

// The statement is over: its shadow is stopped; tell: an event says what it found. Never raises.
void EndShadow(const Tracker* tracker, bool tell);

void InstallShadow();

}  // namespace query_shaper
