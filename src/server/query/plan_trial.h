// The plan guard: which of a statement's plans runs, and when one on trial is given up for the known one. The
// arithmetic and its bound stand in core/decide/plan_guard.h.
#pragma once
#include "core/decide/plan_guard.h"
#include "server/query/plan_note.h"
#include "server/query/tracker.h"

namespace query_shaper {

// Planning has made a plan with learned rows: returns it, marked for a trial where it is unknown, or the known plan
// made again. A statement that never ran keeps to its stock plan unless every node of the new one is learned: a plan
// half of learned figures, half of the planner's own, drifts to joins that were never seen.
PlannedStmt* GuardPlanning(PlannedStmt* statement, const char* source_text, ParamListInfo parameters);

// Whether a plan made for more memory may run, by what is known of it; marks it for a trial where it is unknown.
bool GuardLets(PlannedStmt* statement, const char* source_text, uint64_t fingerprint);

// True when the statement's stock plan is the best known and no other is to be tried now, or what learned rows make was
// passed over for it in this backend's last plannings: learned rows need not be used.
bool PlansStock(const Query* query);

// Time in ms of the best known plan; 0 where none has run to its end.
double BestKnownMs(const KnownPlans& plans);

// At ExecutorStart, when the plan has its name.
void BeginTrial(Tracker* tracker);

// Signal context, once per tick: true when the plan is to be given up.
bool TrialFailed(Tracker* tracker, double elapsed_ms);

// Between two rows. Returns when the plan cannot be given up here, else raises what takes the known plan in.
void GiveUpTrial(Tracker* tracker);

// Whether a re-plan to this plan would leave what is known to be better. Null: no, else why. *trial gets a known time
// when the running plan takes what it is known to take: the new one may then be tried against that.
const char* GuardAgainst(const Tracker* tracker, uint64_t fingerprint, Probation* trial);

// What a run teaches: at the statement's end, when it failed, and when its plan was given up for the one that the query
// has now.
void LearnTimeOf(const Tracker* tracker);
void LearnFailureOf(const Tracker* tracker, int sqlstate);
void LeavePlan(Tracker* tracker);

}  // namespace query_shaper
