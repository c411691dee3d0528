#include "pg/pg.h"

#include "server/query/executor_hooks.h"

#include "server/pool/give_back_heap.h"
#include "server/query/kept_work.h"
#include "server/query/outcome.h"
#include "server/query/carry_out.h"
#include "server/query/memory_gates.h"
#include "server/query/memory_plan.h"
#include "server/query/memory_claim.h"
#include "server/query/pause.h"
#include "server/query/plan_trial.h"
#include "server/query/replan.h"
#include "server/query/rest_between_rows.h"
#include "server/query/row_learning.h"
#include "server/query/shadow_launch.h"
#include "server/query/shape_memory.h"
#include "server/query/shape_workers.h"
#include "server/query/stop_workers.h"
#include "server/query/subplan_memo.h"
#include "server/query/tracker.h"
#include "server/query/true_rows.h"
#include "server/query/whole_estimates.h"
#include "server/settings.h"
extern "C" {
#include "access/parallel.h"
#include "executor/executor.h"
#include "access/xact.h"
#include "storage/ipc.h"
#include "tcop/pquery.h"
#include "utils/portal.h"
#include "utils/timeout.h"
}

namespace query_shaper {
namespace {

ExecutorStart_hook_type previous_start;
ExecutorRun_hook_type previous_run;
ExecutorFinish_hook_type previous_finish;
ExecutorEnd_hook_type previous_end;

// Two timeouts. The watch goes off once, late_tracking after it was armed, and is left armed when a statement ends: a
// stream of short statements arms it ten times a second, not once each. Ticks are periodic and run only while something
// is looked at.
TimeoutId watch_timeout;
TimeoutId tick_timeout;
int timeout_owner = 0;  // pid that registered them: registrations do not survive a fork
volatile sig_atomic_t ticking = 0;

// Autovacuum, replication and other extensions' workers are left alone.
bool ProcessIsTracked() { return MyBackendType == B_BACKEND || IsParallelWorker(); }

bool Observing() { return (settings::mode != kModeOff || LimitsBind()) && shared != nullptr && ProcessIsTracked(); }

// When the call of the executor began, as far as that is known without having asked for the time then.
TimestampTz EnteredAt(const Frame* frame) {
  bool top_of_portal = frame->level == 0 && ActivePortal != nullptr && ActivePortal->queryDesc == frame->query;
  return top_of_portal ? GetCurrentStatementStartTimestamp() : GetCurrentTimestamp();
}

void TrackLate(Frame* frame) {
  if (frame->entered == 0) frame->entered = EnteredAt(frame);
  double running_ms = static_cast<double>(GetCurrentTimestamp() - frame->entered) / 1000;
  if (running_ms < TrackedLateFromMs()) return;
  frame->watched = false;  // one try
  Tracker* tracker = StartTrackingLate(frame->query, frame->level, running_ms);
  if (tracker != nullptr && frame->query->plannedstmt->subplans != NIL)
    tracker->errands = tracker->errands | kErrandMemos;
  frame->tracker = tracker;
}

void OnTick() {
  Frame* innermost = innermost_frame;
  // An exiting process frees its queries while their frames still stand.
  if (innermost == nullptr || proc_exit_inprogress) return;
  BackendSlot* slot = MyBackendSlot();
  if (slot == nullptr || Held()) return;
  if (Resting()) {
    TickPriority();
    return;
  }
  ++slot->ticks;
  if (IsParallelWorker() && LeaderGaveUp()) {
    EndPlanEarly();
    return;
  }
  for (Frame* frame = innermost; frame != nullptr; frame = frame->outer) {
    if (frame->tracker == nullptr && frame->watched) TrackLate(frame);
    Tracker* tracker = frame->tracker;
    if (tracker == nullptr || !tracker->used || tracker->busy) continue;
    TickTracker(tracker);
    TickMemos(tracker);
    if (tracker->errands != 0) ArmErrands(tracker);
  }
  TickPriority();
  if (!AskedToPause(slot)) return;
  ArmPause();
  slot->armed = true;
}

void StartTicks() {
  if (ticking) return;
  ticking = 1;
  TimestampTz first = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), settings::tick_interval_ms);
  enable_timeout_every(tick_timeout, first, settings::tick_interval_ms);
}

