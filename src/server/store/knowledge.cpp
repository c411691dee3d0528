#include "pg/pg.h"

#include "pg/fault_point.h"
#include "pg/guard.h"
#include "server/settings.h"
#include "server/store/knowledge.h"
#include "server/store/shared_profiles.h"
#include "server/store/learned_rows.h"

extern "C" {
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "mb/pg_wchar.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/inval.h"
#include "utils/syscache.h"
#include "utils/wait_event.h"
}

namespace query_shaper {

namespace {

constexpr int kAskAgainMs = 1000;
constexpr int kInstalledAgainMs = 5000;
constexpr int kStandbyRefreshMs = 5000;
constexpr int kForgottenPlans = 64;
constexpr int kNoWorkerMs = 10000;
// From here on a full ring is near: the learner is woken at once, and one that cannot run no longer gets all of it.
constexpr uint32 kManyPending = kOutcomeRecords / 4;

bool installed;
bool installed_known;  // until functions are created or dropped in this database
TimestampTz installed_asked;
TimestampTz database_asked;
TimestampTz absence_reported;
bool reload_at_commit;
Forget reload_rows;
int64_t forgotten_plans[kForgottenPlans];  // of this transaction
int forgotten_plans_count;
Models cold_models;
bool cold_models_ready;

bool Elapsed(TimestampTz since, int ms) { return TimestampDifferenceExceeds(since, GetCurrentTimestamp(), ms); }

void ForgetInstalled(Datum, int, uint32) { installed_known = false; }

bool ExtensionInstalled() {
  static bool registered = false;
  if (!registered) {
    // CREATE and DROP EXTENSION create and drop functions.
    CacheRegisterSyscacheCallback(PROCOID, ForgetInstalled, 0);
    registered = true;
  }
  if (IsTransactionState() && (!installed_known || (!installed && Elapsed(installed_asked, kInstalledAgainMs)))) {
    installed_known = true;  // before the look-up, during which an invalidation may arrive
    installed_asked = GetCurrentTimestamp();
    const bool before = installed;
    installed = OidIsValid(get_extension_oid("query_shaper", true));
    if (installed && !before) database_asked = 0;
  }
  return installed;
}

bool Wanted(const DatabaseSlot* slot) {
  return slot != nullptr && (slot->state == DatabaseState::kWanted || slot->state == DatabaseState::kLoaded);
}

bool PredictQuietly(const FeatureVector& features, const Profile* exact, const Profile* shape, const Models& models,
                    double now_s, const Profile* statement, const DatabaseSlot* slot, const SequenceQuestion& question,
                    Estimate* estimate, char* failure, Size failure_bytes) noexcept {
  return pg::Quietly(failure, failure_bytes, [&] {
    pg::FaultPoint("predict");
    SequenceAnswer sequence;
    const bool asked = AskSequence(slot, question, exact, shape, &sequence);
    *estimate = Predict(features, exact, shape, models, now_s, statement, asked ? &sequence : nullptr);
  });
}

const Models& ColdModels() noexcept {
  if (!cold_models_ready) {
    try {
      InitModels(&cold_models);
    } catch (...) {
      cold_models = Models{};
    }
    cold_models_ready = true;
  }
  return cold_models;
}

void WakeLearner(const DatabaseSlot* slot) {
  if (slot->learner_pid != 0) {
    SetLatch(&ProcGlobal->allProcs[slot->learner_procno].procLatch);
  } else {
    WakeLauncher();
  }
}

// Tells whether the record was accepted; if not, it is free again.
template <typename Record>
bool Send(Record* record, Metric dropped) {
  LWLockAcquire(shared->lock, LW_SHARED);
  DatabaseSlot* const slot = FindDatabase(record->database);
  const bool stuck = slot != nullptr && slot->failures > 0 && pg_atomic_read_u32(&slot->pending) >= kManyPending;
  if (!Wanted(slot) || stuck) {
    LWLockRelease(shared->lock);
    pg_atomic_write_u32(&record->state, kRecordFree);
    Count(dropped);
    return false;
  }
  pg_atomic_fetch_add_u64(&slot->sent, 1);
  const uint32 before = pg_atomic_fetch_add_u32(&slot->pending, 1);
  pg_write_barrier();
  pg_atomic_write_u32(&record->state, kRecordReady);
  // A running learner looks by itself several times a second.
  if ((before == 0 && slot->learner_pid == 0) || before + 1 == kManyPending) WakeLearner(slot);
  LWLockRelease(shared->lock);
  return true;
}

void CopyText(const char* from, char* to, int bytes) {
  const int length = from == nullptr ? 0 : pg_mbcliplen(from, static_cast<int>(strlen(from)), bytes - 1);
  if (length > 0) memcpy(to, from, length);
  to[length] = '\0';
}

void ReloadNow() {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DatabaseSlot* const slot = FindDatabase(MyDatabaseId);
  if (Wanted(slot)) {
    ForgetKnowledge(slot, reload_rows);
    for (int i = 0; i < forgotten_plans_count; ++i) RemovePlans(slot->database, forgotten_plans[i]);
    slot->reload = true;
    ++slot->generation;
    slot->state = DatabaseState::kWanted;
    WakeLearner(slot);
  }
  LWLockRelease(shared->lock);
}

void AtTransactionEnd(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PREPARE:
      if (reload_at_commit) ReloadNow();
      reload_at_commit = false;
      break;
    case XACT_EVENT_ABORT:
      reload_at_commit = false;
      break;
    default:
      break;
  }
}

[[noreturn]] void RaiseNoSlot() {
  ereport(ERROR,
          (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("query_shaper does not learn from this database"),
           errdetail("All slots for databases are taken."),
           errhint("Increase query_shaper.max_databases and restart the server.")));
}

[[noreturn]] void RaiseNoLearner() {
  const bool launcher = shared->launcher_pid != 0;
  ereport(ERROR, (errcode(launcher ? ERRCODE_CONFIGURATION_LIMIT_EXCEEDED : ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("could not start the learner"),
                  launcher ? errdetail("No slot for a background worker is free.")
                           : errdetail("The launcher of query_shaper is not running."),
                  launcher ? errhint("Increase max_worker_processes.") : 0));
}

// Raises when the learner asked for cannot come or has failed.
void CheckLearner(const DatabaseSlot* slot, uint32 failures, uint64 no_worker, TimestampTz started) {
  if (slot->database != MyDatabaseId) RaiseNoSlot();
  if (!Wanted(slot))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("query_shaper does not learn from this database"),
                    errdetail("Its learner does not see the extension."),
                    errhint("Commit the transaction that creates it first.")));
  if (pg_atomic_read_u32(const_cast<pg_atomic_uint32*>(&slot->learner_failures)) != failures)
    ereport(ERROR, (errcode(ERRCODE_SYSTEM_ERROR), errmsg("could not store what was learned"),
                    errdetail("The learner of this database failed."), errhint("See the server log for its error.")));
  if (slot->learner_pid == 0 && Elapsed(started, kNoWorkerMs) &&
      (shared->launcher_pid == 0 || pg_atomic_read_u64(&shared->metrics[kMetricLearnerNoWorkerSlot]) != no_worker))
    RaiseNoLearner();
}

}  // namespace

