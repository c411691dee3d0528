#include "pg/pg.h"

#include "server/settings.h"
#include "server/shared_access.h"
#include "server/shared_hash.h"
#include "server/shared_needs.h"
#include "server/shared_rows.h"
#include "server/shared_sequence.h"
#include "server/shared_shadow.h"
#include "server/shared_staging.h"
#include "server/shared_state.h"
extern "C" {
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/spin.h"
}

namespace query_shaper {

SharedState* shared = nullptr;

namespace {

constexpr int kReadTries = 200;

// Where the arrays stand behind SharedState.
struct Layout {
  Size backends, outcomes, events, databases, total;
};

BackendSlot* backend_slots;
OutcomeRecord* outcome_records;
EventRecord* event_records;
DatabaseSlot* database_slots;
HTAB* profiles;
BackendSlot* my_slot;
shmem_request_hook_type previous_request;
shmem_startup_hook_type previous_startup;

Size Place(Size* total, Size bytes) {
  const Size at = CACHELINEALIGN(*total);
  *total = add_size(at, bytes);
  return at;
}

Layout LayOut() {
  Layout layout{};
  Size total = sizeof(SharedState);
  layout.backends = Place(&total, mul_size(MaxBackends, sizeof(BackendSlot)));
  layout.outcomes = Place(&total, mul_size(kOutcomeRecords, sizeof(OutcomeRecord)));
  layout.events = Place(&total, mul_size(kEventRecords, sizeof(EventRecord)));
  layout.databases = Place(&total, mul_size(settings::max_databases, sizeof(DatabaseSlot)));
  layout.total = CACHELINEALIGN(total);
  return layout;
}

// One profile for every statement and one for its plan's shape.
int ProfileCapacity() { return settings::history_max * 2; }

void RequestSharedState() {
  if (previous_request) previous_request();
  RequestAddinShmemSpace(LayOut().total);
  RequestAddinShmemSpace(SharedHashSize(ProfileCapacity(), sizeof(ProfileEntry)));
  RequestAddinShmemSpace(SharedRowsSize());
  RequestAddinShmemSpace(SharedShadowSize());
  RequestAddinShmemSpace(SharedAccessSize());
  RequestAddinShmemSpace(SharedStagingSize());
  RequestAddinShmemSpace(SharedSequenceSize());
  RequestAddinShmemSpace(SharedNeedsSize());
  RequestNamedLWLockTranche("query_shaper", 6);
}

void Initialise(const Layout& layout) {
  memset(static_cast<void*>(shared), 0, layout.total);
  LWLockPadded* const locks = GetNamedLWLockTranche("query_shaper");
  shared->lock = &locks[0].lock;
  shared->knowledge_lock = &locks[1].lock;
  shared->backends = MaxBackends;
  shared->databases = settings::max_databases;
  shared->profile_capacity = ProfileCapacity();
  shared->launcher_procno = -1;
  pg_atomic_init_u32(&shared->running, 0);
  pg_atomic_init_u32(&shared->learners_wanted, 0);
  pg_atomic_init_u64(&shared->numbers, 0);
  ConditionVariableInit(&shared->flushed);
  for (pg_atomic_uint64& metric : shared->metrics) pg_atomic_init_u64(&metric, 0);
  for (int i = 0; i < shared->backends; ++i) {
    BackendSlot& slot = backend_slots[i];
    pg_atomic_init_u32(&slot.request, kRequestNone);
    for (pg_atomic_uint64& rows : slot.worker_rows) pg_atomic_init_u64(&rows, 0);
    pg_atomic_init_u64(&slot.worker_memory_kb, 0);
    pg_atomic_init_u64(&slot.worker_cpu_us, 0);
    pg_atomic_init_u32(&slot.worker_reports, 0);
    pg_atomic_init_u32(&slot.given_up, 0);
    for (StatementSlot& statement : slot.statements_running) pg_atomic_init_u32(&statement.sequence, 0);
  }
  for (int i = 0; i < kOutcomeRecords; ++i) pg_atomic_init_u32(&outcome_records[i].state, kRecordFree);
  for (int i = 0; i < kEventRecords; ++i) pg_atomic_init_u32(&event_records[i].state, kRecordFree);
  for (int i = 0; i < shared->databases; ++i) {
    DatabaseSlot& slot = database_slots[i];
    pg_atomic_init_u32(&slot.pending, 0);
    pg_atomic_init_u64(&slot.sent, 0);
    pg_atomic_init_u64(&slot.stored, 0);
    pg_atomic_init_u32(&slot.flush_requests, 0);
    pg_atomic_init_u32(&slot.flushes_done, 0);
    pg_atomic_init_u32(&slot.learner_failures, 0);
    pg_atomic_init_u32(&slot.row_changes, 0);
    pg_atomic_init_u32(&slot.row_changes_done, 0);
    pg_atomic_init_u32(&slot.trainings_asked, 0);
    pg_atomic_init_u32(&slot.trainings_done, 0);
  }
}

void StartSharedState() {
  if (previous_startup) previous_startup();
  const Layout layout = LayOut();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found = false;
  char* const base = static_cast<char*>(ShmemInitStruct("query_shaper", layout.total, &found));
  shared = reinterpret_cast<SharedState*>(base);
  backend_slots = reinterpret_cast<BackendSlot*>(base + layout.backends);
  outcome_records = reinterpret_cast<OutcomeRecord*>(base + layout.outcomes);
  event_records = reinterpret_cast<EventRecord*>(base + layout.events);
  database_slots = reinterpret_cast<DatabaseSlot*>(base + layout.databases);
  if (!found) Initialise(layout);
  profiles = AttachSharedHash("query_shaper profiles", ProfileCapacity(), sizeof(ProfileKey), sizeof(ProfileEntry));
  AttachSharedRows(&GetNamedLWLockTranche("query_shaper")[2].lock);
  AttachSharedShadow();
  AttachSharedAccess(&GetNamedLWLockTranche("query_shaper")[3].lock);
  AttachSharedSequence();
  AttachSharedStaging(&GetNamedLWLockTranche("query_shaper")[4].lock);
  AttachSharedNeeds(&GetNamedLWLockTranche("query_shaper")[5].lock);
  LWLockRelease(AddinShmemInitLock);
  my_slot = nullptr;
}

// Frees records that this process claimed and never sent.
template <typename Record>
void FreeUnsent(Record* records, int count) {
  for (int i = 0; i < count; ++i)
    if (pg_atomic_read_u32(&records[i].state) == kRecordWriting && records[i].pid == MyProcPid)
      pg_atomic_write_u32(&records[i].state, kRecordFree);
}

void LeaveSlot(int, Datum) {
  BackendSlot* const slot = my_slot;
  if (slot == nullptr) return;
  my_slot = nullptr;
  for (StatementSlot& statement : slot->statements_running) {
    // An odd sequence is left behind by a process that ended while it wrote.
    const uint32 sequence = pg_atomic_read_u32(&statement.sequence) | 1;
    pg_atomic_write_u32(&statement.sequence, sequence);
    pg_write_barrier();
    statement.state = StatementState::kFree;
    pg_write_barrier();
    pg_atomic_write_u32(&statement.sequence, sequence + 1);
  }
  pg_atomic_write_u32(&slot->request, kRequestNone);
  slot->held = false;
  slot->leader_pid = 0;
  slot->priority = 0;
  slot->pid = 0;
  FreeUnsent(outcome_records, kOutcomeRecords);
  FreeUnsent(event_records, kEventRecords);
}

// Begins where the last one was found, so that a busy ring is not searched from its start each time.
template <typename Record>
Record* Claim(Record* records, int count) {
  MyBackendSlot();  // so that an unsent record is freed when this process ends
  const uint64 start = pg_atomic_read_u64(&shared->numbers);
  for (int i = 0; i < count; ++i) {
    Record* const record = &records[(start + i) % count];
    uint32 expected = kRecordFree;
    if (pg_atomic_read_u32(&record->state) != kRecordFree ||
        !pg_atomic_compare_exchange_u32(&record->state, &expected, kRecordWriting))
      continue;
    record->pid = MyProcPid;
    record->handed_back = 0;
    record->number = pg_atomic_fetch_add_u64(&shared->numbers, 1);
    return record;
  }
  return nullptr;
}

}  // namespace

void InstallSharedState() {
  previous_request = shmem_request_hook;
  shmem_request_hook = RequestSharedState;
  previous_startup = shmem_startup_hook;
  shmem_startup_hook = StartSharedState;
}

BackendSlot* BackendAt(int index) { return &backend_slots[index]; }
OutcomeRecord* OutcomeAt(int index) { return &outcome_records[index]; }
EventRecord* EventAt(int index) { return &event_records[index]; }
DatabaseSlot* DatabaseAt(int index) { return &database_slots[index]; }
HTAB* Profiles() { return profiles; }

EVERY_STATEMENT BackendSlot* MyBackendSlot() {
  if (my_slot != nullptr) return my_slot;
  if (shared == nullptr || MyProc == nullptr || MyProc->pgprocno >= shared->backends || proc_exit_inprogress)
    return nullptr;
  BackendSlot* const slot = &backend_slots[MyProc->pgprocno];
  on_shmem_exit(LeaveSlot, 0);
  pg_atomic_write_u32(&slot->request, kRequestNone);
  slot->held = false;
  pg_atomic_write_u32(&slot->given_up, 0);
  for (pg_atomic_uint64& rows : slot->worker_rows) pg_atomic_write_u64(&rows, 0);
  PGPROC* const leader = MyProc->lockGroupLeader;
  slot->leader_pid = leader != nullptr && leader != MyProc ? leader->pid : 0;
  pg_write_barrier();
  slot->pid = MyProcPid;
  my_slot = slot;
  return slot;
}

DatabaseSlot* FindDatabase(Oid database) {
  if (!OidIsValid(database)) return nullptr;
  for (int i = 0; i < shared->databases; ++i)
    if (database_slots[i].database == database) return &database_slots[i];
  return nullptr;
}

void Count(Metric metric, uint64_t by) {
  if (shared != nullptr) pg_atomic_fetch_add_u64(&shared->metrics[metric], static_cast<int64>(by));
}

void RequireSharedState() {
  if (shared != nullptr) return;
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("query_shaper must be loaded via shared_preload_libraries"),
                  errhint("Add query_shaper to shared_preload_libraries in postgresql.conf and restart the server.")));
}

