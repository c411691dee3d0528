#include "pg/pg.h"

#include "core/pool/holding.h"
#include "server/pool/give_back_heap.h"
#include "server/pool/pool_capacity.h"
#include "server/pool/shared_pool.h"
#include "server/pool/waiting_turn.h"
#include "server/settings.h"
#include "server/shared_state.h"

extern "C" {
#include "access/xact.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"
}

namespace query_shaper {

SharedPool* shared_pool = nullptr;

namespace {

constexpr int64 kClaimShare = 2;  // one claim gets at most this part of the capacity

PoolReservation* reservations;
Waiter* line;
shmem_request_hook_type previous_request;
shmem_startup_hook_type previous_startup;
int owner_pid = 0;               // that the callbacks below are registered for: registrations do not survive a fork
volatile bool reserved = false;  // since the last transaction's end

struct PoolLayout {
  Size line, reservations, total;
};

PoolLayout LayOutPool() {
  PoolLayout layout{};
  layout.line = CACHELINEALIGN(sizeof(SharedPool));
  layout.reservations = add_size(layout.line, CACHELINEALIGN(mul_size(MaxBackends, sizeof(Waiter))));
  layout.total =
      add_size(layout.reservations, mul_size(MaxBackends, kReservationsPerProcess * sizeof(PoolReservation)));
  return layout;
}

void RequestPool() {
  if (previous_request) previous_request();
  RequestAddinShmemSpace(LayOutPool().total);
  RequestNamedLWLockTranche("query_shaper pool", 1);
}

void StartPool() {
  if (previous_startup) previous_startup();
  const PoolLayout layout = LayOutPool();
  bool found = false;
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  char* const base = static_cast<char*>(ShmemInitStruct("query_shaper pool", layout.total, &found));
  shared_pool = reinterpret_cast<SharedPool*>(base);
  line = reinterpret_cast<Waiter*>(base + layout.line);
  reservations = reinterpret_cast<PoolReservation*>(base + layout.reservations);
  if (!found) {
    memset(base, 0, layout.total);
    shared_pool->lock = &GetNamedLWLockTranche("query_shaper pool")[0].lock;
    shared_pool->processes = MaxBackends;
    pg_atomic_init_u64(&shared_pool->checked_at, 0);
    pg_atomic_init_u64(&shared_pool->spare_kb, 0);
    pg_atomic_init_u64(&shared_pool->unused_kb, 0);
    pg_atomic_init_u64(&shared_pool->cache_kb, 0);
    pg_atomic_init_u32(&shared_pool->waiting, 0);
    pg_atomic_init_u32(&shared_pool->head, 0);
    for (int i = 0; i < MaxBackends; ++i) line[i].owner = -1;
    PublishPoolSettings();
  }
  LWLockRelease(AddinShmemInitLock);
}

int FirstOfMine() { return MyProc->pgprocno * kReservationsPerProcess; }

// A handle is the place and the generation that opened it.
int HandleOf(int index, int generation) { return index * kHoldingGenerations + generation; }

PoolReservation* ReservationOf(int handle, int* generation) {
  if (handle < 0 || shared_pool == nullptr) return nullptr;
  *generation = handle % kHoldingGenerations;
  return &reservations[handle / kHoldingGenerations];
}

void GiveBackTo(int resource, int64 amount) {
  if (amount <= 0) return;
  GiveBack(&shared_pool->accounts[resource], amount);
  if (resource == kPoolMemory) WakeHeadOfLine();
}

void ReleaseMine() {
  if (!reserved || shared_pool == nullptr || MyProc == nullptr) return;
  reserved = false;
  for (int i = FirstOfMine(); i < FirstOfMine() + kReservationsPerProcess; ++i) {
    const int generation = HoldingGeneration(reservations[i].held[kPoolMemory]);
    if (generation >= 0) PoolRelease(HandleOf(i, generation));
  }
}

void LeavePool(int, Datum) {
  LeaveLine();
  reserved = true;
  ReleaseMine();
}

// No statement outlives its transaction: cursors WITH HOLD have been run to their end.
void EndOfTransaction(XactEvent event, void*) {
  if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE) return;
  GiveBackOwedHeap();
  ReleaseMine();
}

bool EnterPool() {
  if (shared_pool == nullptr || MyProc == nullptr || MyProc->pgprocno >= shared_pool->processes) return false;
  if (likely(owner_pid == MyProcPid)) return true;
  if (proc_exit_inprogress) return false;
  on_shmem_exit(LeavePool, 0);
  RegisterXactCallback(EndOfTransaction, nullptr);
  owner_pid = MyProcPid;
  // Whoever had this place before has left it in order, or shared memory is new; but nothing may leak for ever.
  reserved = true;
  ReleaseMine();
  return true;
}

int64 TakeMemory(int64 most_kb) {
  const int64 spare_kb = static_cast<int64>(pg_atomic_read_u64(&shared_pool->spare_kb));
  const int64 taken = TakeWish(&shared_pool->accounts[kPoolMemory], Min(most_kb, spare_kb));
  // Nothing may be lost by wrapping: it is measured anew within a second.
  if (taken > 0) pg_atomic_fetch_sub_u64(&shared_pool->spare_kb, taken);
  return taken;
}

int64 GrowHolding(int reservation, int resource, int64 more) {
  int generation;
  PoolReservation* const place = ReservationOf(reservation, &generation);
  if (place == nullptr || more <= 0 || HoldingAmount(place->held[resource], generation) < 0) return 0;
  if (resource == kPoolMemory) more = Min(more, PoolClaimMostKb() - HoldingAmount(place->held[resource], generation));
  const int64 taken = resource == kPoolMemory ? TakeMemory(more) : TakeWish(&shared_pool->accounts[resource], more);
  if (taken == 0 || AddToHolding(&place->held[resource], generation, taken)) return taken;
  GiveBackTo(resource, taken);
  return 0;
}

int64 ShrinkHolding(int reservation, int resource, int64 less) {
  int generation;
  PoolReservation* const place = ReservationOf(reservation, &generation);
  if (place == nullptr || less <= 0) return 0;
  const int64 taken = TakeOffHolding(&place->held[resource], generation, less);
  GiveBackTo(resource, taken);
  return taken;
}

void Describe(const PoolClaim& claim, PoolReservation* place) {
  int64 capacities[kPoolResources];
  for (int r = 0; r < kPoolResources; ++r) capacities[r] = CapacityOf(shared_pool->accounts[r]);
  place->wanted[kPoolMemory] = claim.want_kb;
  place->wanted[kPoolWorkers] = claim.workers;
  place->wanted[kPoolIo] = claim.io_depth;
  place->pid = MyProcPid;
  place->database = MyDatabaseId;
  place->user = GetUserId();
  place->source = claim.source;
  place->slice = KindOfSlice(place->wanted, capacities);
  place->query_id = claim.query_id;
  place->priority = claim.priority;
  place->confidence = claim.confidence;
  place->since = GetCurrentTimestamp();
  place->session_start = MyStartTime;
}

}  // namespace

