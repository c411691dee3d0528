#include "pg/pg.h"

#include "server/settings.h"
#include "server/shared_needs.h"
#include "server/shared_state.h"
#include "server/store/access_knowledge.h"
#include "server/store/knowledge_tables.h"
#include "server/store/sequence_knowledge.h"
#include "server/store/shared_profiles.h"
#include "server/workers/learner.h"

#include <algorithm>
#include <csignal>

extern "C" {
#include "access/xact.h"
#include "access/xlog.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/wait_event.h"

PGDLLEXPORT void query_shaper_learner_main(Datum argument);
}

namespace query_shaper {

namespace {

constexpr int kLookMs = 25;        // how often a learner looks for outcomes while they come
constexpr int kLookIdleMs = 100;   // and when none came for kWriteMs
constexpr int kWriteMs = 1000;     // at most one write in this time unless a flush is asked for
constexpr int kFullWriteMs = 250;  // when the batch is full
constexpr int kModelsMs = 5000;    // the same for the models
constexpr int kIdleMs = 2000;      // a learner without work ends after this
constexpr int kTurnMs = 5000;      // and one with work, when other databases wait for its worker slot
constexpr int kTrimRecords = 1000;
constexpr int kSliceMs = 15;         // of training between two looks
constexpr int kAskedSliceMs = 100;   // when somebody waits for it
constexpr int kMissingMost = 4;      // tries that find a table missing, one behind the other
constexpr int kRoundsPerAsking = 2;  // lessons that come meanwhile do not prolong it for ever

DatabaseSlot* slot;
Oid my_database;
Batch batch;
uint32 batch_given_up;  // taken and not in the tables

constexpr int kMostLearners = 5;  // that take a record in vain before it is given up: it may be what they fail at

bool Passed(TimestampTz since, int ms) { return TimestampDifferenceExceeds(since, GetCurrentTimestamp(), ms); }

// What this process took and could not write waits for the next one. Returns how many records went back.
uint32 HandBackBatch() {
  if (slot->state != DatabaseState::kWanted && slot->state != DatabaseState::kLoaded) return 0;
  uint32 back = 0;
  for (int i = 0; i < batch.outcome_count; ++i)
    if (batch.outcomes[i]->handed_back < kMostLearners && HandBackOutcome(batch.outcomes[i])) ++back;
  for (int i = 0; i < batch.event_count; ++i)
    if (batch.events[i]->handed_back < kMostLearners && HandBackEvent(batch.events[i])) ++back;
  pg_atomic_fetch_add_u32(&slot->pending, back);
  return back;
}

void LeaveLearner(int, Datum) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  if (slot->database == my_database && slot->learner_pid == MyProcPid) {
    const uint32 back = HandBackBatch();
    const uint32 lost = (batch_given_up > back ? batch_given_up - back : 0) +
                        static_cast<uint32>(DiscardRecords(my_database, kRecordTaken));
    pg_atomic_fetch_add_u64(&slot->stored, lost);
    Count(kMetricOutcomesLost, lost);
  }
  if (slot->learner_pid == MyProcPid) slot->learner_pid = 0;
  LWLockRelease(shared->lock);
  ConditionVariableBroadcast(&shared->flushed);
  WakeLauncher();
}

[[noreturn]] void EndOrderly() {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  if (slot->database == my_database) slot->learner_failed = false;
  LWLockRelease(shared->lock);
  proc_exit(0);
}

// False when this database is held, has another learner or is no longer known.
bool Enter() {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  slot = FindDatabase(my_database);
  const bool enter = slot != nullptr && slot->learner_pid == 0 && slot->hold_until <= GetCurrentTimestamp();
  if (enter) {
    slot->learner_procno = MyProc->pgprocno;
    slot->learner_pid = MyProcPid;
    slot->learner_started = GetCurrentTimestamp();
  } else if (slot != nullptr && slot->learner_pid == 0) {
    slot->learner_failed = false;
  }
  LWLockRelease(shared->lock);
  return enter;
}

bool Held() {
  LWLockAcquire(shared->lock, LW_SHARED);
  const bool held = slot->database != my_database || slot->hold_until > GetCurrentTimestamp();
  LWLockRelease(shared->lock);
  return held;
}

[[noreturn]] void EndAbsent() {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  if (slot->database == my_database) {
    const int discarded = DiscardRecords(my_database, kRecordReady);
    ForgetKnowledge(slot, Forget::kAll);
    slot->state = DatabaseState::kAbsent;
    slot->reload = false;
    slot->refresh = false;
    pg_atomic_write_u32(&slot->pending, 0);
    pg_atomic_write_u32(&slot->row_changes_done, pg_atomic_read_u32(&slot->row_changes));
    pg_atomic_fetch_add_u64(&slot->stored, static_cast<int64>(discarded));
  }
  LWLockRelease(shared->lock);
  EndOrderly();
}

// Databases and roles may carry settings that are not meant for a writer of its own tables.
void PinSettings() {
  const auto pin = [](const char* name, const char* value) { SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE); };
  pin("search_path", "pg_catalog");
  pin("lock_timeout", "1s");
  pin("statement_timeout", "0");
  pin("compute_query_id", "off");  // nameless, they stay out of pg_stat_statements
  pin("idle_in_transaction_session_timeout", "0");
  pin("default_transaction_isolation", "read committed");
  pin("default_transaction_read_only", "off");
  pin("default_transaction_deferrable", "off");
  pin("extra_float_digits", "1");
  pin("row_security", "on");
  pin("session_replication_role", "origin");
  pin("max_parallel_workers_per_gather", "0");
  pin("jit", "off");
}