// A leader that waits for rows of workers which are held does not come to be held itself.
static bool WaitsForHeldWorkers(const BackendSlot* leader) {
  if (pg_atomic_read_u32(const_cast<pg_atomic_uint32*>(&leader->request)) != kRequestPause) return false;
  const int pid = leader->pid;
  for (int i = 0; i < shared->backends; ++i)
    if (backend_slots[i].held && backend_slots[i].pid != 0 && backend_slots[i].leader_pid == pid) return true;
  return false;
}

bool ReadStatement(BackendSlot* backend, int level, StatementSlot* copy) {
  const StatementSlot* const slot = &backend->statements_running[level];
  for (int i = 0; i < kReadTries; ++i) {
    const uint32 before = pg_atomic_read_u32(const_cast<pg_atomic_uint32*>(&slot->sequence));
    if (before & 1) {
      pg_spin_delay();
      continue;
    }
    pg_read_barrier();
    if (slot->state == StatementState::kFree) return false;
    // A torn count is noticed below, but must not lead past the array before.
    const int count = Min(Max(slot->node_count, 0), kMaxPlanNodes);
    memcpy(static_cast<void*>(copy), slot, offsetof(StatementSlot, nodes) + count * sizeof(NodeSlot));
    pg_read_barrier();
    if (pg_atomic_read_u32(const_cast<pg_atomic_uint32*>(&slot->sequence)) == before) {
      copy->node_count = count;
      copy->query[kQueryTextBytes - 1] = '\0';
      if (copy->state == StatementState::kRunning && WaitsForHeldWorkers(backend))
        copy->state = StatementState::kPaused;
      return copy->state != StatementState::kFree;
    }
  }
  return false;
}

template <typename Record>
static bool HandBack(const Record* copy, Record* record) {
  if (record == nullptr) return false;
  constexpr Size kState = offsetof(Record, number);
  memcpy(reinterpret_cast<char*>(record) + kState, reinterpret_cast<const char*>(copy) + kState,
         sizeof(Record) - kState);
  ++record->handed_back;
  pg_write_barrier();
  pg_atomic_write_u32(&record->state, kRecordReady);
  return true;
}

OutcomeRecord* ClaimOutcome() { return Claim(outcome_records, kOutcomeRecords); }
EventRecord* ClaimEvent() { return Claim(event_records, kEventRecords); }

bool HandBackOutcome(const OutcomeRecord* copy) { return HandBack(copy, ClaimOutcome()); }
bool HandBackEvent(const EventRecord* copy) { return HandBack(copy, ClaimEvent()); }

void WakeLauncher() {
  const int procno = shared->launcher_procno;
  if (procno >= 0) SetLatch(&ProcGlobal->allProcs[procno].procLatch);
}

}  // namespace query_shaper