// Timeout handlers may enable timeouts: handle_sig_alarm() looks at its list anew after each handler.
void OnWatch() {
  if (innermost_frame == nullptr || proc_exit_inprogress) return;
  OnTick();
  StartTicks();
}

void RegisterTimeouts() {
  if (likely(timeout_owner == MyProcPid)) return;
  watch_timeout = RegisterTimeout(USER_TIMEOUT, OnWatch);
  tick_timeout = RegisterTimeout(USER_TIMEOUT, OnTick);
  timeout_owner = MyProcPid;
}

void PopFrame(Frame* frame) {
  innermost_frame = frame->outer;
  if (frame->outer != nullptr) return;
  if (ticking) {
    disable_timeout(tick_timeout, false);
    ticking = 0;
  }
  DropPause();
  LeaveRests();
}

void Shape(Tracker* tracker) {
  if (tracker->worker) {
    ShapeWorker(tracker);
    return;
  }
  ShapeWorkers(tracker);
  ShapeMemory(tracker);
  KeepSortsReadable(tracker);
}

// Runs one call of the executor under a frame; again when the plan is replaced meanwhile. first: the statement's first
// call, forward.
template <class Call>
EVERY_STATEMENT void RunFramed(QueryDesc* query, bool first, Call&& call) {
  Tracker* tracker = FindTracker(query);
  Frame frame = {innermost_frame, query, tracker, 0, innermost_frame ? innermost_frame->level + 1 : 0, false, first};
  DestReceiver* receiver = query->dest;
  StartedReceiver started;
  MemoryContext caller = CurrentMemoryContext;
  ResourceOwner owner = CurrentResourceOwner;
  volatile bool swap = false;
  RegisterTimeouts();
  if (tracker != nullptr) {
    StartTicks();
    EnterExecutor(tracker);
  } else if (IsParallelWorker()) {
    StartTicks();
  } else if (TrackedLateFromMs() > 0 && frame.level < settings::tracked_nest_levels) {
    frame.watched = true;
    if (!ticking && !get_timeout_active(watch_timeout)) enable_timeout_after(watch_timeout, TrackedLateFromMs());
  }
  innermost_frame = &frame;
  ErrorContextCallback explain = {error_context_stack, ExplainCancel, &frame};
  error_context_stack = &explain;
  do {
    PG_TRY();
    {
      if (swap) {
        swap = false;
        ForwardTo(&started, receiver);
        query->dest = &started.receiver;
        SwapPlan(&frame);
      } else {
        if (tracker != nullptr) HoldLookAlike(tracker);
        if (tracker != nullptr && first) WaitForMemory(tracker);
        if (tracker != nullptr && first) Shape(tracker);
        if (tracker != nullptr && first) ConsiderShadow(tracker);
        if (frame.level > 0 && PauseWanted()) HoldHere();
      }
      call();
      if (frame.tracker != nullptr) SettleCancel(frame.tracker);
    }
    PG_CATCH();
    {
      query->dest = receiver;
      swap = TakeSwap(&frame);
      if (!swap) {
        PopFrame(&frame);
        if (frame.tracker != nullptr) {
          Tracker* failed = frame.tracker;
          LeaveExecutor(failed);
          RunawayFailed(failed);
          if (!failed->complete) LearnFailedRowsOf(failed);
          LearnFailureOf(failed, geterrcode());
          SendTrackedOutcome(failed, geterrcode());
          EndShadow(failed, true);
          OweHeap(failed->peak_memory_kb, ElapsedMs(failed));
          ReportMemos(failed, true);
          // One that began here has no tie to the query's memory yet.
          if (tracker == nullptr) ReleaseTracker(failed);
        }
        PG_RE_THROW();
      }
      MemoryContextSwitchTo(caller);
      CurrentResourceOwner = owner;
    }
    PG_END_TRY();
  } while (swap);
  query->dest = receiver;
  error_context_stack = explain.previous;
  PopFrame(&frame);
  if (frame.tracker != nullptr) {
    LeaveExecutor(frame.tracker);
    frame.tracker->rows_before += query->estate->es_processed;
    if (tracker == nullptr) TieToQueryMemory(frame.tracker);
  }
}

