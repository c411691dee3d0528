// The worker that runs a statement on a sample beside it: one process per shadow, in the name of the statement's role,
// in a transaction of its own with the statement's snapshot. It writes nothing, waits for no lock to speak of, and ends
// with its statement or its budget.
#include "pg/pg.h"

#include "pg/fault_point.h"
#include "server/shared_shadow.h"

#include <csignal>
#include <sys/resource.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

extern "C" {
#include "access/xact.h"
#include "executor/instrument.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "rewrite/rewriteHandler.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

PGDLLEXPORT void query_shaper_shadow_main(Datum argument);
}

namespace query_shaper {

namespace {

constexpr int kTickMs = 10;
constexpr int64_t kBlocksPerMs = 16;  // of the budget, that may be read from disk: 128 MB/s

ShadowSlot* slot;

void LeaveWorker(int, Datum) {
  if (slot->state == ShadowState::kRunning || slot->state == ShadowState::kWaiting) slot->state = ShadowState::kFailed;
  slot->worker_pid = 0;
  pg_atomic_fetch_and_u32(&slot->holders, ~static_cast<uint32>(kShadowWorker));
}

double SinceAskedMs() { return static_cast<double>(GetCurrentTimestamp() - slot->asked) / 1000; }

// Signal context. Cancels as a client's cancel request would.
void OnTick() {
  const bool spent =
      pgBufferUsage.shared_blks_read > kBlocksPerMs * slot->budget_ms || SinceAskedMs() > slot->budget_ms;
  if (!spent && pg_atomic_read_u32(&slot->cancel) == 0) return;
  if (proc_exit_inprogress) return;
  QueryCancelPending = true;
  InterruptPending = true;
  SetLatch(MyLatch);
}

void YieldToOthers() {
  setpriority(PRIO_PROCESS, 0, 19);
#if defined(__linux__) && defined(SYS_ioprio_set)
  constexpr int kThisProcess = 1, kIdleClass = 3, kClassShift = 13;
  syscall(SYS_ioprio_set, kThisProcess, 0, kIdleClass << kClassShift);
#endif
}

// After the owner's settings: what a shadow may not take over.
void PinSettings() {
  const auto pin = [](const char* name, const char* value) { SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE); };
  pin("lock_timeout", "1ms");
  pin("statement_timeout", "0");
  pin("idle_in_transaction_session_timeout", "0");
  pin("temp_file_limit", "256MB");
  pin("compute_query_id", "off");
  pin("log_statement_stats", "off");
  pin("log_executor_stats", "off");
  pin("log_planner_stats", "off");
  pin("log_parser_stats", "off");
}

void RunInOwnersName() {
  StartTransactionCommand();
  RestoreGUCState(slot->payload + slot->settings_at);
  PinSettings();
  CommitTransactionCommand();

  StartTransactionCommand();
  XactIsoLevel = XACT_REPEATABLE_READ;
  XactReadOnly = true;
  // Fails when the owner's snapshot is not held any more: its statement is over.
  const Snapshot snapshot = RestoreSnapshot(slot->payload + slot->snapshot_at);
  RestoreTransactionSnapshot(snapshot, &ProcGlobal->allProcs[slot->owner_procno]);
  PushActiveSnapshot(snapshot);
  SetUserIdAndSecContext(slot->user, slot->security_context | SECURITY_LOCAL_USERID_CHANGE);
  char* const text = slot->payload + slot->text_at;
  char* parameters_at = slot->payload + slot->parameters_at;
  ParamListInfo const parameters = slot->parameters_at != 0 ? RestoreParamList(&parameters_at) : nullptr;
  auto* const query = static_cast<Query*>(stringToNode(slot->payload + slot->query_at));
  AcquireRewriteLocks(query, true, false);
  pg::FaultPoint("shadow");
  shadow_body(slot, query, text, parameters, GetActiveSnapshot());
  PopActiveSnapshot();
  CommitTransactionCommand();
}

void Run(int index, uint32 ticket) {
  slot = ShadowSlotAt(index);
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  if (!EnterShadowSlot(slot, ticket)) proc_exit(0);
  // Registered before connecting, so that the database is left before the shadow counts as gone.
  on_shmem_exit(LeaveWorker, 0);
  slot->worker_pid = MyProcPid;
  if (pg_atomic_read_u32(&slot->cancel) != 0) proc_exit(0);
  YieldToOthers();
  BackgroundWorkerInitializeConnectionByOid(slot->database, slot->session_user, BGWORKER_BYPASS_ALLOWCONN);
  const TimeoutId tick = RegisterTimeout(USER_TIMEOUT, OnTick);
  enable_timeout_every(tick, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kTickMs), kTickMs);
  slot->state = ShadowState::kRunning;
  pgstat_report_activity(STATE_RUNNING, "query_shaper: shadow");
  MemoryContext const context = AllocSetContextCreate(TopMemoryContext, "query_shaper shadow", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(context);
  PG_TRY();
  {
    RunInOwnersName();
    slot->state = ShadowState::kDone;
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    disable_timeout(tick, false);
    QueryCancelPending = false;
    ErrorData* const error = CopyErrorData();
    FlushErrorState();
    AbortCurrentTransaction();
    slot->sqlstate = error->sqlerrcode;
    strlcpy(slot->failure, error->message, sizeof slot->failure);
    slot->state = ShadowState::kFailed;
    ereport(DEBUG1, (errmsg_internal("shadow given up: %s", error->message)));
  }
  PG_END_TRY();
  disable_timeout(tick, false);
  slot->ended_ms = SinceAskedMs();
  proc_exit(0);
}

}  // namespace

}  // namespace query_shaper

void query_shaper_shadow_main(Datum argument) {
  uint32 ticket;
  memcpy(&ticket, MyBgworkerEntry->bgw_extra, sizeof ticket);
  query_shaper::Run(DatumGetInt32(argument), ticket);
}
