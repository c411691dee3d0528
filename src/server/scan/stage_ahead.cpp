#include "pg/pg.h"

#include "server/scan/stage_ahead.h"

#include <algorithm>

#include "core/prefetch/statement_sequence.h"
#include "server/scan/block_requests.h"
#include "server/settings.h"
#include "server/shared_staging.h"
#include "server/shared_state.h"
#include "server/store/knowledge.h"
#include "server/store/learned_rows.h"
extern "C" {
#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "executor/executor.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "tcop/pquery.h"
#include "utils/portal.h"
#include "utils/rel.h"
}

namespace query_shaper {
namespace {

constexpr int kReadsMost = 4;     // relations of one statement
constexpr int kReachesMost = 64;  // of one session
constexpr int kExtentsAtOnce = 128;
constexpr int kExtentsPerStager = 32;
constexpr int64_t kStagedWorthAnEvent = 100;  // blocks
constexpr float kNextLeast = 0.5F;
constexpr float kWantedLeast = 0.4F;

// What the statement that runs has read of one relation so far.
struct Read {
  Oid relation;
  RelFileNode file;
  Pattern pattern;
  uint32_t extent_blocks;
  int32_t count;
  uint32_t blocks[kReachBlocks];
};

struct Reach {
  uint64_t query_id;
  Oid relation;
  RelFileNode file;
  Pattern pattern;
  uint32_t extent_blocks;
  uint64_t used;  // number of the statement
  StatementReach reach;
};

struct Session {
  StatementSequence sequence;
  SessionPlace place;
  uint64_t statements;
  TimestampTz reading_since;  // of the statement that `reads` belong to
  int32_t read_count;
  Read* reads[kReadsMost];  // null until first needed
  int32_t reach_count;
  Reach* reaches[kReachesMost];
  ExpectedBlock expected[kReachBlocks];
  Extent extents[kExtentsAtOnce];
};

ExecutorEnd_hook_type next_end;
Session* session;
MemoryContext session_memory;

bool Staging() {
  return unlikely(settings::prefetch_stagers > 0) && shared_staging != nullptr && Does(settings::prefetch) &&
         MyBackendType == B_BACKEND && !IsParallelWorker();
}

void NeedSession() {
  if (session != nullptr) return;
  if (session_memory == nullptr)
    session_memory = AllocSetContextCreate(TopMemoryContext, "query_shaper staging", ALLOCSET_DEFAULT_SIZES);
  auto* made = static_cast<Session*>(MemoryContextAllocZero(session_memory, sizeof(Session)));
  StartSequence(&made->sequence);
  session = made;
}

// Of statements that failed nothing is left over for the next.
Read* ReadOf(Oid relation, const RelFileNode& file) {
  TimestampTz now = GetCurrentStatementStartTimestamp();
  if (session->reading_since != now) session->read_count = 0;
  session->reading_since = now;
  for (int i = 0; i < session->read_count; ++i)
    if (session->reads[i]->relation == relation) return session->reads[i];
  if (session->read_count == kReadsMost) return nullptr;
  Read** place = &session->reads[session->read_count];
  if (*place == nullptr) *place = static_cast<Read*>(MemoryContextAlloc(session_memory, sizeof(Read)));
  ++session->read_count;
  (*place)->relation = relation;
  (*place)->file = file;
  (*place)->count = 0;
  return *place;
}

// Finds or makes; the one unused for longest makes room. A relation with another file is another relation.
Reach* ReachOf(uint64_t query_id, const Read& read) {
  Reach* found = nullptr;
  Reach* oldest = nullptr;
  for (int i = 0; i < session->reach_count && found == nullptr; ++i) {
    Reach* reach = session->reaches[i];
    if (reach->query_id == query_id && reach->relation == read.relation) found = reach;
    if (oldest == nullptr || reach->used < oldest->used) oldest = reach;
  }
  bool fresh = found == nullptr || !RelFileNodeEquals(found->file, read.file);
  if (found == nullptr && session->reach_count < kReachesMost) {
    found = static_cast<Reach*>(MemoryContextAlloc(session_memory, sizeof(Reach)));
    session->reaches[session->reach_count++] = found;
  }
  if (found == nullptr) found = oldest;
  if (fresh) StartReach(&found->reach);
  found->query_id = query_id;
  found->relation = read.relation;
  found->file = read.file;
  found->pattern = read.pattern;
  found->extent_blocks = read.extent_blocks;
  found->used = session->statements;
  return found;
}

// What became of what was staged for one relation, in blocks.
struct Staged {
  int64_t hits, late;
  bool failed;  // some of it
};

Staged SettleStaged(const Read& read) {
  uint64_t name = StagedName(read.file);
  Staged staged = {};
  LWLockAcquire(shared_staging->lock, LW_EXCLUSIVE);
  staged.hits = NoteHits(&shared_staging->window, name, read.blocks, read.count);
  staged.late = LateBlocks(shared_staging->window, name, read.blocks, read.count,
                           [](int i) { return shared_staging->files[i].pid == MyProcPid; });
  for (int i = 0; i < kStagedExtents; ++i) {
    StagedExtent* entry = &shared_staging->window.extents[i];
    if (entry->state != StageState::kFailed || entry->relation != name || shared_staging->files[i].pid != MyProcPid)
      continue;
    *entry = StagedExtent{};
    staged.failed = true;
  }
  LWLockRelease(shared_staging->lock);
  if (staged.hits > 0) Count(kMetricStagedHits, static_cast<uint64_t>(staged.hits));
  if (staged.late > 0) Count(kMetricStagedLate, static_cast<uint64_t>(staged.late));
  return staged;
}

void TellStaged(uint64_t query_id, const Read& read, const Staged& staged) {
  if (!staged.failed && staged.hits + staged.late < kStagedWorthAnEvent) return;
  char details[120];
  snprintf(details, sizeof details,
           "{\"relation\": %u, \"read\": %d, \"staged\": " INT64_FORMAT ", \"late\": " INT64_FORMAT "}", read.relation,
           read.count, static_cast<int64>(staged.hits), static_cast<int64>(staged.late));
  bool useful = !staged.failed && staged.hits >= staged.late;
  RecordEvent("prefetch", useful ? "done" : "failed", static_cast<int64_t>(query_id), -1,
              staged.failed ? "blocks could not be staged ahead of the statement"
              : useful      ? "blocks had been staged ahead of the statement"
                            : "the statement came before its blocks were staged",
              details);
}

void Learn(uint64_t query_id, const Read& read) {
  Reach* reach = ReachOf(query_id, read);
  Staged staged = SettleStaged(read);
  if (staged.failed)
    PenaliseReach(&reach->reach, 0);
  else if (staged.late > 0)
    PenaliseReach(&reach->reach, static_cast<float>(staged.hits) / static_cast<float>(staged.hits + staged.late));
  NoteRun(&reach->reach, read.blocks, read.count);
  TellStaged(query_id, read, staged);
}

void LearnReads(uint64_t query_id) {
  if (session->reading_since != GetCurrentStatementStartTimestamp()) session->read_count = 0;
  for (int i = 0; i < session->read_count; ++i) {
    Read* read = session->reads[i];
    std::sort(read->blocks, read->blocks + read->count);
    read->count = static_cast<int32_t>(std::unique(read->blocks, read->blocks + read->count) - read->blocks);
    Learn(query_id, *read);
  }
  session->read_count = 0;
}

bool AllCached(const RelFileNode& file, const Extent& extent) {
  for (uint32_t i = 0; i < extent.blocks; ++i)
    if (!FileBlockInSharedBuffers(file, extent.first + i)) return false;
  return true;
}

// How many of the extents are wanted now.
int Want(const Reach& reach, int count) {
  uint64_t name = StagedName(reach.file);
  TimestampTz now = GetCurrentTimestamp();
  int wanted = 0;
  for (int i = 0; i < count; ++i) {
    const Extent& extent = session->extents[i];
    if (extent.likelihood < kWantedLeast || AllCached(reach.file, extent)) continue;
    LWLockAcquire(shared_staging->lock, LW_EXCLUSIVE);
    int place = WantExtent(&shared_staging->window, name, extent, EpochSeconds(now), StagedBlocksMost(), nullptr);
    bool full = place < 0;
    if (!full) {
      StagedFile* staged = &shared_staging->files[place];
      int stager = staged->stager;
      *staged = {reach.file, reach.relation, GetUserId(), MyProcPid, stager, now};
      ++wanted;
    }
    LWLockRelease(shared_staging->lock);
    // The others are less likely still.
    if (full) break;
  }
  return wanted;
}

bool StartStager(int index, uint32_t claim) {
  BackgroundWorker worker;
  memset(&worker, 0, sizeof worker);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  worker.bgw_main_arg = Int32GetDatum(index);
  memcpy(worker.bgw_extra, &claim, sizeof claim);
  strlcpy(worker.bgw_library_name, "query_shaper", sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, "query_shaper_stager_main", sizeof worker.bgw_function_name);
  strlcpy(worker.bgw_type, "query_shaper stager", sizeof worker.bgw_type);
  strlcpy(worker.bgw_name, "query_shaper stager", sizeof worker.bgw_name);
  return RegisterDynamicBackgroundWorker(&worker, nullptr);
}

void CallStagers(int wanted) {
  LWLockAcquire(shared_staging->lock, LW_EXCLUSIVE);
  ExpireExtents(&shared_staging->window, EpochSeconds(GetCurrentTimestamp()));
  WakeStagers(MyDatabaseId);
  int index = ClaimStager(MyDatabaseId, 1 + wanted / kExtentsPerStager);
  uint32_t claim = index >= 0 ? shared_staging->stagers[index].claim : 0;
  LWLockRelease(shared_staging->lock);
  if (index < 0) return;
  if (StartStager(index, claim)) {
    Count(kMetricStagerStarts);
    return;
  }
  LWLockAcquire(shared_staging->lock, LW_EXCLUSIVE);
  StagerSlot* slot = &shared_staging->stagers[index];
  if (slot->claim == claim && slot->pid == 0) slot->database = InvalidOid;
  LWLockRelease(shared_staging->lock);
}

// What was staged for the statement that has ended is wanted no more, but by the next that reads the same.
void FadeMine() {
  LWLockAcquire(shared_staging->lock, LW_EXCLUSIVE);
  FadeExtents(&shared_staging->window, [](int i) { return shared_staging->files[i].pid == MyProcPid; });
  LWLockRelease(shared_staging->lock);
}

void StageNext() {
  FadeMine();
  NextStatement next = PredictStatement(session->sequence, session->place);
  if (next.fingerprint == 0 || next.probability < kNextLeast || RecoveryInProgress()) return;
  int wanted = 0;
  for (int i = 0; i < session->reach_count; ++i) {
    const Reach& reach = *session->reaches[i];
    if (reach.query_id != next.fingerprint) continue;
    int expected = PredictRun(reach.reach, session->expected);
    for (int k = 0; k < expected; ++k) session->expected[k].likelihood *= next.probability;
    // One extent is a part of what may be staged, not all of it.
    uint32_t most = Min(reach.extent_blocks, static_cast<uint32_t>(StagedBlocksMost() / 8));
    wanted += Want(reach, CutExtents(session->expected, expected, reach.pattern, most, kNoBlockYet, session->extents,
                                     kExtentsAtOnce));
  }
  if (wanted > 0) CallStagers(wanted);
}

// Statements that the client sent: no portal is active any more when their executor ends.
EVERY_STATEMENT void EndHook(QueryDesc* query) {
  bool top = Staging() && query->operation == CMD_SELECT && ActivePortal == nullptr && !proc_exit_inprogress &&
             query->plannedstmt->queryId != 0;
  uint64_t query_id = query->plannedstmt->queryId;
  next_end(query);
  if (likely(!top)) return;
  NeedSession();
  ++session->statements;
  LearnReads(query_id);
  NoteStatement(&session->sequence, &session->place, query_id);
  StageNext();
}

}  // namespace

void BeginReach(PrefetchScanState* state) {
  // The leader of a parallel scan sees a part of it.
  if (!state->asking || !Staging() || state->child->plan->parallel_aware) return;
  NeedSession();
  state->reach =
      static_cast<ReachTrace*>(MemoryContextAlloc(state->scan.ss.ps.state->es_query_cxt, sizeof(ReachTrace)));
  state->reach->count = 0;
  state->reach->last = kNoBlockYet;
}

void EndReach(const PrefetchScanState* state) {
  if (state->reach == nullptr || state->reach->count == 0 || session == nullptr) return;
  Read* read = ReadOf(RelationGetRelid(state->heap), state->heap->rd_node);
  if (read == nullptr) return;
  read->pattern = state->advice.pattern != Pattern::kUnknown ? state->advice.pattern : JudgedPattern(state->window);
  read->extent_blocks = state->advice.extent_blocks;
  int room = Min(kReachBlocks - read->count, state->reach->count);
  std::copy(state->reach->blocks, state->reach->blocks + room, read->blocks + read->count);
  read->count += room;
}

StagedFigures StagedOf(const PrefetchScanState* state) {
  StagedFigures figures = {};
  const ReachTrace* reach = state->reach;
  if (reach == nullptr || reach->count == 0 || shared_staging == nullptr) return figures;
  auto* blocks = static_cast<uint32_t*>(palloc(sizeof(uint32_t) * static_cast<size_t>(reach->count)));
  std::copy(reach->blocks, reach->blocks + reach->count, blocks);
  std::sort(blocks, blocks + reach->count);
  auto count = static_cast<int>(std::unique(blocks, blocks + reach->count) - blocks);
  uint64_t name = StagedName(state->heap->rd_node);
  LWLockAcquire(shared_staging->lock, LW_SHARED);
  figures.staged = HitsOf(shared_staging->window, name, blocks, count);
  figures.late = LateBlocks(shared_staging->window, name, blocks, count,
                            [](int i) { return shared_staging->files[i].pid == MyProcPid; });
  LWLockRelease(shared_staging->lock);
  pfree(blocks);
  return figures;
}

void InstallStageAhead() {
  next_end = ExecutorEnd_hook != nullptr ? ExecutorEnd_hook : standard_ExecutorEnd;
  ExecutorEnd_hook = EndHook;
}

}  // namespace query_shaper