// The extension was dropped here: a learner has to see that and give the slot back.
static void ReportAbsent() {
  if (!Elapsed(absence_reported, kAskAgainMs)) return;
  absence_reported = GetCurrentTimestamp();
  LWLockAcquire(shared->lock, LW_SHARED);
  DatabaseSlot* const slot = FindDatabase(MyDatabaseId);
  if (Wanted(slot) && !slot->refresh) {
    slot->refresh = true;
    WakeLearner(slot);
  }
  LWLockRelease(shared->lock);
}

bool OutcomesWanted() {
  if (shared == nullptr || !OidIsValid(MyDatabaseId)) return false;
  if (!ExtensionInstalled()) {
    ReportAbsent();
    return false;
  }
  LWLockAcquire(shared->lock, LW_SHARED);
  const bool wanted = Wanted(FindDatabase(MyDatabaseId));
  LWLockRelease(shared->lock);
  if (wanted) return true;
  if (!Elapsed(database_asked, kAskAgainMs)) return false;
  database_asked = GetCurrentTimestamp();
  if (!WantDatabase(MyDatabaseId)) {
    Count(kMetricDatabasesFull);
    return false;
  }
  WakeLauncher();
  return true;
}

void PredictStatement(int64_t query_id, uint64_t fingerprint, const FeatureVector& features,
                      const SequenceQuestion& question, Estimate* estimate, Pace* pace, bool* has_pace, BandScale* band,
                      double* seconds_since_last_run) {
  const double now_s = EpochSeconds(GetCurrentTimestamp());
  char failure[256] = "";
  bool predicted;
  *has_pace = false;
  if (seconds_since_last_run != nullptr) *seconds_since_last_run = SecondsSinceLastRun(query_id, fingerprint);
  if (OutcomesWanted()) {
    LWLockAcquire(shared->lock, LW_SHARED);
    DatabaseSlot* const slot = FindDatabase(MyDatabaseId);
    LWLockAcquire(shared->knowledge_lock, LW_SHARED);
    const ProfileEntry* const exact = query_id != 0 ? FindProfile(MyDatabaseId, query_id, fingerprint) : nullptr;
    const ProfileEntry* const shape = FindProfile(MyDatabaseId, 0, fingerprint);
    const ProfileEntry* const statement = query_id != 0 ? FindProfile(MyDatabaseId, query_id, kAnyPlan) : nullptr;
    const Models& models = slot != nullptr ? slot->models : ColdModels();
    predicted = PredictQuietly(
        features, exact != nullptr ? &exact->profile : nullptr, shape != nullptr ? &shape->profile : nullptr, models,
        now_s, statement != nullptr ? &statement->profile : nullptr, slot, question, estimate, failure, sizeof failure);
    if (pace != nullptr) {
      for (const ProfileEntry* entry : {exact, shape}) {
        if (*has_pace || entry == nullptr || !(entry->profile.pace.weight > 0)) continue;
        *pace = entry->profile.pace;
        *has_pace = true;
      }
    }
    if (band != nullptr) *band = models.band;
    LWLockRelease(shared->knowledge_lock);
    if (slot != nullptr && slot->state == DatabaseState::kLoaded && !slot->refresh && RecoveryInProgress() &&
        Elapsed(slot->loaded_at, kStandbyRefreshMs)) {
      slot->refresh = true;
      WakeLearner(slot);
    }
    LWLockRelease(shared->lock);
  } else {
    predicted = PredictQuietly(features, nullptr, nullptr, ColdModels(), now_s, nullptr, nullptr, question, estimate,
                               failure, sizeof failure);
    if (band != nullptr) *band = ColdModels().band;
  }
  if (!predicted) {
    *estimate = Estimate{};
    Count(kMetricAdviceFailed);
    ereport(LOG, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not predict a statement"),
                  errdetail_internal("%s", failure)));
  }
}

