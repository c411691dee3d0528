#include "pg/pg.h"

#include "server/query/stop_workers.h"

#include "server/query/plan_states.h"
#include "server/query/tracker.h"
extern "C" {
#include "access/parallel.h"
#include "executor/tqueue.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "utils/wait_event.h"
}

namespace query_shaper {

namespace {

// Of what has passed, so that a worker deep in a sort may finish it; longer waits are not worth a clean log.
constexpr double kPatience = 0.05;
constexpr double kLeastPatienceMs = 300;

TupleTableSlot* NoMoreRows(PlanState*) { return nullptr; }

void EndNode(PlanState* state, void*) {
  if (state->ExecProcNode != nullptr) state->ExecProcNode = NoMoreRows;
}

// Nothing that they send is waited for: a full queue would hold them.
void ForgetQueues(ParallelExecutorInfo* parallel) {
  int count = parallel->pcxt->nworkers_launched;
  for (int i = 0; parallel->tqueue != nullptr && i < count; ++i) shm_mq_detach(parallel->tqueue[i]);
  if (parallel->tqueue != nullptr) pfree(parallel->tqueue);
  parallel->tqueue = nullptr;
  for (int i = 0; parallel->reader != nullptr && i < count; ++i) DestroyTupleQueueReader(parallel->reader[i]);
  if (parallel->reader != nullptr) pfree(parallel->reader);
  parallel->reader = nullptr;
  for (int i = 0; i < count; ++i) {
    ParallelWorkerInfo* worker = &parallel->pcxt->worker[i];
    if (worker->error_mqh == nullptr) continue;
    shm_mq_detach(worker->error_mqh);
    worker->error_mqh = nullptr;
  }
}

bool AnyLeft(const ParallelContext* context) {
  for (int i = 0; i < context->nworkers_launched; ++i) {
    pid_t pid;
    BackgroundWorkerHandle* handle = context->worker[i].bgwhandle;
    if (handle != nullptr && GetBackgroundWorkerPid(handle, &pid) != BGWH_STOPPED) return true;
  }
  return false;
}

void Terminate(ParallelContext* context) {
  for (int i = 0; i < context->nworkers_launched; ++i)
    if (context->worker[i].bgwhandle != nullptr) TerminateBackgroundWorker(context->worker[i].bgwhandle);
}

// The postmaster sets this process's latch when one has ended.
void WaitForEnd(ParallelContext* context, double patience_ms) {
  const int64_t begun_ns = NowNs();
  bool terminated = false;
  while (AnyLeft(context)) {
    const double left_ms = patience_ms - static_cast<double>(NowNs() - begun_ns) / 1e6;
    if (left_ms <= 0 && !terminated) {
      terminated = true;
      Terminate(context);
    }
    const int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (terminated ? 0 : WL_TIMEOUT);
    (void)WaitLatch(MyLatch, events, terminated ? -1L : static_cast<long>(left_ms) + 1, WAIT_EVENT_BGWORKER_SHUTDOWN);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
}

}  // namespace

void StopWorkers(ParallelExecutorInfo* parallel, double elapsed_ms) {
  ParallelContext* context = parallel->pcxt;
  if (context == nullptr || context->worker == nullptr || context->nworkers_launched == 0) return;
  ForgetQueues(parallel);
  pg_atomic_uint32* given_up = &MyBackendSlot()->given_up;
  pg_atomic_write_u32(given_up, context->seg != nullptr ? dsm_segment_handle(context->seg) : DSM_HANDLE_INVALID);
  PG_TRY();
  { WaitForEnd(context, Max(kLeastPatienceMs, kPatience * elapsed_ms)); }
  PG_CATCH();
  {
    // The end of the transaction waits for them, but does not end those whose queue is gone.
    Terminate(context);
    pg_atomic_write_u32(given_up, DSM_HANDLE_INVALID);
    PG_RE_THROW();
  }
  PG_END_TRY();
  pg_atomic_write_u32(given_up, DSM_HANDLE_INVALID);
}

bool LeaderGaveUp() {
  const PGPROC* leader = MyProc->lockGroupLeader;
  if (leader == nullptr || leader == MyProc || leader->pgprocno >= shared->backends || MyBgworkerEntry == nullptr)
    return false;
  const uint32 plan = pg_atomic_read_u32(&BackendAt(leader->pgprocno)->given_up);
  return plan != DSM_HANDLE_INVALID && plan == DatumGetUInt32(MyBgworkerEntry->bgw_main_arg);
}

void EndPlanEarly() {
  const Frame* outermost = innermost_frame;
  while (outermost != nullptr && outermost->outer != nullptr) outermost = outermost->outer;
  if (outermost == nullptr || outermost->query->planstate == nullptr) return;
  VisitPlanStates(outermost->query->estate, outermost->query->planstate, EndNode, nullptr);
}

}  // namespace query_shaper