const char* PoolSourceName(PoolSource source) {
  static const char* const kNames[] = {"query", "intake", "job"};
  return kNames[static_cast<int>(source)];
}

void InstallSharedPool() {
  previous_request = shmem_request_hook;
  shmem_request_hook = RequestPool;
  previous_startup = shmem_startup_hook;
  shmem_startup_hook = StartPool;
}

PoolReservation* ReservationAt(int index) { return &reservations[index]; }
Waiter* WaiterAt(int index) { return &line[index]; }

int PoolReserve(const PoolClaim& claim, PoolGrant* grant) {
  *grant = PoolGrant{};
  if (!EnterPool()) return kNoReservation;
  FollowPoolCapacity();
  int index = FirstOfMine();
  const int end = index + kReservationsPerProcess;
  while (index < end && HoldingGeneration(reservations[index].held[kPoolMemory]) >= 0) ++index;
  if (index == end) {
    Count(kMetricReservationsRefused);
    return kNoReservation;
  }
  PoolReservation* const place = &reservations[index];
  Describe(claim, place);
  // Of a single claim at most half: those who come next find something, too.
  const int64 want_kb = Min(Max(claim.want_kb, 0), PoolClaimMostKb());
  const int64 least_kb = Min(Max(claim.least_kb, 0), want_kb);
  reserved = true;
  grant->memory_kb = TakeNeed(&shared_pool->accounts[kPoolMemory], least_kb);
  if (grant->memory_kb == least_kb) grant->memory_kb += TakeMemory(want_kb - least_kb);
  grant->workers = static_cast<int>(TakeWish(&shared_pool->accounts[kPoolWorkers], claim.workers));
  grant->io_depth = static_cast<int>(TakeWish(&shared_pool->accounts[kPoolIo], claim.io_depth));
  OpenHolding(&place->held[kPoolIo], grant->io_depth);
  OpenHolding(&place->held[kPoolWorkers], grant->workers);
  pg_write_barrier();
  const int generation = OpenHolding(&place->held[kPoolMemory], grant->memory_kb);
  Count(kMetricReservations);
  if (claim.want_kb > grant->memory_kb) {
    Count(kMetricReservationsShort);
    Count(kMetricPoolUnmetKb, static_cast<uint64_t>(claim.want_kb - grant->memory_kb));
  }
  if (claim.workers > grant->workers)
    Count(kMetricPoolUnmetWorkers, static_cast<uint64_t>(claim.workers - grant->workers));
  return HandleOf(index, generation);
}

