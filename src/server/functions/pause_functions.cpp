// pause() and resume(): requests to the backend that runs a statement, with the rights of pg_cancel_backend().
#include "pg/pg.h"

#include "pg/guard.h"
#include "server/functions/running.h"
#include "server/store/knowledge.h"
extern "C" {
#include "catalog/pg_authid.h"
#include "mb/pg_wchar.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/wait_event.h"
}

namespace query_shaper {

RunningProcess FindProcess(int pid) {
  PGPROC* const process = pid > 0 ? BackendPidGetProc(pid) : nullptr;
  if (process == nullptr)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("PID %d is not a PostgreSQL backend process", pid),
                    errhint("View query_shaper.activity lists the processes that run tracked statements.")));
  RunningProcess found = {process, nullptr};
  if (process->pgprocno >= 0 && process->pgprocno < shared->backends) found.slot = BackendAt(process->pgprocno);
  if (found.slot != nullptr && found.slot->pid != pid) found.slot = nullptr;
  const int leader = found.slot != nullptr ? found.slot->leader_pid : 0;
  if (leader != 0)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("PID %d is a parallel worker", pid),
                    errdetail("It works for process %d.", leader), errhint("Name the process of the leader.")));
  return found;
}

bool ReadOutermost(const RunningProcess& found, int pid, StatementSlot* statement) {
  if (found.slot == nullptr) return false;
  for (int level = 0; level < kNestLevels; ++level)
    if (ReadStatement(found.slot, level, statement) && found.slot->pid == pid) return true;
  return false;
}

const char* ReadableText(char* text) {
  if (pg_verifymbstr(text, static_cast<int>(strlen(text)), true)) return text;
  for (char* byte = text; *byte != '\0'; ++byte)
    if (IS_HIGHBIT_SET(*byte)) *byte = '?';
  return text;
}

static void RequireSignalRights(const PGPROC* process, int pid) {
  // A process without a role might be as important as one of a superuser.
  if ((!OidIsValid(process->roleId) || superuser_arg(process->roleId)) && !superuser())
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied to hold process %d", pid),
                    errdetail("Only superusers may hold statements of superusers.")));
  if (!has_privs_of_role(GetUserId(), process->roleId) && !has_privs_of_role(GetUserId(), ROLE_PG_SIGNAL_BACKEND))
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied to hold process %d", pid),
                    errdetail("The caller is neither a member of the role whose statement it is nor of %s.",
                              "pg_signal_backend")));
}

static void Request(BackendSlot* slot, int procno, BackendRequest request) {
  pg_atomic_write_u32(&slot->request, request);
  SetLatch(&ProcGlobal->allProcs[procno].procLatch);
}

// The leader decides; its workers are asked too, as they do not return to it before their share is done.
static void RequestAll(const RunningProcess& found, int pid, BackendRequest request) {
  Request(found.slot, found.process->pgprocno, request);
  for (int i = 0; i < shared->backends; ++i) {
    BackendSlot* const slot = BackendAt(i);
    if (slot->pid != 0 && slot->leader_pid == pid) Request(slot, i, request);
  }
}

// The event belongs to the statement's own database and role: its learner stores it, its role may see it.
static void NoteRequest(const char* action, const StatementSlot& statement, int pid) {
  StringInfoData details;
  initStringInfo(&details);
  appendStringInfo(&details, "{\"by_pid\": %d, \"by\": ", MyProcPid);
  escape_json(&details, GetUserNameFromId(GetUserId(), false));
  appendStringInfoChar(&details, '}');
  EventRecord* const event = ClaimEvent();
  if (event == nullptr) {
    Count(kMetricEventsDropped);
    return;
  }
  event->database = statement.database;
  event->user = statement.user;
  event->pid = pid;
  event->node_id = -1;
  event->query_id = statement.query_id;
  event->at = GetCurrentTimestamp();
  strlcpy(event->action, action, sizeof event->action);
  strlcpy(event->verdict, "done", sizeof event->verdict);
  strlcpy(event->reason, "requested by function call", sizeof event->reason);
  strlcpy(event->details, details.data, sizeof event->details);
  SendEvent(event);
}

// Returns when the statement has seen the request, so that it stops at its next row, or after a second: a long
// tick_interval is not waited for.
static void AwaitArmed(const RunningProcess& found, int pid, const StatementSlot& statement, StatementSlot* now) {
  constexpr int kLooks = 200;
  for (int look = 0; look < kLooks && !found.slot->armed; ++look) {
    if (!ReadOutermost(found, pid, now) || now->started != statement.started) return;
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 5L, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
}

QUERY_SHAPER_FUNCTION(query_shaper_pause) {
  const int pid = PG_GETARG_INT32(0);
  RequireSharedState();
  if (pid == MyProcPid)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a session cannot hold its own statement"),
                    errhint("Call pause() from another session.")));
  const RunningProcess found = FindProcess(pid);
  RequireSignalRights(found.process, pid);
  auto* const statement = static_cast<StatementSlot*>(palloc(sizeof(StatementSlot)));
  auto* const after = static_cast<StatementSlot*>(palloc(sizeof(StatementSlot)));
  if (ReadOutermost(found, pid, statement)) {
    if (statement->state == StatementState::kPaused) return BoolGetDatum(true);
    found.slot->armed = false;
    RequestAll(found, pid, kRequestPause);
    AwaitArmed(found, pid, *statement, after);
    // A statement that ended meanwhile has left the request to the next one, which nobody meant.
    if (ReadOutermost(found, pid, after) && after->started == statement->started) {
      NoteRequest("pause", *statement, pid);
      return BoolGetDatum(true);
    }
    uint32 asked = kRequestPause;
    pg_atomic_compare_exchange_u32(&found.slot->request, &asked, kRequestNone);
  }
  ereport(NOTICE,
          (errmsg("no tracked statement is running in process %d", pid),
           errhint("Statements are tracked from a plan cost of query_shaper.min_cost on, or when they run longer "
                   "than query_shaper.late_tracking, unless query_shaper.mode is off.")));
  return BoolGetDatum(false);
}

QUERY_SHAPER_FUNCTION(query_shaper_resume) {
  const int pid = PG_GETARG_INT32(0);
  RequireSharedState();
  const RunningProcess found = FindProcess(pid);
  RequireSignalRights(found.process, pid);
  if (found.slot == nullptr || pg_atomic_read_u32(&found.slot->request) != kRequestPause) {
    ereport(NOTICE, (errmsg("no statement is held in process %d", pid)));
    return BoolGetDatum(false);
  }
  auto* const statement = static_cast<StatementSlot*>(palloc(sizeof(StatementSlot)));
  const bool running = ReadOutermost(found, pid, statement);
  RequestAll(found, pid, kRequestResume);
  if (running) NoteRequest("resume", *statement, pid);
  return BoolGetDatum(true);
}

}  // namespace query_shaper