// Gives way: nothing was written, and it is tried again.
bool Retriable(int sqlstate) {
  switch (sqlstate) {
    case ERRCODE_LOCK_NOT_AVAILABLE:
    case ERRCODE_T_R_DEADLOCK_DETECTED:
    case ERRCODE_T_R_SERIALIZATION_FAILURE:
    case ERRCODE_QUERY_CANCELED:
    case ERRCODE_UNDEFINED_TABLE:
    case ERRCODE_UNDEFINED_SCHEMA:
      return true;
    default:
      return false;
  }
}

enum class Work { kInspect, kLoadAll, kLoadNewer, kWrite, kWriteWithModels, kTrim };

bool tables_changed;  // set by kInspect

TableResult Do(Work work) {
  switch (work) {
    case Work::kInspect:
      return InspectTables(slot, &tables_changed);
    case Work::kLoadAll:
    case Work::kLoadNewer:
      return LoadKnowledge(slot, work == Work::kLoadAll);
    case Work::kWrite:
    case Work::kWriteWithModels:
      return WriteKnowledge(slot, batch, work == Work::kWriteWithModels);
    case Work::kTrim:
      break;
  }
  return TrimTables();
}

// A table that somebody drops and makes again is missing for a moment; one of an extension older than this library is
// missing for good.
bool MissingForGood(int sqlstate, int* missing_in_a_row) {
  if (sqlstate != ERRCODE_UNDEFINED_TABLE && sqlstate != ERRCODE_UNDEFINED_SCHEMA) return false;
  return ++*missing_in_a_row >= kMissingMost;
}

// True when it was done. An error that will pass is logged and false returned; any other ends this process.
bool Try(Work work) {
  static int missing_in_a_row = 0;
  const MemoryContext context = CurrentMemoryContext;
  volatile bool done = false;
  volatile bool absent = false;
  pgstat_report_activity(STATE_RUNNING, work == Work::kTrim ? "query_shaper: trimming" : "query_shaper: learning");
  PG_TRY();
  {
    const TableResult result = Do(work);
    done = result == TableResult::kDone;
    absent = result == TableResult::kAbsent;
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    if (!Retriable(geterrcode()) || MissingForGood(geterrcode(), &missing_in_a_row)) PG_RE_THROW();
    ErrorData* const error = CopyErrorData();
    FlushErrorState();
    AbortCurrentTransaction();
    ereport(DEBUG1, (errmsg_internal("learner gives way: %s", error->message)));
    FreeErrorData(error);
  }
  PG_END_TRY();
  MemoryContextSwitchTo(context);
  pgstat_report_stat(true);
  pgstat_report_activity(STATE_IDLE, nullptr);
  if (absent) EndAbsent();
  if (done) missing_in_a_row = 0;
  return done;
}

