// The worker that reads wanted extents into shared buffers while their session's client thinks.
//
// It is never in anybody's way: relations are locked in the weakest mode, only if that is possible at once, and for a
// few blocks at a time; it ends some seconds after the last extent, or when its database is wanted by DROP DATABASE and
// the like; what it can't read is left to who needs it. Of a relation that was dropped, truncated or rewritten since,
// nothing is read: under the lock its file and size are compared with what was wanted.
#include "pg/pg.h"

#include "pg/fault_point.h"
#include "server/settings.h"
#include "server/shared_staging.h"
#include "server/shared_state.h"

#include <csignal>

extern "C" {
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/bufmgr.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/rel.h"

PGDLLEXPORT void query_shaper_stager_main(Datum argument);
}

namespace query_shaper {

namespace {

constexpr int kIdleMs = 5000;
// Where a core is shared, a stager would run before the statement that has woken it has answered its client.
constexpr long kAnswerFirstUs = 1000;
constexpr uint32_t kLockedBlocks = 64;

int my_slot = -1;

struct Task {
  int place;
  Extent extent;
  StagedFile staged;
};

// Also when it is ended in the middle: what it was reading failed.
void LeaveStager(int, Datum) {
  LWLockAcquire(shared_staging->lock, LW_EXCLUSIVE);
  for (int i = 0; i < kStagedExtents; ++i) {
    StagedExtent* const entry = &shared_staging->window.extents[i];
    if (entry->state != StageState::kReading || shared_staging->files[i].stager != my_slot) continue;
    entry->state = StageState::kFailed;
    Count(kMetricStagingFailed);
  }
  StagerSlot* const slot = &shared_staging->stagers[my_slot];
  slot->database = InvalidOid;
  slot->pid = 0;
  ++slot->claim;
  LWLockRelease(shared_staging->lock);
}

bool Enter(int index, uint32_t claim) {
  LWLockAcquire(shared_staging->lock, LW_EXCLUSIVE);
  StagerSlot* const slot = &shared_staging->stagers[index];
  const bool mine = OidIsValid(slot->database) && slot->claim == claim && slot->pid == 0;
  if (mine) {
    slot->pid = MyProcPid;
    slot->procno = MyProc->pgprocno;
    my_slot = index;
  }
  LWLockRelease(shared_staging->lock);
  return mine;
}

bool TakeTask(Task* task) {
  LWLockAcquire(shared_staging->lock, LW_EXCLUSIVE);
  task->place =
      NextWanted(shared_staging->window, [](int i) { return shared_staging->files[i].file.dbNode == MyDatabaseId; });
  if (task->place >= 0) {
    StagedExtent* const entry = &shared_staging->window.extents[task->place];
    entry->state = StageState::kReading;
    shared_staging->files[task->place].stager = my_slot;
    task->extent = entry->extent;
    task->staged = shared_staging->files[task->place];
  }
  LWLockRelease(shared_staging->lock);
  return task->place >= 0;
}

enum class Fate { kMore, kDone, kGone };

void Settle(const Task& task, Fate fate, bool failed) {
  LWLockAcquire(shared_staging->lock, LW_EXCLUSIVE);
  StagedExtent* const entry = &shared_staging->window.extents[task.place];
  // Its database may have been given up meanwhile, and the place to another.
  if (entry->state == StageState::kReading && shared_staging->files[task.place].stager == my_slot) {
    if (failed)
      entry->state = StageState::kFailed;
    else if (fate == Fate::kDone)
      entry->state = StageState::kStaged;
    else
      *entry = StagedExtent{};
  }
  LWLockRelease(shared_staging->lock);
  if (failed) Count(kMetricStagingFailed);
}

bool SameFile(Relation relation, const StagedFile& staged) {
  return RELKIND_HAS_STORAGE(relation->rd_rel->relkind) && RelFileNodeEquals(relation->rd_node, staged.file) &&
         relation->rd_rel->relpersistence != RELPERSISTENCE_TEMP;
}

// In a transaction, which gives the lock back. *next: the block to go on with.
Fate ReadSome(const Task& task, BlockNumber* next) {
  if (!ConditionalLockRelationOid(task.staged.relation, AccessShareLock)) return Fate::kGone;
  Relation const relation = try_relation_open(task.staged.relation, NoLock);
  if (relation == nullptr) return Fate::kGone;
  Fate fate = Fate::kGone;
  if (SameFile(relation, task.staged)) {
    pg::FaultPoint("stager");
    const BlockNumber extent_end = task.extent.first + task.extent.blocks;
    const BlockNumber end = Min(extent_end, RelationGetNumberOfBlocks(relation));
    const BlockNumber stop = Min(end, *next + kLockedBlocks);
    for (BlockNumber block = *next; block < stop; ++block) PrefetchBuffer(relation, MAIN_FORKNUM, block);
    for (BlockNumber block = *next; block < stop; ++block) {
      CHECK_FOR_INTERRUPTS();
      ReleaseBuffer(ReadBuffer(relation, block));
    }
    if (stop > *next) Count(kMetricStagedBlocks, stop - *next);
    *next = Max(stop, *next);
    fate = *next >= end ? Fate::kDone : Fate::kMore;
  }
  relation_close(relation, NoLock);
  return fate;
}

void Stage(const Task& task) {
  MemoryContext const caller = CurrentMemoryContext;
  volatile Fate fate = Fate::kMore;
  volatile bool failed = false;
  BlockNumber next = task.extent.first;
  PG_TRY();
  {
    while (fate == Fate::kMore) {
      StartTransactionCommand();
      fate = ReadSome(task, &next);
      CommitTransactionCommand();
    }
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(caller);
    ErrorData* const error = CopyErrorData();
    FlushErrorState();
    AbortCurrentTransaction();
    ereport(DEBUG1, (errmsg_internal("extent not staged: %s", error->message)));
    FreeErrorData(error);
    failed = true;
  }
  PG_END_TRY();
  MemoryContextSwitchTo(caller);
  Settle(task, fate, failed);
}

void Run(int index, uint32_t claim) {
  pqsignal(SIGTERM, die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
  if (!Enter(index, claim)) proc_exit(0);
  // Registered before connecting, so that the database is left before the stager counts as gone.
  on_shmem_exit(LeaveStager, 0);
  BackgroundWorkerInitializeConnectionByOid(shared_staging->stagers[index].database, InvalidOid,
                                            BGWORKER_BYPASS_ALLOWCONN);
  pgstat_report_activity(STATE_RUNNING, "query_shaper: staging");
  MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "query_shaper stager", ALLOCSET_DEFAULT_SIZES));
  TimestampTz busy = GetCurrentTimestamp();
  Task task;
  while (settings::prefetch_stagers > 0 && !TimestampDifferenceExceeds(busy, GetCurrentTimestamp(), kIdleMs)) {
    while (TakeTask(&task)) {
      Stage(task);
      busy = GetCurrentTimestamp();
    }
    int woken = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kIdleMs, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    if ((woken & WL_LATCH_SET) != 0) pg_usleep(kAnswerFirstUs);
    CHECK_FOR_INTERRUPTS();
    if (!ConfigReloadPending) continue;
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
  }
  proc_exit(0);
}

}  // namespace

}  // namespace query_shaper

void query_shaper_stager_main(Datum argument) {
  uint32 claim;
  memcpy(&claim, MyBgworkerEntry->bgw_extra, sizeof claim);
  query_shaper::Run(DatumGetInt32(argument), claim);
}
