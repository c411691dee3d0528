#include "pg/pg.h"

#include "server/pool/shared_pool.h"
#include "server/pool/waiting_turn.h"

extern "C" {
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
}

namespace query_shaper {
namespace {

bool in_line = false;

// Under the lock.
void NameHead() {
  const int head = HeadOfLine(WaiterAt(0), shared_pool->processes);
  const auto name = static_cast<uint32>(head + 1);
  if (pg_atomic_exchange_u32(&shared_pool->head, name) != name) WakeHeadOfLine();
}

bool OthersWaitForLocksOf(PGPROC* holder) {
  bool found = false;
  for (int i = 0; i < NUM_LOCK_PARTITIONS && !found; ++i) {
    SHM_QUEUE* const held_locks = &holder->myProcLocks[i];
    // Only the holder adds to its own list, but for locks taken by the fast path that somebody who waits puts there:
    // those are seen at the next look.
    if (SHMQueueEmpty(held_locks)) continue;
    LWLock* const partition = LockHashPartitionLockByIndex(i);
    LWLockAcquire(partition, LW_SHARED);
    constexpr Size kLink = offsetof(PROCLOCK, procLink);
    for (auto* held = reinterpret_cast<PROCLOCK*>(SHMQueueNext(held_locks, held_locks, kLink)); held != nullptr;
         held = reinterpret_cast<PROCLOCK*>(SHMQueueNext(held_locks, &held->procLink, kLink)))
      found = found || (held->holdMask != 0 && held->tag.myLock->waitProcs.size > 0);
    LWLockRelease(partition);
  }
  return found;
}

}  // namespace

void JoinLine(double priority, int64 want_kb) {
  LWLockAcquire(shared_pool->lock, LW_EXCLUSIVE);
  *WaiterAt(MyProc->pgprocno) = {priority, static_cast<double>(GetCurrentTimestamp()) / 1e6, want_kb, MyProc->pgprocno};
  in_line = true;
  pg_atomic_fetch_add_u32(&shared_pool->waiting, 1);
  NameHead();
  LWLockRelease(shared_pool->lock);
}

bool FirstInLine() { return pg_atomic_read_u32(&shared_pool->head) == static_cast<uint32>(MyProc->pgprocno) + 1; }

void LeaveLine() {
  if (!in_line) return;
  in_line = false;
  LWLockAcquire(shared_pool->lock, LW_EXCLUSIVE);
  WaiterAt(MyProc->pgprocno)->owner = -1;
  pg_atomic_fetch_sub_u32(&shared_pool->waiting, 1);
  NameHead();
  LWLockRelease(shared_pool->lock);
}

int LineLength() { return shared_pool == nullptr ? 0 : static_cast<int>(pg_atomic_read_u32(&shared_pool->waiting)); }

bool OthersWaitForMyLocks() {
  PGPROC* const leader = MyProc->lockGroupLeader;
  return OthersWaitForLocksOf(MyProc) || (leader != nullptr && leader != MyProc && OthersWaitForLocksOf(leader));
}

}  // namespace query_shaper
