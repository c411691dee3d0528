// What is staged ahead into shared buffers, and the stagers that do it, in shared memory.
//
// Sessions want extents; a stager of their database takes the likeliest, reads it and says so. Nobody waits for a
// stager: a scan that comes first reads for itself. An extent names the file that held the relation when it was wanted;
// a stager reads it only while it holds a lock on the relation and the relation still has that file.
#pragma once
#include "core/prefetch/staging_window.h"
#include "pg/pg.h"
extern "C" {
#include "storage/lwlock.h"
#include "storage/relfilenode.h"
}

namespace query_shaper {

constexpr int kStagersMost = 8;

// Beside the extent of the same number in the window.
struct StagedFile {
  RelFileNode file;
  Oid relation;
  Oid user;  // who wanted it
  int32_t pid;
  int32_t stager;  // that reads it now
  TimestampTz predicted_at;
};

// Free when `database` is not valid. Claimed by a session, entered by the worker that it starts.
struct StagerSlot {
  Oid database;
  uint32_t claim;  // number of the claim: a worker that comes later than its slot was given up does not enter
  int32_t pid;     // 0: on its way
  int32_t procno;
  TimestampTz claimed;
};

struct SharedStaging {
  LWLock* lock;  // of all that follows; no other is taken under it
  StagingWindow window;
  StagedFile files[kStagedExtents];
  StagerSlot stagers[kStagersMost];
};

// Null when the library was not preloaded.
extern SharedStaging* shared_staging;

// The window's name for the file.
uint64_t StagedName(const RelFileNode& file);

// How many blocks may be staged at once: an eighth of shared buffers.
uint64_t StagedBlocksMost();

// Under the lock, exclusive. The number of a slot claimed for a stager of the database that is to be started; below 0
// when none is called for: as many run there or are on their way as wanted, or prefetch_stagers says no more.
int ClaimStager(Oid database, int wanted);
// Wakes those that run there.
void WakeStagers(Oid database);

// Forgets what is wanted in the database, ends its stagers and waits a little for them to be gone. Takes the lock.
void EndStagersOf(Oid database);

// Called by shared_state.cpp from the hooks for request and startup of shared memory.
Size SharedStagingSize();
void AttachSharedStaging(LWLock* lock);

}  // namespace query_shaper
