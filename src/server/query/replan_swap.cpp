// The change from one plan to another inside the same QueryDesc.
#include "pg/pg.h"

#include "server/query/replan.h"

#include "pg/fault_point.h"
#include "server/query/kept_work.h"
#include "server/query/plan_states.h"
#include "server/query/row_learning.h"
#include "server/query/shape_memory.h"
#include "server/query/stop_workers.h"
#include "server/query/subplan_memo.h"
#include "server/settings.h"
#include "server/store/row_knowledge.h"
#include "server/store/learned_rows.h"
extern "C" {
#include "access/parallel.h"
#include "access/xact.h"
#include "executor/execParallel.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "executor/nodeGather.h"
#include "jit/jit.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "partitioning/partdesc.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
}

namespace query_shaper {

namespace {

const char kSwapMessage[] = "query_shaper replaces the plan";

// Between SwapTo() and SwapPlan().
struct {
  Tracker* tracker;
  PlannedStmt* plan;
  PlanTree tree;
  StatementFacts facts;
} wanted;

struct Starter {
  const QueryDesc* query;
  Oid user;
  int security;
};
constexpr unsigned kStarters = 16;  // a power of two
Starter starters[kStarters];
unsigned starter_turn = 0;

// Nodes on the stack were cut off with their clocks running. ExecParallelCleanup() frees the workers' parameters and
// their shared area at once, where a worker that starts late would read them: none may be left by then.
void StopNode(PlanState* state, void* elapsed_ms) {
  if (state->instrument != nullptr) INSTR_TIME_SET_ZERO(state->instrument->starttime);
  ParallelExecutorInfo* parallel = nullptr;
  if (IsA(state, GatherState)) parallel = reinterpret_cast<GatherState*>(state)->pei;
  if (IsA(state, GatherMergeState)) parallel = reinterpret_cast<GatherMergeState*>(state)->pei;
  if (parallel == nullptr) return;
  StopWorkers(parallel, *static_cast<double*>(elapsed_ms));
  parallel->finished = true;
}

void StopClock(Instrumentation* total) {
  if (total == nullptr) return;
  if (!total->need_timer || !INSTR_TIME_IS_ZERO(total->starttime)) InstrStopNode(total, 0);
}

// What standard_ExecutorEnd() does, but for the memory.
void EndNodes(QueryDesc* query, double elapsed_ms) {
  EState* state = query->estate;
  bool parallel = state->es_use_parallel_mode && IsInParallelMode();
  MemoryContext caller = MemoryContextSwitchTo(state->es_query_cxt);
  VisitPlanStates(state, query->planstate, StopNode, &elapsed_ms);
  (void)ExecShutdownNode(query->planstate);
  ExecEndNode(query->planstate);
  ListCell* cell;
  foreach (cell, state->es_subplanstates) ExecEndNode(static_cast<PlanState*>(lfirst(cell)));
  ExecResetTupleTable(state->es_tupleTable, false);
  ExecCloseResultRelations(state);
  ExecCloseRangeTableRelations(state);
  UnregisterSnapshot(state->es_snapshot);
  UnregisterSnapshot(state->es_crosscheck_snapshot);
  state->es_snapshot = state->es_crosscheck_snapshot = InvalidSnapshot;
  MemoryContextSwitchTo(caller);
  if (parallel) ExitParallelMode();
  while (state->es_exprcontexts != NIL)
    FreeExprContext(static_cast<ExprContext*>(linitial(state->es_exprcontexts)), true);
  if (state->es_jit != nullptr) {
    jit_release_context(state->es_jit);
    state->es_jit = nullptr;
  }
  if (state->es_partition_directory != nullptr) {
    DestroyPartitionDirectory(state->es_partition_directory);
    state->es_partition_directory = nullptr;
  }
}

void StartNodes(QueryDesc* query, PlannedStmt* plan) {
  EState* before = query->estate;
  int flags = before->es_top_eflags;
  MemoryContext caller = MemoryContextSwitchTo(MemoryContextGetParent(before->es_query_cxt));
  query->plannedstmt = plan;
  query->estate = nullptr;
  query->planstate = nullptr;
  query->already_executed = false;
  // Not through the hook: other extensions have started this statement already.
  standard_ExecutorStart(query, flags);
  MemoryContextSwitchTo(caller);
}

void CountInterruptionOf(int64_t query_id) {
  GuardLimits limits;
  limits.regret_limit = settings::regret_limit;
  limits.now_s = EpochSeconds(GetCurrentTimestamp());
  limits.half_life_s = settings::half_life_s;
  ChangePlans(
      query_id, [](KnownPlans* plans, void* context) { CountInterruption(plans, *static_cast<GuardLimits*>(context)); },
      &limits);
}

// What of the running plan's time went into the finished work that is on offer; all of it where that cannot be told.
double FinishedWorkMs(const Tracker* tracker) {
  bool marked[kMaxPlanNodes] = {};
  for (const KeptWork* work = tracker->changes.kept->works; work != nullptr; work = work->next) {
    if (work->source == nullptr) continue;  // of a plan before
    int found = -1;
    for (int i = 0; i < tracker->plan.count && found < 0; ++i) {
      const PlanNode& node = tracker->plan.nodes[i];
      int holder = work->kind == KeptKind::kHash ? (node.role == ChildRole::kInner ? node.parent : -1) : i;
      if (holder >= 0 && tracker->nodes[holder].state == work->source) found = i;
    }
    // What a CTE's rows have taken stands below its own plan, not below the scan.
    if (found < 0 || work->kind == KeptKind::kCte) return PlanElapsedMs(tracker);
    marked[found] = true;
  }
  return PlanElapsedMs(tracker) * tracker->progress.ShareOfWorkDone(tracker->plan, marked);
}

void StartNothing(DestReceiver*, int, TupleDesc) {}
void DestroyNothing(DestReceiver*) {}
bool ForwardRow(TupleTableSlot* slot, DestReceiver* receiver) {
  DestReceiver* real = reinterpret_cast<StartedReceiver*>(receiver)->real;
  return real->receiveSlot(slot, real);
}
void ForwardShutdown(DestReceiver* receiver) {
  DestReceiver* real = reinterpret_cast<StartedReceiver*>(receiver)->real;
  real->rShutdown(real);
}

}  // namespace

EVERY_STATEMENT void RememberStarter(const QueryDesc* query) {
  Starter* starter = &starters[starter_turn++ % kStarters];
  starter->query = query;
  GetUserIdAndSecContext(&starter->user, &starter->security);
}

void FindStarter(Tracker* tracker) {
  PlanChanges* changes = &tracker->changes;
  for (unsigned back = 1; back <= kStarters && !changes->starter_known; ++back) {
    const Starter& starter = starters[(starter_turn - back) % kStarters];
    if (starter.query != tracker->query) continue;
    changes->starter_known = true;
    changes->starter = starter.user;
    changes->starter_security = starter.security;
  }
}

static bool StartedByMe(const PlanChanges& changes) {
  Oid user;
  int security;
  GetUserIdAndSecContext(&user, &security);
  return changes.starter_known && changes.starter == user && changes.starter_security == security;
}

bool RowsUnseen(const Tracker* tracker) {
  const Frame* frame = innermost_frame;
  return frame != nullptr && frame->tracker == tracker && frame->first && tracker->query->estate->es_processed == 0;
}

const char* ObstacleToSwap(const Tracker* tracker, bool* for_good) {
  bool ignored;
  if (for_good == nullptr) for_good = &ignored;
  *for_good = true;
  const Frame* frame = innermost_frame;
  const QueryDesc* query = tracker->query;
  const PlanChanges& changes = tracker->changes;
  if (frame == nullptr || frame->tracker != tracker || !frame->first || query->operation != CMD_SELECT)
    return "the statement has been read from before";
  if (query->estate->es_processed > 0) return "rows have been sent";
  if (changes.swaps >= kMaxSwaps) return "the plan was replaced too often";
  if (!StartedByMe(changes)) return "the statement was started under other rights";
  *for_good = false;
  if (InterruptHoldoffCount > 0 || CritSectionCount > 0) return "interrupts are held off";
  // Only while this process works below a Gather itself.
  if (query->estate->es_query_dsa != nullptr) return "the leader works for its workers";
  return nullptr;
}

MemoryContext NewPlanContext(const Tracker* tracker) {
  MemoryContext home = tracker->changes.home != nullptr ? tracker->changes.home : tracker->query->estate->es_query_cxt;
  return AllocSetContextCreate(home, "query_shaper plan", ALLOCSET_DEFAULT_SIZES);
}

PlannedStmt* PlanAnew(const Tracker* tracker, const PlanNote* note, const PlanningOrder& order) {
  const QueryDesc* query = tracker->query;
  ParamListInfo parameters = note->has_parameters ? query->params : nullptr;
  if (contain_volatile_functions(reinterpret_cast<Node*>(note->query))) return nullptr;
  if (IsInParallelMode()) {
    pg::FaultPoint("replan_planning");
    return PlanAgain(note, query->sourceText, parameters, order);
  }
  MemoryContext caller = CurrentMemoryContext;
  ResourceOwner owner = CurrentResourceOwner;
  PlannedStmt* volatile plan = nullptr;
  BeginInternalSubTransaction(nullptr);
  MemoryContextSwitchTo(caller);
  PG_TRY();
  {
    pg::FaultPoint("replan_planning");
    plan = PlanAgain(note, query->sourceText, parameters, order);
    ReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(caller);
    CurrentResourceOwner = owner;
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(caller);
    ErrorData* error = CopyErrorData();
    FlushErrorState();
    RollbackAndReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(caller);
    CurrentResourceOwner = owner;
    if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_CRASH_SHUTDOWN ||
        error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
      ReThrowError(error);
    ereport(LOG, (errcode(error->sqlerrcode), errmsg("could not plan a running statement again"),
                  errdetail_internal("%s", error->message ? error->message : "")));
    FreeErrorData(error);
    plan = nullptr;
  }
  PG_END_TRY();
  return plan;
}

void SwapTo(Tracker* tracker, PlannedStmt* plan, const PlanTree& tree, const StatementFacts& facts) {
  wanted.tracker = tracker;
  wanted.plan = plan;
  wanted.tree = tree;
  wanted.facts = facts;
  // The class of errors that no handler of PL/pgSQL takes, should there be one in between.
  ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg_internal(kSwapMessage)));
  pg_unreachable();
}

