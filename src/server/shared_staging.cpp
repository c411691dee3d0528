#include "pg/pg.h"

#include "core/base/hash.h"
#include "server/settings.h"
#include "server/shared_staging.h"

#include <csignal>

extern "C" {
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace query_shaper {

SharedStaging* shared_staging = nullptr;

namespace {

constexpr int kNeverCameMs = 10000;
constexpr int kEndMs = 2000;
constexpr int kPollMs = 10;
constexpr uint64_t kShareOfBuffers = 8;

int CountStagers(Oid database) {
  int count = 0;
  for (const StagerSlot& slot : shared_staging->stagers) count += slot.database == database;
  return count;
}

bool SignalStagers(Oid database, bool forget) {
  bool any = false;
  LWLockAcquire(shared_staging->lock, LW_EXCLUSIVE);
  for (StagerSlot& slot : shared_staging->stagers) {
    if (slot.database != database) continue;
    if (slot.pid == 0) {
      slot.database = InvalidOid;
      ++slot.claim;
      continue;
    }
    any = true;
    if (forget) kill(slot.pid, SIGTERM);
  }
  for (int i = 0; forget && i < kStagedExtents; ++i)
    if (shared_staging->files[i].file.dbNode == database) shared_staging->window.extents[i] = StagedExtent{};
  LWLockRelease(shared_staging->lock);
  return any;
}

}  // namespace

uint64_t StagedName(const RelFileNode& file) {
  return CombineHash(CombineHash(file.spcNode, file.dbNode), file.relNode);
}

uint64_t StagedBlocksMost() { return static_cast<uint64_t>(NBuffers) / kShareOfBuffers; }

int ClaimStager(Oid database, int wanted) {
  const TimestampTz now = GetCurrentTimestamp();
  int place = -1, used = 0;
  for (int i = 0; i < kStagersMost; ++i) {
    StagerSlot* const slot = &shared_staging->stagers[i];
    if (OidIsValid(slot->database) && slot->pid == 0 && TimestampDifferenceExceeds(slot->claimed, now, kNeverCameMs)) {
      slot->database = InvalidOid;
      ++slot->claim;
    }
    if (OidIsValid(slot->database))
      ++used;
    else
      place = i;
  }
  if (place < 0 || used >= settings::prefetch_stagers || CountStagers(database) >= wanted) return -1;
  StagerSlot* const slot = &shared_staging->stagers[place];
  *slot = {database, slot->claim + 1, 0, -1, now};
  return place;
}

void WakeStagers(Oid database) {
  for (const StagerSlot& slot : shared_staging->stagers)
    if (slot.database == database && slot.pid != 0) SetLatch(&ProcGlobal->allProcs[slot.procno].procLatch);
}

void EndStagersOf(Oid database) {
  if (shared_staging == nullptr) return;
  const TimestampTz started = GetCurrentTimestamp();
  bool any = SignalStagers(database, true);
  while (any && !TimestampDifferenceExceeds(started, GetCurrentTimestamp(), kEndMs)) {
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kPollMs, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    any = SignalStagers(database, false);
  }
}

Size SharedStagingSize() { return MAXALIGN(sizeof(SharedStaging)); }

void AttachSharedStaging(LWLock* lock) {
  bool found = false;
  shared_staging = static_cast<SharedStaging*>(ShmemInitStruct("query_shaper staging", sizeof(SharedStaging), &found));
  if (found) return;
  memset(static_cast<void*>(shared_staging), 0, sizeof *shared_staging);
  shared_staging->lock = lock;
}

}  // namespace query_shaper
