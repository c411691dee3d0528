#include "pg/pg.h"

#include "server/pool/shared_pool.h"
#include "server/shared_state.h"
#include "server/store/shared_profiles.h"
#include "server/workers/launcher.h"
#include "server/workers/learner.h"

#include <csignal>

extern "C" {
#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/wait_event.h"

PGDLLEXPORT void query_shaper_launcher_main(Datum argument);
}

namespace query_shaper {

namespace {

constexpr int kIdleMs = 60000;
constexpr int kBusyMs = 200;     // while a start is put off or a learner is on its way
constexpr int kNoSlotMs = 2000;  // after no worker slot was free
constexpr int kRetryMs = 1000;   // after the first failure, doubled with each
constexpr int kRetryMaxMs = 60000;
constexpr int kVanishedMs = 60000;

// Of slot i, as far as this launcher started its learner.
struct Launched {
  BackgroundWorkerHandle* handle;
  Oid database;
};

Launched* launched;
TimestampTz no_slot_until;

struct DatabaseList {
  Oid* databases;
  int count;
  int capacity;
};

// Connectable databases now, in a transaction of its own; in memory of the caller's context.
DatabaseList ListDatabases() {
  const MemoryContext context = CurrentMemoryContext;
  DatabaseList list{};
  list.capacity = 16;
  list.databases = static_cast<Oid*>(palloc(list.capacity * sizeof(Oid)));
  StartTransactionCommand();
  Relation const catalog = table_open(DatabaseRelationId, AccessShareLock);
  TableScanDesc const scan = table_beginscan_catalog(catalog, 0, nullptr);
  HeapTuple tuple;
  while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection))) {
    const auto* const row = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
    if (!row->datallowconn || row->datconnlimit == -2) continue;
    if (list.count == list.capacity) {
      list.capacity *= 2;
      list.databases = static_cast<Oid*>(repalloc(list.databases, list.capacity * sizeof(Oid)));
    }
    list.databases[list.count++] = row->oid;
  }
  table_endscan(scan);
  table_close(catalog, AccessShareLock);
  CommitTransactionCommand();
  MemoryContextSwitchTo(context);
  return list;
}

bool Listed(const DatabaseList& list, Oid database) {
  for (int i = 0; i < list.count; ++i)
    if (list.databases[i] == database) return true;
  return false;
}

// A standby replays DROP DATABASE without the hook.
void FreeVanishedDatabases() {
  const DatabaseList list = ListDatabases();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  for (int i = 0; i < shared->databases; ++i) {
    DatabaseSlot* const slot = DatabaseAt(i);
    if (OidIsValid(slot->database) && slot->learner_pid == 0 && !Listed(list, slot->database)) FreeDatabase(slot);
  }
  LWLockRelease(shared->lock);
  pfree(list.databases);
}

// Asks for the next database of the list when the one before has been looked at. Whether the extension is there only a
// learner inside can tell.
void Seed(DatabaseList* seeds) {
  while (seeds->count > 0) {
    LWLockAcquire(shared->lock, LW_SHARED);
    bool undecided = false;
    for (int i = 0; i < shared->databases; ++i)
      undecided = undecided || (DatabaseAt(i)->state == DatabaseState::kWanted && DatabaseAt(i)->failures == 0);
    LWLockRelease(shared->lock);
    if (undecided) return;
    if (!WantDatabase(seeds->databases[--seeds->count])) seeds->count = 0;
  }
}

// Notes learners that have ended; a failed one is not started again at once.
void Reap() {
  bool failed = false;
  for (int i = 0; i < shared->databases; ++i) {
    Launched* const mine = &launched[i];
    pid_t pid;
    if (mine->handle == nullptr) continue;
    const BgwHandleStatus status = GetBackgroundWorkerPid(mine->handle, &pid);
    if (status != BGWH_STOPPED && status != BGWH_POSTMASTER_DIED) continue;
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    DatabaseSlot* const slot = DatabaseAt(i);
    if (slot->database == mine->database) {
      if (slot->learner_failed) {
        const int delay_ms = Min(kRetryMs << Min(slot->failures, 6), kRetryMaxMs);
        ++slot->failures;
        slot->learner_failed = false;
        slot->retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay_ms);
        pg_atomic_fetch_add_u32(&slot->learner_failures, 1);
        Count(kMetricLearnerFailures);
        failed = true;
      } else {
        slot->failures = 0;
      }
    }
    LWLockRelease(shared->lock);
    pfree(mine->handle);
    mine->handle = nullptr;
  }
  if (failed) {
    ConditionVariableBroadcast(&shared->flushed);
    FreeVanishedDatabases();
  }
}

