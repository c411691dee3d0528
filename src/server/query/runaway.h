// Statements that run away: decided in the tick, carried out between two rows or, where none comes, as a cancel that is
// already under way. And those that are refused before they run.
//
// What was stopped is remembered with the statement's known plans: look-alikes (same query_id, same plan) are handled
// the same at once, until an administrator lifts it or one of them behaves.
#pragma once
#include "core/decide/runaway_policy.h"
#include "pg/pg.h"

#include <csignal>

namespace query_shaper {

struct Tracker;
struct Frame;

enum class RunawayStage : uint8_t {
  kNone = 0,
  kDecided = 1,     // by the tick
  kCarriedOut = 2,  // told in `events`; paused, or the cancel is on its way
};

struct RunawayState {
  volatile RunawayStage stage;
  bool look_alike;   // of one that was stopped before
  bool advise_only;  // mode advise, or runaway = advise
  bool cancel;       // else: hold it
  double predicted_ms, low_ms, high_ms;
  double known_ms;    // what the best known plan of the statement takes, 0: none
  double running_ms;  // when it was decided
  double total_ms;    // tracked then
  double asked_ms;    // ElapsedMs() when a cancel was asked for last
  RunawayWatch watch;
};

// An event of this statement. failed: called in a catch block, where catalogs must not be looked into.
void SendStatementEvent(const Tracker* tracker, bool failed, const char* action, const char* verdict, int node_id,
                        const char* reason, const char* details);

// At ExecutorStart, when the statement is predicted: refuses it by max_predicted_time (53400) or as a look-alike of a
// stopped runaway (57014), or marks it to be held. May raise.
void CheckBeforeRun(Tracker* tracker);

// Signal context, once per tick, after the discrepancy was updated.
void WatchRunaway(Tracker* tracker, double running_ms);

// When the statement's first call of the executor begins: a look-alike is held.
void HoldLookAlike(Tracker* tracker);

// Between two rows: what the ticks have decided is told and carried out. May raise.
void CarryOutRunaway(Tracker* tracker);

// Error context of a frame: a cancel of ours says why.
void ExplainCancel(void* frame);

// In the catch block of the executor's call.
void RunawayFailed(Tracker* tracker);

// After the executor's call: a cancel that was asked for must not hit the next statement. May raise.
void SettleCancel(Tracker* tracker);

// At the statement's end without an error.
void RunawayEnded(Tracker* tracker);

}  // namespace query_shaper