bool TakeSwap(Frame* frame) {
  if (wanted.tracker == nullptr || wanted.tracker != frame->tracker) return false;
  MemoryContext before = MemoryContextSwitchTo(frame->query->estate->es_query_cxt);
  ErrorData* error = CopyErrorData();
  MemoryContextSwitchTo(before);
  // Whatever came up on the way here is a failure of its own.
  bool ours = error->message_id != nullptr && strcmp(error->message_id, kSwapMessage) == 0;
  FreeErrorData(error);
  if (!ours) {
    wanted.tracker = nullptr;
    return false;
  }
  FlushErrorState();
  return true;
}

void ForwardTo(StartedReceiver* started, DestReceiver* real) {
  started->receiver.receiveSlot = ForwardRow;
  started->receiver.rStartup = StartNothing;
  started->receiver.rShutdown = ForwardShutdown;
  started->receiver.rDestroy = DestroyNothing;
  started->receiver.mydest = real->mydest;
  started->real = real;
}

void SwapPlan(Frame* frame) {
  Tracker* tracker = frame->tracker;
  QueryDesc* query = frame->query;
  PlanChanges* changes = &tracker->changes;
  wanted.tracker = nullptr;
  tracker->busy = 1;
  // What is known by now counts, however the new plan does, and what has come in excess of the plan that is given up.
  LearnFailedRowsOf(tracker);
  double kept_rows = KeptRows(tracker, wanted.plan);
  changes->carried_ms = kept_rows > 0 ? changes->carried_ms + FinishedWorkMs(tracker) : 0;
  RemoveMemos(tracker);
  DetachNodes(tracker);
  if (changes->first_plan == nullptr) {
    changes->first_plan = query->plannedstmt;
    changes->home = query->estate->es_query_cxt;
  }
  StopClock(query->totaltime);
  Count(kMetricKeptRows, static_cast<uint64_t>(kept_rows));
  changes->kept_rows += kept_rows;
  SettleKeptWork(tracker, wanted.plan);
  EndNodes(query, PlanElapsedMs(tracker));
  changes->ended[changes->swaps++] = query->estate;
  pg::FaultPoint("replan_swap");
  StartNodes(query, wanted.plan);
  changes->swapped_ms = ElapsedMs(tracker);
  changes->asked_ms = 0;
  changes->judged = TimeSeen();
  FollowNewPlan(tracker, wanted.tree, wanted.facts);
  InstallMemos(tracker);
  ReshapeMemory(tracker);
  KeepSortsReadable(tracker);
  CountInterruptionOf(tracker->plan.query_id);
  Count(kMetricReplans);
  tracker->busy = 0;
}

void TakeEndedPlans(Tracker* tracker, EndedPlans* ended) {
  PlanChanges* changes = &tracker->changes;
  ended->first_plan = changes->first_plan;
  ended->kept = changes->kept;
  ended->count = changes->swaps;
  memcpy(ended->states, changes->ended, sizeof(EState*) * static_cast<size_t>(changes->swaps));
  changes->swaps = 0;
  changes->kept = nullptr;
}

void FreeEndedPlans(QueryDesc* query, const EndedPlans& ended) {
  if (ended.count == 0) return;
  query->plannedstmt = ended.first_plan;
  EndKeptWork(ended.kept);
  // The first one holds the memory of the plans.
  for (int i = ended.count - 1; i >= 0; --i) FreeExecutorState(ended.states[i]);
}

}  // namespace query_shaper
