#include "pg/pg.h"

#include "server/query/tracker.h"

#include <ctime>

#include "server/pool/priority_watch.h"
#include "server/query/counting.h"
#include "server/query/carry_out.h"
#include "server/query/decide_tick.h"
#include "server/query/kept_work.h"
#include "server/query/memory_gates.h"
#include "server/query/outcome.h"
#include "server/query/plan_states.h"
#include "server/query/replan.h"
#include "server/query/shadow_launch.h"
#include "server/query/tick_record.h"
#include "server/settings.h"
#include "server/store/knowledge.h"
extern "C" {
#include "access/heapam.h"
#include "access/parallel.h"
#include "mb/pg_wchar.h"
#include "storage/proc.h"
#include "utils/queryjumble.h"
#include "utils/rel.h"
}

namespace query_shaper {

Frame* volatile innermost_frame = nullptr;
static Tracker trackers[kTrackers];
static int trackers_used = 0;

Wait CurrentWait();

static int64_t ReadClock(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * INT64CONST(1000000000) + now.tv_nsec;
}
int64_t NowNs() { return ReadClock(CLOCK_MONOTONIC); }
int64_t CpuNs() { return ReadClock(CLOCK_PROCESS_CPUTIME_ID); }

static Tracker* ClaimTracker(QueryDesc* query) {
  for (Tracker& tracker : trackers) {
    if (tracker.used) continue;
    uint32 generation = tracker.generation + 1;
    // The large arrays are filled by their own readers; what stands before them is what must start at zero.
    memset(static_cast<void*>(&tracker), 0, offsetof(Tracker, features));
    tracker.generation = generation;
    tracker.used = 1;
    tracker.query = query;
    tracker.slot_level = -1;
    tracker.reservation = kNoReservation;
    ++trackers_used;
    return &tracker;
  }
  return nullptr;
}

EVERY_STATEMENT Tracker* FindTracker(const QueryDesc* query) {
  if (trackers_used == 0) return nullptr;
  for (Tracker& tracker : trackers)
    if (tracker.used && tracker.query == query) return &tracker;
  return nullptr;
}

static bool NeedsWrapper(const PlanState* state, bool heap_scan) {
  switch (nodeTag(state)) {
    case T_SeqScanState:
      // Without a filter it returns rows so fast that counting them shows; its position in the heap tells as much.
      return !heap_scan || state->plan->parallel_aware || state->qual != nullptr;
    case T_HashState:
    case T_BitmapIndexScanState:
    case T_BitmapAndState:
    case T_BitmapOrState:
      return false;  // they hand over all they have at once, past ExecProcNode
    default:
      return true;
  }
}

static void AttachNode(PlanState* state, void* context) {
  auto* tracker = static_cast<Tracker*>(context);
  int id = state->plan->plan_node_id;
  if (id < 0 || id >= kNodeIds || tracker->by_id[id] < 0) return;
  TrackedNode* node = &tracker->nodes[tracker->by_id[id]];
  if (node->state != nullptr) return;
  node->state = state;
  if (IsA(state, SeqScanState)) {
    Relation relation = reinterpret_cast<SeqScanState*>(state)->ss.ss_currentRelation;
    node->heap_scan = relation != nullptr && relation->rd_tableam == GetHeapamTableAmRoutine();
  }
  if (!NeedsWrapper(state, node->heap_scan)) return;
  uint64_t limit = FirstRowLimit(tracker, static_cast<int>(node - tracker->nodes));
  node->wrapper = static_cast<short>(WrapNode(state, limit, tracker->changes.note != nullptr));
}

static short SubplanAbove(const PlanTree& plan, int node) {
  int top = node;
  while (top >= 0 && plan.nodes[top].role != ChildRole::kSubPlan) top = plan.nodes[top].parent;
  return static_cast<short>(top == node ? -1 : top);
}

static void AttachNodes(Tracker* tracker) {
  PrepareReplan(tracker);
  tracker->has_gather = false;
  memset(tracker->by_id, 0xFF, sizeof tracker->by_id);
  memset(static_cast<void*>(tracker->nodes), 0, sizeof(TrackedNode) * static_cast<size_t>(tracker->plan.count));
  for (int i = 0; i < tracker->plan.count; ++i) {
    const PlanNode& node = tracker->plan.nodes[i];
    tracker->nodes[i].wrapper = -1;
    tracker->nodes[i].subplan = SubplanAbove(tracker->plan, i);
    tracker->counters[i] = NodeCounters();
    if (node.node_id >= 0 && node.node_id < kNodeIds) tracker->by_id[node.node_id] = static_cast<short>(i);
    if (node.op == Operator::kGather || node.op == Operator::kGatherMerge) tracker->has_gather = true;
  }
  tracker->attached = true;
  VisitPlanStates(tracker->query->estate, tracker->query->planstate, AttachNode, tracker);
  ChooseSampled(tracker);
  if (tracker->has_gather && !tracker->worker) {
    for (int id = 0; id < kMaxPlanNodes; ++id) pg_atomic_write_u64(&MyBackendSlot()->worker_rows[id], 0);
    pg_atomic_write_u32(&MyBackendSlot()->worker_reports, 0);
    pg_atomic_write_u64(&MyBackendSlot()->worker_memory_kb, 0);
    pg_atomic_write_u64(&MyBackendSlot()->worker_cpu_us, 0);
  }
}

static void CountRunning(Tracker* tracker) {
  if (tracker->nest_level != 0) return;
  tracker->counted = true;
  pg_atomic_fetch_add_u32(&shared->running, 1);
}

Tracker* StartTracking(QueryDesc* query, int nest_level) {
  if (MyBackendSlot() == nullptr) return nullptr;
  Tracker* tracker = ClaimTracker(query);
  if (tracker == nullptr) {
    Count(kMetricTrackersExhausted);
    return nullptr;
  }
  tracker->nest_level = nest_level;
  TieToQueryMemory(tracker);
  static StatementFacts facts;
  MemoryContext caller = MemoryContextSwitchTo(query->estate->es_query_cxt);
  DescribeStatement(query->plannedstmt, query->sourceText, &tracker->plan, &facts);
  tracker->outcomes_wanted = settings::mode != kModeOff && OutcomesWanted();
  MemoryContextSwitchTo(caller);
  tracker->plan.to_client = nest_level == 0 && query->dest != nullptr &&
                            (query->dest->mydest == DestRemote || query->dest->mydest == DestRemoteExecute);
  tracker->predicted = true;
  tracker->fingerprint = facts.fingerprint;
  tracker->features = facts.features;
  tracker->estimate = tracker->shown = facts.estimate;
  tracker->next_revision_ms = settings::early_stage_time_ms;
  tracker->started = GetCurrentTimestamp();
  tracker->cpu_start_ns = CpuNs();
  AttachNodes(tracker);
  tracker->progress.Begin(tracker->plan, tracker->estimate, facts.has_pace ? &facts.pace : nullptr, &facts.band);
  ++MyBackendSlot()->tracked_statements;
  CountRunning(tracker);
  RecordStart(tracker);
  return tracker;
}

Tracker* StartTrackingWorker(QueryDesc* query) {
  PGPROC* leader = MyProc->lockGroupLeader;
  if (leader == nullptr || leader == MyProc || MyBackendSlot() == nullptr) return nullptr;
  bool leader_tracked = false;
  for (const StatementSlot& statement : BackendAt(leader->pgprocno)->statements_running)
    leader_tracked |= statement.state != StatementState::kFree;
  if (!leader_tracked) return nullptr;
  Tracker* tracker = ClaimTracker(query);
  if (tracker == nullptr) return nullptr;
  tracker->worker = true;
  TieToQueryMemory(tracker);
  MyBackendSlot()->leader_pid = leader->pid;
  ReadPlan(query->plannedstmt, ReadDepth::kMemoryOnly, &tracker->plan);
  tracker->estimate = tracker->shown = ColdEstimate(query->plannedstmt->planTree->total_cost, 0);
  tracker->started = GetCurrentTimestamp();
  tracker->cpu_start_ns = CpuNs();
  AttachNodes(tracker);
  tracker->progress.Begin(tracker->plan, tracker->estimate, nullptr, nullptr);
  return tracker;
}

Tracker* StartTrackingLate(QueryDesc* query, int nest_level, double running_ms) {
  if (query->planstate == nullptr || query->estate == nullptr) return nullptr;
  Tracker* tracker = ClaimTracker(query);
  if (tracker == nullptr) return nullptr;
  tracker->late = true;
  tracker->nest_level = nest_level;
  ReadPlan(query->plannedstmt, ReadDepth::kMemoryOnly, &tracker->plan);
  tracker->estimate = tracker->shown = ColdEstimate(query->plannedstmt->planTree->total_cost, running_ms * 2);
  tracker->next_revision_ms = 1e300;
  tracker->started = GetCurrentTimestamp() - static_cast<TimestampTz>(running_ms * 1000);
  tracker->cpu_start_ns = CpuNs() - static_cast<int64_t>(running_ms * 1e6);
  tracker->run_ns = static_cast<int64_t>(running_ms * 1e6);
  tracker->entered_ns = NowNs();
  tracker->buffers_start = pgBufferUsage;
  AttachNodes(tracker);
  tracker->progress.Begin(tracker->plan, tracker->estimate, nullptr, nullptr);
  ++MyBackendSlot()->tracked_statements;
  CountRunning(tracker);
  Count(kMetricLateTrackings);
  return tracker;
}

struct TrackerTie {
  MemoryContextCallback callback;
  Tracker* tracker;
  uint32 generation;
};

void TieToQueryMemory(Tracker* tracker) {
  auto* tie = static_cast<TrackerTie*>(MemoryContextAlloc(tracker->query->estate->es_query_cxt, sizeof(TrackerTie)));
  tie->tracker = tracker;
  tie->generation = tracker->generation;
  tie->callback.func = [](void* arg) {
    auto* ended = static_cast<TrackerTie*>(arg);
    if (ended->tracker->used && ended->tracker->generation == ended->generation) ReleaseTracker(ended->tracker);
  };
  tie->callback.arg = tie;
  MemoryContextRegisterResetCallback(tracker->query->estate->es_query_cxt, &tie->callback);
}

static StatementSlot* SlotOf(const Tracker* tracker) {
  return &MyBackendSlot()->statements_running[tracker->slot_level];
}

static void BeginWrite(StatementSlot* slot) {
  pg_atomic_write_u32(&slot->sequence, pg_atomic_read_u32(&slot->sequence) + 1);
  pg_write_barrier();
}
static void EndWrite(StatementSlot* slot) {
  pg_write_barrier();
  pg_atomic_write_u32(&slot->sequence, pg_atomic_read_u32(&slot->sequence) + 1);
}

static void PublishNodeStart(const Tracker* tracker, int i, NodeSlot* out) {
  const PlanNode& node = tracker->plan.nodes[i];
  const PlanState* state = tracker->nodes[i].state;
  *out = NodeSlot();
  out->node_id = node.node_id;
  out->parent_id = node.parent >= 0 ? tracker->plan.nodes[node.parent].node_id : -1;
  out->depth = node.depth;
  out->op = node.op;
  out->join = node.join;
  out->agg = node.agg;
  out->relation = state ? ScannedRelation(tracker->query->plannedstmt, state->plan) : InvalidOid;
  out->estimated_rows = out->refined_rows = static_cast<float>(node.rows);
  out->actual_rows = -1;
  out->position = -1;
  out->memory_limit_kb = static_cast<int64_t>(node.memory_limit_kb);
  out->temp_kb = -1;
}

static void CopyQueryText(const QueryDesc* query, char* out, int capacity) {
  out[0] = '\0';
  if (query->sourceText == nullptr) return;
  int location = query->plannedstmt->stmt_location;
  int length = query->plannedstmt->stmt_len;
  const char* text = CleanQuerytext(query->sourceText, &location, &length);
  if (length >= capacity) length = pg_mbcliplen(text, length, capacity - 1);
  memcpy(out, text, static_cast<size_t>(length));
  out[length] = '\0';
}

static void PublishStart(Tracker* tracker) {
  tracker->slot_level = tracker->worker ? 0 : Min(tracker->nest_level, kNestLevels - 1);
  StatementSlot* slot = SlotOf(tracker);
  BeginWrite(slot);
  slot->state = StatementState::kRunning;
  slot->late = tracker->late;
  slot->nest_level = tracker->nest_level;
  slot->database = MyDatabaseId;
  slot->user = GetUserId();
  slot->query_id = tracker->plan.query_id;
  slot->fingerprint = tracker->fingerprint;
  slot->started = tracker->started;
  slot->elapsed_ms = ElapsedMs(tracker);
  slot->progress = tracker->time_left.progress;
  Quantity ms = tracker->shown.targets[kTimeMs];
  ms.value += tracker->changes.swapped_ms;
  ms.low += tracker->changes.swapped_ms;
  ms.high += tracker->changes.swapped_ms;
  slot->eta_ms = Max(0, ms.value - slot->elapsed_ms);
  slot->eta_low_ms = Max(0, ms.low - slot->elapsed_ms);
  slot->eta_high_ms = Max(0, ms.high - slot->elapsed_ms);
  slot->predicted_ms = tracker->predicted ? ms.value : -1;
  slot->predicted_low_ms = ms.low;
  slot->predicted_high_ms = ms.high;
  slot->discrepancy = 0;
  slot->stalled = false;
  slot->memory_kb = slot->temp_kb = 0;
  slot->memory_granted_kb = 0;
  for (int i = 0; i < tracker->plan.count; ++i)
    slot->memory_granted_kb += static_cast<int64_t>(tracker->plan.nodes[i].memory_limit_kb);
  slot->workers = 0;
  slot->time_share = static_cast<float>(MyWay().share);
  slot->node_count = tracker->plan.count;
  CopyQueryText(tracker->query, slot->query, kQueryTextBytes);
  for (int i = 0; i < tracker->plan.count; ++i) PublishNodeStart(tracker, i, &slot->nodes[i]);
  EndWrite(slot);
  tracker->published = true;
}

static void Unpublish(Tracker* tracker) {
  if (!tracker->published) return;
  StatementSlot* slot = SlotOf(tracker);
  BeginWrite(slot);
  slot->state = StatementState::kFree;
  EndWrite(slot);
  tracker->published = false;
}

void PublishState(Tracker* tracker, StatementState state) {
  if (!tracker->published) return;
  StatementSlot* slot = SlotOf(tracker);
  BeginWrite(slot);
  slot->state = state;
  EndWrite(slot);
}

void PublishLimits(Tracker* tracker) {
  if (!tracker->published) return;
  StatementSlot* slot = SlotOf(tracker);
  BeginWrite(slot);
  slot->memory_granted_kb = 0;
  for (int i = 0; i < tracker->plan.count; ++i) {
    slot->nodes[i].memory_limit_kb = static_cast<int64_t>(tracker->plan.nodes[i].memory_limit_kb);
    slot->memory_granted_kb += slot->nodes[i].memory_limit_kb;
  }
  EndWrite(slot);
}

static int64_t TempBlocks(const BufferUsage& usage) { return usage.temp_blks_read + usage.temp_blks_written; }
static int64_t ReadBlocks(const BufferUsage& usage) {
  return usage.shared_blks_hit + usage.shared_blks_read + usage.local_blks_hit + usage.local_blks_read;
}

void DetachNodes(Tracker* tracker) {
  tracker->attached = false;
  ReleaseGates(tracker);
  for (int i = 0; i < tracker->plan.count; ++i) {
    ReleaseWrapper(tracker->nodes[i].wrapper);
    tracker->nodes[i] = TrackedNode{nullptr, -1, false, 0, nullptr, -1, 0, 0};
  }
}

void FollowNewPlan(Tracker* tracker, const PlanTree& plan, const StatementFacts& facts) {
  bool to_client = tracker->plan.to_client;
  EndDecisions(tracker);
  tracker->plan = plan;
  tracker->plan.to_client = to_client;
  tracker->fingerprint = facts.fingerprint;
  tracker->features = facts.features;
  tracker->estimate = tracker->shown = facts.estimate;
  tracker->predicted = true;
  tracker->revised = false;
  tracker->next_revision_ms = settings::early_stage_time_ms;
  // From here on it is known as well as a statement that was tracked from its start.
  if (tracker->late) {
    RememberSlow(tracker->query->plannedstmt);
    tracker->late = false;
    tracker->outcomes_wanted = OutcomesWanted();
  }
  tracker->time_left = TimeLeft();
  AttachNodes(tracker);
  KeepSortsReadable(tracker);
  tracker->progress.Begin(tracker->plan, tracker->estimate, facts.has_pace ? &facts.pace : nullptr, &facts.band);
  if (tracker->published) PublishStart(tracker);
}

double ElapsedMs(const Tracker* tracker) {
  int64_t ns = tracker->run_ns - tracker->paused_ns;
  if (tracker->entered_ns != 0) ns += NowNs() - tracker->entered_ns;
  return ns > 0 ? static_cast<double>(ns) / 1e6 : 0;
}

double PlanElapsedMs(const Tracker* tracker) { return ElapsedMs(tracker) - tracker->changes.swapped_ms; }

static void Revise(Tracker* tracker, double elapsed_ms) {
  double rows = 0;
  for (int i = 0; i < tracker->plan.count; ++i)
    if (tracker->counters[i].rows > 0) rows += tracker->counters[i].rows;
  bool due = elapsed_ms >= tracker->next_revision_ms || (!tracker->revised && rows >= settings::early_stage_rows);
  if (!due || tracker->late) return;
  tracker->revised = true;
  tracker->next_revision_ms = Max(elapsed_ms, tracker->next_revision_ms) * 2;
  const Progress& progress = tracker->progress;
  tracker->shown = Revise(tracker->estimate, progress.work_ratio(), progress.speed_ratio(), progress.work_share());
}

static void PublishTick(Tracker* tracker, double elapsed_ms, int64_t memory_kb, int64_t temp_kb, int workers) {
  StatementSlot* slot = SlotOf(tracker);
  const TimeLeft& left = tracker->time_left;
  BeginWrite(slot);
  slot->elapsed_ms = elapsed_ms;
  slot->progress = left.progress;
  slot->eta_ms = left.eta_ms;
  slot->eta_low_ms = left.low_ms;
  slot->eta_high_ms = left.high_ms;
  slot->discrepancy = left.discrepancy;
  slot->stalled = left.stalled;
  if (tracker->predicted) {
    double before_ms = tracker->changes.swapped_ms;
    slot->predicted_ms = before_ms + tracker->shown.targets[kTimeMs].value;
    slot->predicted_low_ms = before_ms + tracker->shown.targets[kTimeMs].low;
    slot->predicted_high_ms = before_ms + tracker->shown.targets[kTimeMs].high;
  }
  slot->memory_kb = memory_kb;
  slot->temp_kb = temp_kb;
  slot->workers = workers;
  slot->time_share = static_cast<float>(MyWay().share);
  for (int i = 0; i < tracker->plan.count; ++i) {
    const NodeCounters& counters = tracker->counters[i];
    NodeSlot* node = &slot->nodes[i];
    node->actual_rows = counters.rows;
    node->position = counters.total_units > 0 ? static_cast<float>(counters.done_units / counters.total_units) : -1;
    node->loops = counters.loops;
    node->memory_kb = static_cast<int64_t>(counters.memory_kb);
    node->batches = static_cast<int32_t>(counters.batches);
    node->refined_rows = tracker->progress.nodes()[i].refined_rows;
    node->progress = tracker->progress.nodes()[i].progress;
  }
  EndWrite(slot);
}

static double CpuMs(const Tracker* tracker) {
  return static_cast<double>(tracker->cpu_ns + CpuNs() - tracker->cpu_start_ns) / 1e6;
}

static Tick ReadTick(const Tracker* tracker) {
  Tick tick;
  tick.elapsed_ms = PlanElapsedMs(tracker);
  tick.cpu_ms = CpuMs(tracker);
  tick.temp_blocks = static_cast<double>(TempBlocks(tracker->buffers) + TempBlocks(pgBufferUsage) -
                                         TempBlocks(tracker->buffers_start));
  tick.read_blocks = static_cast<double>(ReadBlocks(tracker->buffers) + ReadBlocks(pgBufferUsage) -
                                         ReadBlocks(tracker->buffers_start));
  tick.rows_sent = static_cast<double>(tracker->rows_before + tracker->query->estate->es_processed);
  tick.wait = CurrentWait();
  return tick;
}

void TickTracker(Tracker* tracker) {
  if (tracker->sampled_count > 0) SampleCounts(tracker, CpuMs(tracker));
  int workers = ReadCounters(tracker);
  Tick tick = ReadTick(tracker);
  double memory_kb = 0;
  for (int i = 0; i < tracker->plan.count; ++i) memory_kb += tracker->counters[i].memory_kb;
  if (memory_kb > static_cast<double>(tracker->peak_memory_kb))
    tracker->peak_memory_kb = static_cast<int64_t>(memory_kb);
  if (!tracker->worker) {
    SpareCounting(tracker);
    if (AdoptShadow(tracker)) tracker->errands = tracker->errands | kErrandReplan;
    tracker->time_left = tracker->progress.Update(tracker->plan, tracker->counters, tick);
    RecordTick(tracker, tick);
    Revise(tracker, tick.elapsed_ms);
    if (PlanInDoubt(tracker, tick.elapsed_ms)) tracker->errands = tracker->errands | kErrandReplan;
    DecideInTick(tracker, tick, memory_kb);
  }
  double elapsed_ms = tick.elapsed_ms + tracker->changes.swapped_ms;
  if (tracker->changes.swaps > 0 && elapsed_ms > 0)
    tracker->time_left.progress = elapsed_ms / (elapsed_ms + tracker->time_left.eta_ms);
  if (!tracker->published) PublishStart(tracker);
  PublishTick(tracker, elapsed_ms, static_cast<int64_t>(memory_kb),
              static_cast<int64_t>(tick.temp_blocks) * (BLCKSZ / 1024), workers);
}

void EnterExecutor(Tracker* tracker) {
  bool first = tracker->run_ns == 0;
  tracker->buffers_start = pgBufferUsage;
  tracker->cpu_start_ns = CpuNs();
  // Later calls (FETCH after FETCH) are published by their first tick, if they live to see one.
  if (first) PublishStart(tracker);
  tracker->entered_ns = NowNs();
}

static void AddBuffers(BufferUsage* sum, const BufferUsage& now, const BufferUsage& then) {
  sum->shared_blks_hit += now.shared_blks_hit - then.shared_blks_hit;
  sum->shared_blks_read += now.shared_blks_read - then.shared_blks_read;
  sum->local_blks_hit += now.local_blks_hit - then.local_blks_hit;
  sum->local_blks_read += now.local_blks_read - then.local_blks_read;
  sum->temp_blks_read += now.temp_blks_read - then.temp_blks_read;
  sum->temp_blks_written += now.temp_blks_written - then.temp_blks_written;
}

void LeaveExecutor(Tracker* tracker) {
  if (tracker->sampled_count > 0) SettleCounts(tracker, CpuMs(tracker));
  tracker->run_ns += NowNs() - tracker->entered_ns;
  tracker->entered_ns = 0;
  tracker->cpu_ns += CpuNs() - tracker->cpu_start_ns;
  AddBuffers(&tracker->buffers, pgBufferUsage, tracker->buffers_start);
  Unpublish(tracker);
}

static void HandRowsToLeader(Tracker* tracker) {
  PGPROC* leader = MyProc ? MyProc->lockGroupLeader : nullptr;
  if (leader == nullptr || leader == MyProc || tracker->query->estate == nullptr) return;
  // Instrumented workers hand their counts over themselves.
  if (tracker->query->instrument_options != 0) return;
  for (int i = 0; i < tracker->plan.count; ++i) {
    int id = tracker->plan.nodes[i].node_id;
    short wrapper = tracker->nodes[i].wrapper;
    if (id >= 0 && id < kMaxPlanNodes && wrapper >= 0)
      pg_atomic_fetch_add_u64(&BackendAt(leader->pgprocno)->worker_rows[id],
                              static_cast<int64>(WrapperAt(wrapper).rows));
  }
  pg_atomic_fetch_add_u32(&BackendAt(leader->pgprocno)->worker_reports, 1);
}

void ReleaseTracker(Tracker* tracker) {
  if (!tracker->used) return;
  EndShadow(tracker, false);
  PoolRelease(tracker->reservation);
  Unpublish(tracker);
  if (tracker->worker) {
    if (tracker->attached) HandRowsToLeader(tracker);
    MyBackendSlot()->leader_pid = 0;
  }
  if (tracker->counted) pg_atomic_fetch_sub_u32(&shared->running, 1);
  if (tracker->attached) DetachNodes(tracker);
  tracker->plan.count = 0;
  tracker->used = 0;
  --trackers_used;
}

void ForEachRunningNode(void (*visit)(TrackedNode*)) {
  for (Frame* frame = innermost_frame; frame != nullptr; frame = frame->outer) {
    Tracker* tracker = frame->tracker;
    if (tracker == nullptr || !tracker->attached) continue;
    for (int i = 0; i < tracker->plan.count; ++i)
      if (tracker->nodes[i].state != nullptr) visit(&tracker->nodes[i]);
  }
}

void AddPausedTime(int64_t ns) {
  for (Frame* frame = innermost_frame; frame != nullptr; frame = frame->outer)
    if (frame->tracker != nullptr) frame->tracker->paused_ns += ns;
}

}  // namespace query_shaper