EVERY_STATEMENT void StartHook(QueryDesc* query, int flags) {
  // Where it explains nothing but the plan, the plan that was made is shown.
  if (query->plannedstmt->planTree->total_cost >= settings::min_cost && (flags & EXEC_FLAG_EXPLAIN_ONLY) == 0 &&
      Observing() && !IsParallelWorker())
    ChooseForMemory(query);
  previous_start(query, flags);
  if (!Observing() || (flags & EXEC_FLAG_EXPLAIN_ONLY)) return;
  if (IsParallelWorker()) {
    StartTrackingWorker(query);
    return;
  }
  BackendSlot* slot = MyBackendSlot();
  if (slot == nullptr) return;
  RememberStarter(query);
  int level = innermost_frame ? innermost_frame->level + 1 : 0;
  if (level == 0) {
    ++slot->statements;
    slot->priority = settings::admission_priority;
  }
  if (query->plannedstmt->planTree->total_cost < TrackedFromCost() && !KnownSlow(query->plannedstmt->queryId)) return;
  if (level >= settings::tracked_nest_levels || query->planstate == nullptr) return;
  Tracker* tracker = StartTracking(query, level);
  if (tracker == nullptr) return;
  if (level == 0) BeginRests();
  CheckBeforeRun(tracker);
  BeginTrial(tracker);
  InstallMemos(tracker);
  ClaimMemory(tracker);
}

EVERY_STATEMENT void RunHook(QueryDesc* query, ScanDirection direction, uint64 count, bool once) {
  if (!Observing()) {
    previous_run(query, direction, count, once);
    return;
  }
  bool first = !query->already_executed && direction == ForwardScanDirection;
  // A worker that starts when nobody waits for its rows any more has nothing to do.
  RunFramed(query, first, [&] {
    if (!IsParallelWorker() || !LeaderGaveUp()) previous_run(query, direction, count, once);
  });
  Tracker* tracker = FindTracker(query);
  if (tracker != nullptr && (count == 0 || query->estate->es_processed < count)) tracker->complete = true;
}

EVERY_STATEMENT void FinishHook(QueryDesc* query) {
  Tracker* tracker = FindTracker(query);
  // A plain SELECT has nothing to finish: most statements leave here.
  if ((tracker == nullptr && query->operation == CMD_SELECT) || !Observing()) {
    previous_finish(query);
    return;
  }
  // AFTER triggers run here; rows were counted by the run before.
  uint64 rows = tracker ? tracker->rows_before : 0;
  RunFramed(query, false, [&] { previous_finish(query); });
  tracker = FindTracker(query);
  if (tracker == nullptr) return;
  tracker->rows_before = rows;
  FinishMemos(tracker);
}

EVERY_STATEMENT void EndHook(QueryDesc* query) {
  Tracker* tracker = FindTracker(query);
  if (tracker == nullptr) {
    previous_end(query);
    return;
  }
  EndedPlans ended;
  LearnRowsOf(tracker);
  LearnNeedsOf(tracker);
  RunawayEnded(tracker);
  SendTrackedOutcome(tracker, 0);
  HandWorkToLeader(tracker);
  EndShadow(tracker, true);
  LearnTimeOf(tracker);
  ReportMemos(tracker, false);
  NoteGivenUp(tracker);
  NoteShaped(tracker);
  NoteRests();
  TakeEndedPlans(tracker, &ended);
  // What it reserved is given back when it is free.
  int reservation = tracker->reservation;
  tracker->reservation = kNoReservation;
  const int64 freed_kb = tracker->peak_memory_kb;
  const double ran_ms = ElapsedMs(tracker);
  ReleaseTracker(tracker);
  previous_end(query);
  FreeEndedPlans(query, ended);
  GiveBackHeap(freed_kb, ran_ms, reservation);
  PoolRelease(reservation);
}

}  // namespace

void InstallExecutorHooks() {
  previous_start = ExecutorStart_hook ? ExecutorStart_hook : standard_ExecutorStart;
  ExecutorStart_hook = StartHook;
  previous_run = ExecutorRun_hook ? ExecutorRun_hook : standard_ExecutorRun;
  ExecutorRun_hook = RunHook;
  previous_finish = ExecutorFinish_hook ? ExecutorFinish_hook : standard_ExecutorFinish;
  ExecutorFinish_hook = FinishHook;
  previous_end = ExecutorEnd_hook ? ExecutorEnd_hook : standard_ExecutorEnd;
  ExecutorEnd_hook = EndHook;
  InstallMemoryGates();
  InstallWholeEstimates();
  InstallTrueRows();
  InstallReplanExplain();
}

}  // namespace query_shaper
