#include "pg/pg.h"

#include "server/query/runaway.h"

#include <cmath>

#include "pg/guard.h"
#include "server/query/outcome.h"
#include "server/query/pause.h"
#include "server/query/plan_trial.h"
#include "server/query/tracker.h"
#include "server/settings.h"
#include "server/store/knowledge.h"
#include "server/store/row_knowledge.h"
extern "C" {
#include "storage/latch.h"
#include "storage/proc.h"
}

namespace query_shaper {
namespace {

// A cancel waits so long for a point between two rows, where it can be told properly; then it comes where it can.
constexpr double kCancelPatienceMs = 150;
// A statement may catch the cancel and go on: it is asked again.
constexpr double kCancelAgainMs = 500;

char* TimeText(double ms) {
  if (ms >= 60000) return psprintf("%.1f min", ms / 60000);
  return ms >= 1000 ? psprintf("%.1f s", ms / 1000) : psprintf("%.0f ms", ms);
}

RunawayLimits Limits() {
  RunawayLimits limits;
  limits.factor = settings::runaway_factor;
  limits.least_ms = settings::runaway_min_time_ms;
  return limits;
}

const char* ActionName(const RunawayState& state) { return state.cancel ? "cancel" : "pause"; }
const char* VerdictName(const RunawayState& state) { return state.advise_only ? "advised" : "done"; }

void Explain(const RunawayState& state, char* reason, size_t reason_bytes, char* details, size_t details_bytes) {
  const char* what = state.look_alike ? "the statement is like one that was stopped as a runaway"
                                      : "the statement takes far longer than predicted";
  if (state.cancel || state.advise_only) {
    strlcpy(reason, what, reason_bytes);
  } else {
    std::snprintf(reason, reason_bytes, "%s; query_shaper.resume(%d) lets it go on", what, MyProcPid);
  }
  std::snprintf(
      details, details_bytes,
      "{\"predicted_ms\": %.1f, \"predicted_low_ms\": %.1f, \"predicted_high_ms\": %.1f, \"elapsed_ms\": %.1f, "
      "\"tracked_ms\": %.1f, \"factor\": %g, \"look_alike\": %s}",
      state.predicted_ms, state.low_ms, state.high_ms, state.running_ms, state.total_ms, settings::runaway_factor,
      state.look_alike ? "true" : "false");
}

void SetPrediction(const Tracker* tracker, RunawayState* state) {
  const Quantity& predicted = tracker->compared.targets[kTimeMs];
  state->predicted_ms = predicted.value;
  state->low_ms = predicted.low;
  state->high_ms = predicted.high;
}

// Signal context. As StatementCancelHandler() does it.
void AskForCancel(Tracker* tracker) {
  tracker->runaway.asked_ms = ElapsedMs(tracker);
  QueryCancelPending = true;
  InterruptPending = true;
  SetLatch(MyLatch);
}

// Signal context. The parallel workers hold too: they do not come back to the leader before their share is done.
void AskForPause() {
  pg_atomic_write_u32(&MyBackendSlot()->request, kRequestPause);
  for (int i = 0; i < shared->backends; ++i) {
    BackendSlot* worker = BackendAt(i);
    if (worker->pid == 0 || worker->leader_pid != MyProcPid) continue;
    pg_atomic_write_u32(&worker->request, kRequestPause);
    SetLatch(&ProcGlobal->allProcs[i].procLatch);
  }
}

void RememberStopped(const Tracker* tracker) {
  if (tracker->runaway.advise_only || tracker->fingerprint == 0) return;
  auto remember = [](KnownPlans* plans, void* context) {
    const auto* stopped = static_cast<const Tracker*>(context);
    plans->runaway = 1;
    plans->runaway_fingerprint = stopped->fingerprint;
    if (!stopped->runaway.look_alike) plans->runaway_ms = stopped->runaway.total_ms;
  };
  ChangePlans(tracker->plan.query_id, remember, const_cast<Tracker*>(tracker));
}

void TellLog(const Tracker* tracker) {
  const RunawayState& state = tracker->runaway;
  ereport(LOG, (errmsg("statement runs away"),
                errdetail_internal("Predicted %s (%s to %s), tracked %s in all after %s.", TimeText(state.predicted_ms),
                                   TimeText(state.low_ms), TimeText(state.high_ms), TimeText(state.total_ms),
                                   TimeText(state.running_ms)),
                errhidestmt(false)));
}

// known_ms: what the statement's best known plan takes.
bool StoppedBefore(const Tracker* tracker, double* stopped_ms, double* known_ms) {
  static KnownPlans plans;
  if (tracker->fingerprint == 0 || !RecallPlans(tracker->plan.query_id, &plans)) return false;
  *stopped_ms = plans.runaway_ms;
  *known_ms = BestKnownMs(plans);
  return plans.runaway != 0 && plans.runaway_fingerprint == tracker->fingerprint;
}

void RefuseLongOne(Tracker* tracker) {
  Quantity predicted = tracker->estimate.targets[kTimeMs];
  int64_t query_id = tracker->plan.query_id;
  if (tracker->nest_level > 0 || settings::max_predicted_time_ms <= 0 ||
      predicted.value <= settings::max_predicted_time_ms)
    return;
  bool advise = LimitsAdvise();
  if (!advise && !LimitsAct()) return;
  char details[kEventTextBytes];
  std::snprintf(details, sizeof details,
                "{\"predicted_ms\": %.1f, \"predicted_low_ms\": %.1f, \"predicted_high_ms\": %.1f, \"limit_ms\": %d}",
                predicted.value, predicted.low, predicted.high, settings::max_predicted_time_ms);
  RecordEvent("cancel", advise ? "advised" : "done", query_id, -1,
              "the statement is predicted to take longer than query_shaper.max_predicted_time", details);
  if (advise) return;
  ReleaseTracker(tracker);
  ereport(ERROR,
          (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
           errmsg("statement is predicted to exceed query_shaper.max_predicted_time"),
           errdetail("The statement is predicted to take %s (%s to %s), the limit is %s.", TimeText(predicted.value),
                     TimeText(predicted.low), TimeText(predicted.high), TimeText(settings::max_predicted_time_ms)),
           errhint("Make the statement cheaper, or have an administrator raise "
                   "query_shaper.max_predicted_time for this role or database.")));
}

}  // namespace

void CheckBeforeRun(Tracker* tracker) {
  tracker->compared = tracker->estimate;
  RefuseLongOne(tracker);
  int action = settings::runaway;
  if (action == kRunawayOff || !(LimitsAct() || LimitsAdvise())) return;
  double stopped_ms;
  RunawayState* state = &tracker->runaway;
  if (!StoppedBefore(tracker, &stopped_ms, &state->known_ms)) return;
  state->look_alike = true;
  state->advise_only = action == kRunawayAdvise || !LimitsAct();
  state->cancel = action != kRunawayPause;
  state->total_ms = stopped_ms;
  SetPrediction(tracker, state);
  if (!state->advise_only && !state->cancel) return;  // held when it runs
  char reason[kEventTextBytes], details[kEventTextBytes];
  Explain(*state, reason, sizeof reason, details, sizeof details);
  int64_t query_id = tracker->plan.query_id;
  RecordEvent("cancel", VerdictName(*state), query_id, -1, reason, details);
  // With advice alone it runs, and is watched for whether it behaves.
  if (state->advise_only) return;
  double predicted_ms = state->predicted_ms;
  ReleaseTracker(tracker);
  ereport(ERROR,
          (errcode(ERRCODE_QUERY_CANCELED), errmsg("canceling statement due to runaway limit"),
           errdetail("A statement of the same form with the same plan was stopped when its time was tracked at %s; "
                     "this one is predicted to take %s.",
                     TimeText(stopped_ms), TimeText(predicted_ms)),
           errhint("The setting query_shaper.runaway rules this. An administrator can let the statement run again by "
                   "query_shaper.lift_runaway(" INT64_FORMAT ").",
                   query_id)));
}

void HoldLookAlike(Tracker* tracker) {
  RunawayState* state = &tracker->runaway;
  if (!state->look_alike || state->advise_only || state->cancel || state->stage != RunawayStage::kNone) return;
  state->stage = RunawayStage::kDecided;
  AskForPause();
  ArmPause();
}

void WatchRunaway(Tracker* tracker, double running_ms) {
  RunawayState* state = &tracker->runaway;
  if (state->stage != RunawayStage::kNone) {
    if (state->advise_only || !state->cancel) return;
    double waited_ms = ElapsedMs(tracker) - state->asked_ms;
    double patience_ms = state->stage == RunawayStage::kDecided ? kCancelPatienceMs : kCancelAgainMs;
    if (waited_ms >= patience_ms) AskForCancel(tracker);
    return;
  }
  int action = settings::runaway;
  if (tracker->worker || action == kRunawayOff || !(LimitsAct() || LimitsAdvise())) return;
  // One that was held and resumed, or let run by advice alone, has been dealt with.
  if (state->look_alike) return;
  const Quantity& time = tracker->compared.targets[kTimeMs];
  RunawayPrediction predicted = {time.value, time.high, tracker->compared.seen, tracker->late, state->known_ms};
  if (!JudgeRunaway(tracker->discrepancy, predicted, running_ms, Limits(), &state->watch)) return;
  state->advise_only = action == kRunawayAdvise || !LimitsAct();
  state->cancel = action != kRunawayPause;
  state->running_ms = running_ms;
  state->total_ms = tracker->discrepancy.total_ms;
  state->asked_ms = ElapsedMs(tracker);
  SetPrediction(tracker, state);
  state->stage = RunawayStage::kDecided;
  if (!state->advise_only && !state->cancel) AskForPause();
  ArmPause();
}

void CarryOutRunaway(Tracker* tracker) {
  TellGrowth(tracker, false);
  RunawayState* state = &tracker->runaway;
  if (state->stage != RunawayStage::kDecided) return;
  state->stage = RunawayStage::kCarriedOut;
  char reason[kEventTextBytes], details[kEventTextBytes];
  NameLateStatement(tracker);
  Explain(*state, reason, sizeof reason, details, sizeof details);
  RecordEvent(ActionName(*state), VerdictName(*state), tracker->plan.query_id, -1, reason, details);
  RememberStopped(tracker);
  if (!state->look_alike) TellLog(tracker);
  if (state->advise_only || !state->cancel) return;
  AskForCancel(tracker);
  CHECK_FOR_INTERRUPTS();
}

void ExplainCancel(void* arg) {
  auto* frame = static_cast<Frame*>(arg);
  const Tracker* tracker = frame->tracker;
  if (tracker == nullptr || !tracker->used || tracker->worker) return;
  const RunawayState& state = tracker->runaway;
  if (state.stage == RunawayStage::kNone || state.advise_only || !state.cancel) return;
  if (geterrcode() != ERRCODE_QUERY_CANCELED) return;
  errmsg("canceling statement due to runaway limit");
  errdetail("The statement was predicted to take %s (%s to %s); after %s it was tracked to take %s in all.",
            TimeText(state.predicted_ms), TimeText(state.low_ms), TimeText(state.high_ms), TimeText(state.running_ms),
            TimeText(state.total_ms));
  errhint(
      "The setting query_shaper.runaway rules this, with query_shaper.runaway_factor and "
      "query_shaper.runaway_min_time. Statements like it are cancelled at once until an administrator calls "
      "query_shaper.lift_runaway(" INT64_FORMAT ").",
      tracker->plan.query_id);
}

void SendStatementEvent(const Tracker* tracker, bool failed, const char* action, const char* verdict, int node_id,
                        const char* reason, const char* details) {
  if (!failed) {
    RecordEvent(action, verdict, tracker->plan.query_id, node_id, reason, details);
    return;
  }
  EventRecord* event = ClaimEvent();
  if (event == nullptr) {
    Count(kMetricEventsDropped);
    return;
  }
  event->database = MyDatabaseId;
  event->user = GetUserId();
  event->node_id = node_id;
  event->query_id = tracker->plan.query_id;
  event->at = GetCurrentTimestamp();
  strlcpy(event->action, action, sizeof event->action);
  strlcpy(event->verdict, verdict, sizeof event->verdict);
  strlcpy(event->reason, reason, sizeof event->reason);
  strlcpy(event->details, details, sizeof event->details);
  SendEvent(event);
}

void RunawayFailed(Tracker* tracker) {
  TellGrowth(tracker, true);
  RunawayState* state = &tracker->runaway;
  if (state->stage != RunawayStage::kDecided) return;
  // The cancel came before a point between two rows did.
  state->stage = RunawayStage::kCarriedOut;
  RememberStopped(tracker);
  char reason[kEventTextBytes], details[kEventTextBytes];
  Explain(*state, reason, sizeof reason, details, sizeof details);
  SendStatementEvent(tracker, true, ActionName(*state), VerdictName(*state), -1, reason, details);
}

void SettleCancel(Tracker* tracker) {
  const RunawayState& state = tracker->runaway;
  if (state.stage != RunawayStage::kNone && state.cancel && !state.advise_only) CHECK_FOR_INTERRUPTS();
}

void RunawayEnded(Tracker* tracker) {
  TellGrowth(tracker, false);
  RunawayState* state = &tracker->runaway;
  if (state->stage == RunawayStage::kDecided && !state->advise_only) {
    state->stage = RunawayStage::kCarriedOut;
    RecordEvent(ActionName(*state), "declined", tracker->plan.query_id, -1, "the statement ended first", nullptr);
  }
  CarryOutRunaway(tracker);
  if (!tracker->runaway.look_alike || !tracker->complete) return;
  double total_ms = ElapsedMs(tracker);
  if (!Behaved(tracker->compared.targets[kTimeMs].value, total_ms, Limits())) return;
  ChangePlans(
      tracker->plan.query_id, [](KnownPlans* plans, void*) { plans->runaway = 0; }, nullptr);
  char details[kEventTextBytes];
  std::snprintf(details, sizeof details, "{\"actual_ms\": %.1f}", total_ms);
  RecordEvent("release", "done", tracker->plan.query_id, -1, "a statement like a stopped runaway stayed in its limits",
              details);
}

}  // namespace query_shaper