int64 PoolGrow(int reservation, int64 more_kb) {
  if (reservation < 0) return 0;
  FollowPoolCapacity();
  return GrowHolding(reservation, kPoolMemory, more_kb);
}

int64 PoolShrink(int reservation, int64 less_kb) { return ShrinkHolding(reservation, kPoolMemory, less_kb); }

int PoolTakeWorkers(int reservation, int more) {
  return static_cast<int>(GrowHolding(reservation, kPoolWorkers, more));
}

int PoolGiveWorkers(int reservation, int less) {
  return static_cast<int>(ShrinkHolding(reservation, kPoolWorkers, less));
}

int PoolTakeRequests(int reservation, int more) {
  int generation;
  PoolReservation* const place = ReservationOf(reservation, &generation);
  if (place == nullptr) return 0;
  place->wanted[kPoolIo] = Max(place->wanted[kPoolIo], Max(0, HoldingAmount(place->held[kPoolIo], generation)) + more);
  return static_cast<int>(GrowHolding(reservation, kPoolIo, more));
}

void PoolRelease(int reservation) {
  int generation;
  PoolReservation* const place = ReservationOf(reservation, &generation);
  if (place == nullptr) return;
  // Memory last: its word says that the place is taken.
  for (int r = kPoolResources - 1; r >= 0; --r) GiveBackTo(r, CloseHolding(&place->held[r], generation));
}

int64 PoolHeldKb(int reservation) {
  int generation;
  const PoolReservation* const place = ReservationOf(reservation, &generation);
  return place == nullptr ? 0 : Max(0, HoldingAmount(place->held[kPoolMemory], generation));
}

int PoolHeldWorkers(int reservation) {
  int generation;
  const PoolReservation* const place = ReservationOf(reservation, &generation);
  return place == nullptr ? 0 : static_cast<int>(Max(0, HoldingAmount(place->held[kPoolWorkers], generation)));
}

int64 PoolHeldRequests(int* newest) {
  *newest = kNoReservation;
  if (!reserved || owner_pid != MyProcPid) return 0;
  int64 held = 0;
  TimestampTz since = 0;
  for (int i = FirstOfMine(); i < FirstOfMine() + kReservationsPerProcess; ++i) {
    const int generation = HoldingGeneration(reservations[i].held[kPoolMemory]);
    if (generation < 0) continue;
    held += Max(0, HoldingAmount(reservations[i].held[kPoolIo], generation));
    if (*newest != kNoReservation && reservations[i].since < since) continue;
    since = reservations[i].since;
    *newest = HandleOf(i, generation);
  }
  return held;
}

bool PoolHoldsOther(int reservation) {
  if (!EnterPool()) return false;
  for (int i = FirstOfMine(); i < FirstOfMine() + kReservationsPerProcess; ++i) {
    const int generation = HoldingGeneration(reservations[i].held[kPoolMemory]);
    if (generation >= 0 && HandleOf(i, generation) != reservation) return true;
  }
  return false;
}

int64 PoolFreeKb() {
  if (shared_pool == nullptr) return 0;
  FollowPoolCapacity();
  const int64 spare_kb = static_cast<int64>(pg_atomic_read_u64(&shared_pool->spare_kb));
  return Max(0, Min(spare_kb, FreeForWishes(shared_pool->accounts[kPoolMemory])));
}

int PoolFreeWorkers() {
  return shared_pool == nullptr ? 0 : static_cast<int>(FreeForWishes(shared_pool->accounts[kPoolWorkers]));
}

int64 PoolClaimMostKb() {
  return shared_pool == nullptr ? 0 : CapacityOf(shared_pool->accounts[kPoolMemory]) / kClaimShare;
}

bool ReadReservation(int index, PoolReservation* copy, int64* held) {
  const PoolReservation* const place = &reservations[index];
  const int generation = HoldingGeneration(place->held[kPoolMemory]);
  if (generation < 0) return false;
  pg_read_barrier();
  *copy = *place;
  pg_read_barrier();
  if (HoldingGeneration(place->held[kPoolMemory]) != generation) return false;
  for (int r = 0; r < kPoolResources; ++r) held[r] = Max(0, HoldingAmount(copy->held[r], generation));
  return true;
}

void WakeHeadOfLine() {
  const uint32 head = pg_atomic_read_u32(&shared_pool->head);
  if (head != 0) SetLatch(&ProcGlobal->allProcs[head - 1].procLatch);
}

}  // namespace query_shaper