template <typename Record>
int CollectReady(Record* (*at)(int), int count, Record** found) {
  int ready = 0;
  for (int i = 0; i < count; ++i) {
    Record* const record = at(i);
    if (pg_atomic_read_u32(&record->state) == kRecordReady && record->database == my_database) found[ready++] = record;
  }
  std::sort(found, found + ready, [](const Record* a, const Record* b) { return a->number < b->number; });
  return ready;
}

template <typename Record>
bool Take(Record* record) {
  uint32 expected = kRecordReady;
  if (!pg_atomic_compare_exchange_u32(&record->state, &expected, kRecordTaken)) return false;
  pg_read_barrier();
  pg_atomic_fetch_sub_u32(&slot->pending, 1);
  return true;
}

template <typename Record>
Record* Keep(Record* record) {
  auto* const copy = static_cast<Record*>(MemoryContextAlloc(batch.context, sizeof(Record)));
  memcpy(static_cast<void*>(copy), record, sizeof(Record));
  ++batch_given_up;
  pg_atomic_write_u32(&record->state, kRecordFree);
  return copy;
}

void LearnTaken(OutcomeRecord* record) {
  char failure[256] = "";
  if (LearnOutcome(slot, record, failure, sizeof failure)) return;
  Count(kMetricAdviceFailed);
  ereport(LOG,
          (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not learn an outcome"), errdetail_internal("%s", failure)));
}

// Learns what is ready, in order of arrival, and keeps copies for the tables. Returns how many there were.
int TakeReady() {
  OutcomeRecord* outcomes[kOutcomeRecords];
  EventRecord* events[kEventRecords];
  int taken = 0;
  const int outcomes_ready = CollectReady(OutcomeAt, kOutcomeRecords, outcomes);
  const int events_ready = CollectReady(EventAt, kEventRecords, events);
  for (int i = 0; i < outcomes_ready && batch.outcome_count < kBatchRecords; ++i) {
    if (!Take(outcomes[i])) continue;
    if (outcomes[i]->handed_back == 0) LearnTaken(outcomes[i]);
    batch.outcomes[batch.outcome_count++] = Keep(outcomes[i]);
    ++taken;
  }
  for (int i = 0; i < events_ready && batch.event_count < kBatchRecords; ++i) {
    if (!Take(events[i])) continue;
    batch.events[batch.event_count++] = Keep(events[i]);
    ++taken;
  }
  if (taken > 0) {
    char failure[256] = "";
    if (!TrainModels(slot, failure, sizeof failure)) {
      Count(kMetricAdviceFailed);
      ereport(LOG, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not train"), errdetail_internal("%s", failure)));
    }
  }
  return taken;
}

// The batch is in the tables, or, on a standby, has nowhere to go.
void Settle(bool stored) {
  pg_atomic_fetch_add_u64(&slot->stored, static_cast<int64>(batch_given_up));
  if (stored) Count(kMetricOutcomesStored, static_cast<uint64_t>(batch.outcome_count));
  batch_given_up = 0;
  batch.outcome_count = 0;
  batch.event_count = 0;
  MemoryContextReset(batch.context);
}

bool AnyDirty() {
  bool dirty = false;
  HASH_SEQ_STATUS scan;
  LWLockAcquire(shared->knowledge_lock, LW_SHARED);
  dirty = slot->models_dirty;
  hash_seq_init(&scan, Profiles());
  while (const auto* entry = static_cast<const ProfileEntry*>(hash_seq_search(&scan)))
    dirty = dirty || (entry->key.database == my_database && entry->dirty);
  dirty = dirty || SequenceOf(slot)->dirty;
  LWLockRelease(shared->knowledge_lock);
  return dirty || RowsDirty(my_database) || AccessDirty(my_database) || NeedsDirty(my_database);
}

bool RowsChanged() { return pg_atomic_read_u32(&slot->row_changes) != pg_atomic_read_u32(&slot->row_changes_done); }

// A restore fills the tables without telling anybody.
void LookForChanges() {
  LWLockAcquire(shared->lock, LW_SHARED);
  const bool known = slot->state == DatabaseState::kLoaded && !slot->reload;
  LWLockRelease(shared->lock);
  if (!known || !Try(Work::kInspect) || !tables_changed) return;
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  if (slot->database == my_database) slot->reload = true;
  LWLockRelease(shared->lock);
}

// Reads the tables when that is due; false when it has to be tried again. *loaded_all: nothing older is left in shared
// memory.
bool LoadWhereDue(bool* loaded_all) {
  *loaded_all = false;
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  const bool all = slot->state == DatabaseState::kWanted || slot->reload;
  const bool newer = slot->refresh;
  const uint32_t generation = slot->generation;
  LWLockRelease(shared->lock);
  if (!all && !newer) return true;
  if (!Try(all ? Work::kLoadAll : Work::kLoadNewer)) return false;
  *loaded_all = all;
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  if (slot->database == my_database) {
    slot->loaded_at = GetCurrentTimestamp();
    slot->refresh = false;
    // Asked for again while the tables were read: they are read once more.
    if (slot->generation == generation) {
      slot->reload = false;
      slot->state = DatabaseState::kLoaded;
    }
  }
  LWLockRelease(shared->lock);
  return true;
}

bool BatchFull() { return batch.outcome_count == kBatchRecords || batch.event_count == kBatchRecords; }

struct LoopState {
  TimestampTz started;
  TimestampTz active;  // when outcomes last came
  TimestampTz wrote;
  TimestampTz wrote_models;
  int untrimmed;  // records written since the tables were last trimmed
  bool unsaved;
};

// Writes when that is due; false when something is left that the tables do not have.
bool WriteWhereDue(bool flush, bool ending, LoopState* state) {
  if (!state->unsaved) return true;
  const bool due = Passed(state->wrote, BatchFull() ? kFullWriteMs : kWriteMs);
  if (!flush && !ending && !due) return false;
  const bool everything = flush || ending || Passed(state->active, kWriteMs);
  const bool with_models = everything || Passed(state->wrote_models, kModelsMs);
  // A flush promises durability on this server; otherwise the last moments may be lost in a crash.
  SetConfigOption("synchronous_commit", flush ? "local" : "off", PGC_SUSET, PGC_S_OVERRIDE);
  state->wrote = GetCurrentTimestamp();
  if (!Try(with_models ? Work::kWriteWithModels : Work::kWrite)) return false;
  state->untrimmed += batch.outcome_count + batch.event_count;
  if (with_models) {
    state->wrote_models = state->wrote;
    state->unsaved = false;
  }
  Settle(true);
  return true;
}

void AnswerFlush(uint32 ticket, bool standby) {
  // What an earlier, asynchronous commit of this process wrote.
  if (!standby) XLogFlush(XactLastCommitEnd);
  pg_atomic_write_u32(&slot->flushes_done, ticket);
  ConditionVariableBroadcast(&shared->flushed);
}

// Trains in slices, so that outcomes wait no longer for it than for a look. What is begun goes on in the next slice, of
// this process or of the next. Returns whether a round goes on.
bool TrainWhereDue(bool standby) {
  static int rounds = 0;
  static uint32 serving = 0;
  const uint32 ticket = pg_atomic_read_u32(&slot->trainings_asked);
  const bool asked = ticket != pg_atomic_read_u32(&slot->trainings_done);
  if (asked && ticket != serving) {
    serving = ticket;
    rounds = 0;
  }
  const bool due = !standby && !TrainingIdle(slot, asked) && !(asked && rounds >= kRoundsPerAsking);
  const bool more = due && AdvanceTraining(slot, asked ? kAskedSliceMs : kSliceMs, asked);
  if (due && !more) ++rounds;
  if (asked && !due) {
    pg_atomic_write_u32(&slot->trainings_done, ticket);
    ConditionVariableBroadcast(&shared->flushed);
  }
  return due && (more || asked);
}

void WaitForWork(const LoopState& state, bool training) {
  WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
            Passed(state.active, kWriteMs) && !training ? kLookIdleMs : kLookMs, PG_WAIT_EXTENSION);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
  if (ConfigReloadPending) {
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
  }
}

void LearnLoop() {
  LoopState state{};
  state.started = state.active = GetCurrentTimestamp();
  state.untrimmed = kTrimRecords;
  if (!RecoveryInProgress()) LookForChanges();
  state.unsaved = AnyDirty();
  for (;;) {
    const bool standby = RecoveryInProgress();
    const bool ending = ShutdownRequestPending || Held() ||
                        (pg_atomic_read_u32(&shared->learners_wanted) != 0 && Passed(state.started, kTurnMs));
    const uint32 ticket = pg_atomic_read_u32(&slot->flush_requests);
    const bool flush = ticket != pg_atomic_read_u32(&slot->flushes_done);
    if (slot->database != my_database) EndOrderly();
    bool loaded_all = false;
    const bool loaded = LoadWhereDue(&loaded_all);
    if (loaded_all) state.unsaved = AnyDirty() || batch.outcome_count + batch.event_count > 0;
    const int taken = loaded ? TakeReady() : 0;
    if (taken > 0) state.active = GetCurrentTimestamp();
    state.unsaved = state.unsaved || taken > 0 || RowsChanged() || (flush && AnyDirty());
    const bool full = BatchFull();
    bool saved = loaded;
    if (standby) {
      Settle(false);
      pg_atomic_write_u32(&slot->row_changes_done, pg_atomic_read_u32(&slot->row_changes));
      state.unsaved = false;
    } else if (loaded) {
      saved = WriteWhereDue(flush, ending, &state);
      if (saved && !ending && state.untrimmed >= kTrimRecords && Try(Work::kTrim)) state.untrimmed = 0;
    }
    const bool training = loaded && !ending && TrainWhereDue(standby);
    const bool awaited =
        training && pg_atomic_read_u32(&slot->trainings_asked) != pg_atomic_read_u32(&slot->trainings_done);
    state.unsaved = state.unsaved || (loaded && !standby && SequenceOf(slot)->dirty);
    // More than one batch may wait for a flush.
    if (flush && saved && full) continue;
    if (flush && saved) AnswerFlush(ticket, standby);
    if (ending || (loaded && !state.unsaved && !awaited && Passed(state.active, kIdleMs))) return;
    if (awaited) {
      CHECK_FOR_INTERRUPTS();
      continue;
    }
    WaitForWork(state, training);
  }
}

void RunLearner(Oid database) {
  pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
  my_database = database;
  if (!Enter()) proc_exit(0);
  // Registered before connecting, so that this database is left before the learner counts as gone.
  on_shmem_exit(LeaveLearner, 0);
  BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
  batch.context = AllocSetContextCreate(TopMemoryContext, "query_shaper batch", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(TopMemoryContext);
  PinSettings();
  LearnLoop();
  EndOrderly();
}

}  // namespace

BackgroundWorkerHandle* StartLearner(Oid database) {
  BackgroundWorker worker;
  BackgroundWorkerHandle* handle = nullptr;
  memset(&worker, 0, sizeof worker);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_ConsistentState;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  worker.bgw_main_arg = ObjectIdGetDatum(database);
  worker.bgw_notify_pid = MyProcPid;
  strlcpy(worker.bgw_library_name, "query_shaper", sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, "query_shaper_learner_main", sizeof worker.bgw_function_name);
  strlcpy(worker.bgw_type, "query_shaper learner", sizeof worker.bgw_type);
  pg_snprintf(worker.bgw_name, sizeof worker.bgw_name, "query_shaper learner for database %u", database);
  return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : nullptr;
}

}  // namespace query_shaper

void query_shaper_learner_main(Datum argument) { query_shaper::RunLearner(DatumGetObjectId(argument)); }