bool Due(DatabaseSlot* slot) {
  if (slot->state == DatabaseState::kWanted) return true;
  if (slot->state != DatabaseState::kLoaded) return false;
  return slot->reload || slot->refresh || pg_atomic_read_u32(&slot->pending) > 0 ||
         pg_atomic_read_u32(&slot->row_changes) != pg_atomic_read_u32(&slot->row_changes_done) ||
         pg_atomic_read_u32(&slot->flush_requests) != pg_atomic_read_u32(&slot->flushes_done) ||
         pg_atomic_read_u32(&slot->trainings_asked) != pg_atomic_read_u32(&slot->trainings_done);
}

// Starts what is due; tells whether something has to be looked at again soon.
bool StartDue() {
  const TimestampTz now = GetCurrentTimestamp();
  bool waiting = false;
  bool no_slot = false;
  for (int i = 0; i < shared->databases; ++i) {
    DatabaseSlot* const slot = DatabaseAt(i);
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    const Oid database = slot->database;
    const bool due = Due(slot) && slot->learner_pid == 0 && launched[i].handle == nullptr;
    const bool start = due && slot->hold_until <= now && slot->retry_at <= now && no_slot_until <= now && !no_slot;
    if (start) {
      slot->learner_failed = true;
      slot->learner_started = now;
    }
    LWLockRelease(shared->lock);
    waiting = waiting || due;
    if (!start) continue;
    launched[i].database = database;
    launched[i].handle = StartLearner(database);
    if (launched[i].handle != nullptr) {
      Count(kMetricLearnerStarts);
      continue;
    }
    no_slot = true;
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    if (slot->database == database) slot->learner_failed = false;
    LWLockRelease(shared->lock);
  }
  if (no_slot) {
    Count(kMetricLearnerNoWorkerSlot);
    no_slot_until = TimestampTzPlusMilliseconds(now, kNoSlotMs);
    ConditionVariableBroadcast(&shared->flushed);
  }
  pg_atomic_write_u32(&shared->learners_wanted, no_slot || no_slot_until > now ? 1 : 0);
  return waiting;
}

void LeaveLauncher(int, Datum) {
  shared->launcher_procno = -1;
  shared->launcher_pid = 0;
}

void Launch() {
  pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
  on_shmem_exit(LeaveLauncher, 0);
  shared->launcher_pid = MyProcPid;
  shared->launcher_procno = MyProc->pgprocno;
  launched = static_cast<Launched*>(
      MemoryContextAllocZero(TopMemoryContext, sizeof(Launched) * static_cast<Size>(shared->databases)));
  MemoryContextSwitchTo(TopMemoryContext);
  PublishPoolSettings();
  DatabaseList seeds = ListDatabases();
  TimestampTz looked_for_vanished = GetCurrentTimestamp();

  // Exit code 1 lets the postmaster start it again if somebody but the postmaster has ended it.
  while (!ShutdownRequestPending) {
    Reap();
    Seed(&seeds);
    const bool soon = StartDue();
    if (TimestampDifferenceExceeds(looked_for_vanished, GetCurrentTimestamp(), kVanishedMs)) {
      FreeVanishedDatabases();
      looked_for_vanished = GetCurrentTimestamp();
    }
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, soon ? kBusyMs : kIdleMs, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
      PublishPoolSettings();
    }
  }
  proc_exit(1);
}

}  // namespace

void RegisterLauncher() {
  // An upgrade copies the tables' rows: nobody may add any.
  if (IsBinaryUpgrade) return;
  BackgroundWorker worker;
  memset(&worker, 0, sizeof worker);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_ConsistentState;
  worker.bgw_restart_time = 5;
  strlcpy(worker.bgw_library_name, "query_shaper", sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, "query_shaper_launcher_main", sizeof worker.bgw_function_name);
  strlcpy(worker.bgw_name, "query_shaper launcher", sizeof worker.bgw_name);
  strlcpy(worker.bgw_type, "query_shaper launcher", sizeof worker.bgw_type);
  RegisterBackgroundWorker(&worker);
}

}  // namespace query_shaper

void query_shaper_launcher_main(Datum) { query_shaper::Launch(); }