double SecondsSinceLastRun(int64_t query_id, uint64_t fingerprint) {
  if (shared == nullptr || query_id == 0) return -1;
  double seconds = -1;
  LWLockAcquire(shared->knowledge_lock, LW_SHARED);
  const ProfileEntry* const entry = FindProfile(MyDatabaseId, query_id, fingerprint);
  if (entry != nullptr && entry->profile.last_seen_s > 0) seconds = entry->profile.last_seen_s;
  LWLockRelease(shared->knowledge_lock);
  if (seconds < 0) return -1;
  const double now = EpochSeconds(GetCurrentTimestamp());
  return Max(now - seconds, 0.0);
}

void SendOutcome(OutcomeRecord* record) {
  record->query[kStoredTextBytes - 1] = '\0';
  record->node_count = Min(Max(record->node_count, 0), kMaxPlanNodes);
  record->trace_count = Min(Max(record->trace_count, 0), Progress::kTracePoints);
  if (Send(record, kMetricOutcomesDropped)) Count(kMetricOutcomesSent);
}

void SendEvent(EventRecord* record) { Send(record, kMetricEventsDropped); }

void RecordEvent(const char* action, const char* verdict, int64_t query_id, int node_id, const char* reason,
                 const char* details) {
  if (OutcomesWanted()) WriteEvent(action, verdict, query_id, node_id, reason, details);
}

