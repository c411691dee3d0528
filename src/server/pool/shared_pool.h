// The cluster's pool of memory, parallel workers and I/O depth, in shared memory: what statements reserve, grow, shrink
// and give back.
//
// A reservation counts all the memory that its statement is expected to use, with what the server's own settings would
// let it use anyway (the floor, PoolClaim::least_kb). The last part of the capacity is kept for floors: what goes
// beyond them comes out of the rest. Where even the floor is not free the statement runs with the server's own
// settings, as it would without the pool: a reservation says what may be used beyond them, and keeps nothing from
// running.
//
// Accounts and holdings change by compare-and-swap alone (core/pool): no lock, no wait, also in signal handlers. A
// reservation ends with its statement, at the latest with its transaction and with its process; after kill -9 shared
// memory begins anew. `lock` is of the line of those who wait (waiting_turn.h) and of nothing else.
#pragma once
#include "core/pool/pool_account.h"
#include "core/pool/slice.h"
#include "core/pool/waiting_line.h"
#include "pg/pg.h"
extern "C" {
#include "port/atomics.h"
}

namespace query_shaper {

constexpr int kReservationsPerProcess = 8;  // statements tracked at once in one process
constexpr int kNoReservation = -1;

enum class PoolSource : uint8_t { kQuery = 0, kIntake = 1, kJob = 2 };
const char* PoolSourceName(PoolSource source);

struct PoolClaim {
  int64 want_kb;   // all in all
  int64 least_kb;  // of it what the server's own settings let it use
  int workers;
  int io_depth;
  double priority;
  double confidence;  // 0..1 that want_kb is enough; below 0: unknown
  PoolSource source;
  int64 query_id;
};

struct PoolGrant {
  int64 memory_kb;
  int workers;
  int io_depth;
};

// Never waits; gives what is free, at most half of the capacity. kNoReservation when the process has no place left for
// one (counted) or there is no pool. Not for signal context.
int PoolReserve(const PoolClaim& claim, PoolGrant* grant);

// All safe in signal context, and without effect on a reservation that has ended. Return what was really added or taken
// off.
int64 PoolGrow(int reservation, int64 more_kb);
int64 PoolShrink(int reservation, int64 less_kb);
int PoolTakeWorkers(int reservation, int more);
int PoolGiveWorkers(int reservation, int less);
int PoolTakeRequests(int reservation, int more);
void PoolRelease(int reservation);

int64 PoolHeldKb(int reservation);  // 0 when it has ended
int PoolHeldWorkers(int reservation);
// Requests for blocks that all reservations of this process hold, and the newest of these.
int64 PoolHeldRequests(int* newest);
bool PoolHoldsOther(int reservation);  // whether this process has reservations beside this one

// What a claim would be given beyond its floor now.
int64 PoolFreeKb();
int PoolFreeWorkers();
int64 PoolClaimMostKb();  // the most that one claim is given of memory

// What follows is of the pool itself and of its views.

struct PoolReservation {
  uint64_t held[kPoolResources];  // core/pool/holding; memory's says whether the rest means anything
  int64 wanted[kPoolResources];
  int32 pid;
  Oid database, user;
  PoolSource source;
  SliceKind slice;
  int64 query_id;
  double priority, confidence;
  TimestampTz since;
  pg_time_t session_start;
};

struct SharedPool {
  LWLock* lock;
  PoolAccount accounts[kPoolResources];
  pg_atomic_uint64 checked_at;  // TimestampTz of the last look at the limits
  pg_atomic_uint64 unused_kb;   // not even page cache: what temporary files can take without pushing anything out
  pg_atomic_uint64 spare_kb;    // memory that there really was then, less wishes granted since
  pg_atomic_uint64
      cache_kb;              // for one more statement beside those that had reservations then (core/pool: CacheShareKb)
  pg_atomic_uint32 waiting;  // how many wait for memory
  pg_atomic_uint32 head;     // pgprocno + 1 of the first of them, 0: nobody
  int64 set_memory_kb;       // memory_pool, below 0: auto; this and the next two as the launcher read them last
  int set_workers;
  int set_io;
  int processes;  // places in the line; kReservationsPerProcess reservations each
  // Arrays behind this struct.
};

// Null when the library was not preloaded.
extern SharedPool* shared_pool;

void InstallSharedPool();

PoolReservation* ReservationAt(int index);  // processes * kReservationsPerProcess of them
Waiter* WaiterAt(int index);                // processes of them; under the lock

// A consistent copy of an open reservation with what it holds; false when there is none in this place.
bool ReadReservation(int index, PoolReservation* copy, int64* held);

// By the server's settings, for the postmaster and the launcher: no session's own values get there.
void PublishPoolSettings();

// Tells the first in line that something may be free. Signal context.
void WakeHeadOfLine();

}  // namespace query_shaper