void WriteEvent(const char* action, const char* verdict, int64_t query_id, int node_id, const char* reason,
                const char* details) {
  EventRecord* const record = ClaimEvent();
  if (record == nullptr) {
    Count(kMetricEventsDropped);
    return;
  }
  record->database = MyDatabaseId;
  record->user = GetUserId();
  record->node_id = node_id;
  record->query_id = query_id;
  record->at = GetCurrentTimestamp();
  CopyText(action, record->action, sizeof record->action);
  CopyText(verdict, record->verdict, sizeof record->verdict);
  CopyText(reason, record->reason, sizeof record->reason);
  CopyText(details != nullptr ? details : "{}", record->details, sizeof record->details);
  SendEvent(record);
}

// Draws a ticket and waits until the learner has served it.
static void WaitForLearner(DatabaseSlot* slot, pg_atomic_uint32* asked, pg_atomic_uint32* done) {
  LWLockAcquire(shared->lock, LW_SHARED);
  const uint32 failures = pg_atomic_read_u32(&slot->learner_failures);
  const uint32 ticket = pg_atomic_add_fetch_u32(asked, 1);
  WakeLearner(slot);
  LWLockRelease(shared->lock);
  const uint64 no_worker = pg_atomic_read_u64(&shared->metrics[kMetricLearnerNoWorkerSlot]);
  const TimestampTz started = GetCurrentTimestamp();
  ConditionVariablePrepareToSleep(&shared->flushed);
  // Tickets wrap around.
  while (static_cast<int32>(pg_atomic_read_u32(done) - ticket) < 0) {
    CheckLearner(slot, failures, no_worker, started);
    ConditionVariableTimedSleep(&shared->flushed, 100, PG_WAIT_EXTENSION);
  }
  ConditionVariableCancelSleep();
}

void FlushAndWait() {
  RequireSharedState();
  database_asked = 0;
  installed_known = false;
  if (!OutcomesWanted()) RaiseNoSlot();
  LWLockAcquire(shared->lock, LW_SHARED);
  DatabaseSlot* const slot = FindDatabase(MyDatabaseId);
  LWLockRelease(shared->lock);
  if (slot == nullptr) RaiseNoSlot();
  WaitForLearner(slot, &slot->flush_requests, &slot->flushes_done);
}

void ReloadAtCommit(Forget rows) {
  static bool registered = false;
  RequireSharedState();
  if (!registered) {
    RegisterXactCallback(AtTransactionEnd, nullptr);
    registered = true;
  }
  if (!reload_at_commit) {
    reload_rows = Forget::kStored;
    forgotten_plans_count = 0;
  }
  // Of several calls in one transaction the most thorough counts.
  if (rows == Forget::kAll) reload_rows = rows;
  reload_at_commit = true;
}

void ReloadWithoutPlansAtCommit(int64_t query_id) {
  const bool full = reload_at_commit && forgotten_plans_count == kForgottenPlans;
  ReloadAtCommit(full ? Forget::kAll : Forget::kStored);
  if (!full) forgotten_plans[forgotten_plans_count++] = query_id;
}

void TrainNow() {
  RequireSharedState();
  char failure[256] = "";
  if (!OutcomesWanted()) RaiseNoSlot();
  LWLockAcquire(shared->lock, LW_SHARED);
  DatabaseSlot* const slot = FindDatabase(MyDatabaseId);
  if (slot != nullptr) TrainModels(slot, failure, sizeof failure);
  LWLockRelease(shared->lock);
  if (slot == nullptr) RaiseNoSlot();
  if (failure[0] != '\0')
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not train"), errdetail_internal("%s", failure)));
  pg::FaultPoint("ask-for-training");
  WaitForLearner(slot, &slot->trainings_asked, &slot->trainings_done);
}

bool CopyModels(Models* models, SequenceModel* sequence) {
  bool loaded = false;
  *models = ColdModels();
  if (sequence != nullptr) *sequence = SequenceModel{};
  if (shared == nullptr) return false;
  LWLockAcquire(shared->lock, LW_SHARED);
  const DatabaseSlot* const slot = FindDatabase(MyDatabaseId);
  if (slot != nullptr && slot->state == DatabaseState::kLoaded) {
    LWLockAcquire(shared->knowledge_lock, LW_SHARED);
    *models = slot->models;
    if (sequence != nullptr) CopySequence(slot, sequence);
    LWLockRelease(shared->knowledge_lock);
    loaded = true;
  }
  LWLockRelease(shared->lock);
  return loaded;
}

}  // namespace query_shaper
