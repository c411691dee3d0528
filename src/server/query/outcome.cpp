#include "pg/pg.h"

#include "core/base/hash.h"
#include "core/plan/fingerprint.h"
#include "core/plan/normalise.h"
#include "core/predict/plan_sequence.h"
#include "server/query/outcome.h"

#include "pg/guard.h"
#include "server/query/counting.h"
#include "server/query/statement_name.h"
#include "server/query/tick_record.h"
#include "server/settings.h"
#include "server/store/knowledge.h"
extern "C" {
#include "mb/pg_wchar.h"
#include "executor/hashjoin.h"
#include "executor/nodeAgg.h"
#include "executor/nodeHash.h"
#include "storage/proc.h"
#include "utils/queryjumble.h"
#include "utils/tuplesort.h"
}

namespace query_shaper {

static void CopyNormalisedText(const QueryDesc* query, char* out) {
  out[0] = '\0';
  if (query->sourceText == nullptr) return;
  int location = query->plannedstmt->stmt_location;
  int length = query->plannedstmt->stmt_len;
  const char* text = CleanQuerytext(query->sourceText, &location, &length);
  size_t written = NormaliseStatement(text, static_cast<size_t>(length), out, kStoredTextBytes);
  int clipped = pg_mbcliplen(out, static_cast<int>(written), kStoredTextBytes - 4);
  out[clipped] = '\0';
}

// Sorts keep their memory to themselves until they are asked, which is safe only between calls of the executor.
static int64_t SortMemoryKb(const PlanState* state, const PlanNode& node) {
  if (state == nullptr || !IsA(state, SortState)) return 0;
  auto* sort = reinterpret_cast<const SortState*>(state);
  if (!sort->sort_Done || sort->tuplesortstate == nullptr) return 0;
  TuplesortInstrumentation stats;
  tuplesort_get_stats(static_cast<Tuplesortstate*>(sort->tuplesortstate), &stats);
  return stats.spaceType == SORT_SPACE_TYPE_MEMORY ? stats.spaceUsed
                                                   : static_cast<int64_t>(Max(work_mem, node.memory_limit_kb));
}

// Memory of contexts with this name below a context, theirs included.
static int64_t HeldInContexts(MemoryContext above, const char* name) {
  int64_t kb = 0;
  for (MemoryContext child = above->firstchild; child != nullptr; child = child->nextchild) {
    if (strcmp(child->name, name) == 0) {
      kb += static_cast<int64_t>(MemoryContextMemAllocated(child, true) / 1024);
    } else {
      kb += HeldInContexts(child, name);
    }
  }
  return kb;
}

int64_t HeldMemoryKb(Tracker* tracker) {
  MemoryContext query = tracker->query->estate->es_query_cxt;
  int64_t held_kb = static_cast<int64_t>(MemoryContextMemAllocated(query, true) / 1024);
  int64_t sorts_kb = 0, tables_kb = 0, groups_kb = 0;
  for (int i = 0; i < tracker->plan.count; ++i) {
    const PlanState* state = tracker->nodes[i].state;
    if (state == nullptr) continue;
    sorts_kb += SortMemoryKb(state, tracker->plan.nodes[i]);
    if (IsA(state, HashJoinState)) {
      const HashJoinTable table = reinterpret_cast<const HashJoinState*>(state)->hj_HashTable;
      // A table that processes share is the leader's.
      if (table != nullptr && !(state->plan->parallel_aware && tracker->worker))
        tables_kb += static_cast<int64_t>(Max(table->spaceUsed, table->spacePeak) / 1024);
    } else if (IsA(state, AggState)) {
      const auto* agg = reinterpret_cast<const AggState*>(state);
      if (agg->hash_batches_used > 1) groups_kb += static_cast<int64_t>(agg->hash_mem_peak / 1024);
    }
  }
  // A spilled sort has freed, a hash join in its later batches has emptied what it once held.
  held_kb += Max(0, sorts_kb - HeldInContexts(query, "TupleSort main"));
  held_kb += Max(0, tables_kb - HeldInContexts(query, "HashTableContext"));
  return Max(held_kb, groups_kb);
}

void HandWorkToLeader(Tracker* tracker) {
  PGPROC* leader = MyProc != nullptr ? MyProc->lockGroupLeader : nullptr;
  if (!tracker->worker || leader == nullptr || leader == MyProc) return;
  BackendSlot* slot = BackendAt(leader->pgprocno);
  pg_atomic_fetch_add_u64(&slot->worker_memory_kb, HeldMemoryKb(tracker));
  pg_atomic_fetch_add_u64(&slot->worker_cpu_us, Max(0, tracker->cpu_ns) / 1000);
}

static void FillNodes(const Tracker* tracker, bool nodes_alive, OutcomeRecord* record) {
  record->node_count = tracker->plan.count;
  for (int i = 0; i < tracker->plan.count; ++i) {
    const PlanNode& node = tracker->plan.nodes[i];
    const PlanState* state = tracker->nodes[i].state;
    NodeOutcome* out = &record->nodes[i];
    out->node_id = node.node_id;
    out->parent_id = node.parent >= 0 ? tracker->plan.nodes[node.parent].node_id : -1;
    out->depth = node.depth;
    out->op = node.op;
    out->join = node.join;
    out->agg = node.agg;
    out->relation = state ? ScannedRelation(tracker->query->plannedstmt, state->plan) : InvalidOid;
    out->estimated_rows = static_cast<float>(node.rows);
    out->refined_rows = tracker->progress.nodes()[i].refined_rows;
    out->actual_rows = tracker->counters[i].rows;
    out->loops = tracker->counters[i].loops;
    out->memory_kb = static_cast<int64_t>(tracker->counters[i].memory_kb);
    if (nodes_alive) out->memory_kb = Max(out->memory_kb, SortMemoryKb(state, node));
    out->temp_kb = -1;
  }
}

// A statement tracked late was read from memory alone: now there is time for its names.
static void ReadLate(Tracker* tracker, PlanTree* full) {
  const QueryDesc* query = tracker->query;
  MemoryContext caller = MemoryContextSwitchTo(query->estate->es_query_cxt);
  ReadPlan(query->plannedstmt, ReadDepth::kFull, full);
  full->query_id = NameOf(query->plannedstmt, query->sourceText);
  tracker->plan.query_id = full->query_id;
  MemoryContextSwitchTo(caller);
}

void NameLateStatement(Tracker* tracker) {
  if (tracker->fingerprint != 0) return;
  static PlanTree full;
  ReadLate(tracker, &full);
  pg::Advise("name a plan", [&] { tracker->fingerprint = PlanFingerprint(full); });
}

static PlanTree* LatePlan() {
  static PlanTree full;
  return &full;
}

static void DescribeLate(Tracker* tracker) {
  PlanTree& full = *LatePlan();
  ReadLate(tracker, &full);
  if (!pg::Advise("describe a statement", [&] {
        tracker->fingerprint = PlanFingerprint(full);
        tracker->features = ExtractFeatures(full, Moment());
      }))
    Count(kMetricAdviceFailed);
}

struct SlowBit {
  pg_atomic_uint32* word;
  uint32 bit;
};

static SlowBit SlowBitOf(uint64_t name) {
  uint64_t h = MixBits(name);
  return {&shared->slow_statements[(h >> 5) % kSlowStatementWords], 1U << (h & 31)};
}

EVERY_STATEMENT bool KnownSlow(uint64_t name) {
  if (name == 0) return false;
  SlowBit slow = SlowBitOf(name);
  return (pg_atomic_read_u32(slow.word) & slow.bit) != 0;
}

static void MarkSlow(uint64_t name) {
  SlowBit slow = SlowBitOf(name);
  if (name != 0) pg_atomic_fetch_or_u32(slow.word, slow.bit);
}

static void ForgetSlow(uint64_t name) {
  SlowBit slow = SlowBitOf(name);
  pg_atomic_fetch_and_u32(slow.word, ~slow.bit);
}

void RememberSlow(const PlannedStmt* statement) {
  PendingName* pending = PendingNameOf(statement);
  MarkSlow(pending != nullptr ? MakeName(pending) : statement->queryId);
  if (pending != nullptr) MarkSlow(UnnamedOn(pending));
}

// A statement that was slow once, since its data was cold, say, is not watched for ever: every so many runs that are
// quick again one of them is forgotten to have been slow.
static void NoteQuick(const Tracker* tracker, double total_ms) {
  constexpr uint32 kQuickRuns = 16;
  static uint32 quick_runs = 0;
  const PlannedStmt* statement = tracker->query->plannedstmt;
  if (tracker->late || statement->planTree->total_cost >= TrackedFromCost() || total_ms >= 0.5 * TrackedLateFromMs() ||
      ++quick_runs % kQuickRuns != 0)
    return;
  ForgetSlow(statement->queryId);
  if (list_length(statement->rtable) == 1)
    ForgetSlow(UnnamedOn(linitial_node(RangeTblEntry, statement->rtable)->relid));
}

// As it was read when the prediction was made: what a node was granted since is an answer to that.
static void ReadSequence(const Tracker* tracker, PlanSequence* sequence) {
  static PlanTree plan;
  plan = tracker->late ? *LatePlan() : tracker->plan;
  for (int i = 0; i < plan.count; ++i) {
    PlanNode* node = &plan.nodes[i];
    if (node->memory_limit_kb <= 0) continue;
    bool hashes = node->op == Operator::kHash || node->op == Operator::kAgg || node->op == Operator::kMemoize;
    node->memory_limit_kb = hashes ? static_cast<double>(get_hash_memory_limit()) / 1024 : work_mem;
  }
  Moment moment;
  moment.work_mem_kb = work_mem;
  ExtractSequence(plan, moment, sequence);
}

void SendTrackedOutcome(Tracker* tracker, int error_sqlstate) {
  if (tracker->sent || tracker->worker) return;
  tracker->sent = true;
  bool failed = error_sqlstate != 0;
  double total_ms = PlanElapsedMs(tracker);
  if (!failed) NoteQuick(tracker, total_ms);
  if (tracker->late) {
    RememberSlow(tracker->query->plannedstmt);
    // After an error there is no transaction to read catalogs in.
    if (failed) return;
    if (settings::mode == kModeOff || !OutcomesWanted()) return;
    DescribeLate(tracker);
  } else if (!tracker->outcomes_wanted) {
    return;
  }
  OutcomeRecord* record = ClaimOutcome();
  if (record == nullptr) {
    Count(kMetricOutcomesDropped);
    return;
  }
  record->database = MyDatabaseId;
  record->user = GetUserId();
  record->pid = MyProcPid;
  record->nest_level = tracker->nest_level;
  record->query_id = tracker->plan.query_id;
  record->fingerprint = tracker->fingerprint;
  record->started = tracker->started;
  record->finished = GetCurrentTimestamp();
  record->predicted = tracker->predicted;
  record->late = tracker->late;
  record->error_sqlstate = error_sqlstate;
  record->features = tracker->features;
  record->made = tracker->estimate;
  ReadSequence(tracker, &record->sequence);
  if (!failed) {
    ReadCounters(tracker);
    int64_t held_kb = HeldMemoryKb(tracker);
    if (tracker->has_gather) held_kb += static_cast<int64_t>(pg_atomic_read_u64(&MyBackendSlot()->worker_memory_kb));
    tracker->peak_memory_kb = Max(tracker->peak_memory_kb, held_kb);
  }
  double cpu_ms = static_cast<double>(tracker->cpu_ns) / 1e6;
  if (tracker->has_gather) cpu_ms += static_cast<double>(pg_atomic_read_u64(&MyBackendSlot()->worker_cpu_us)) / 1e3;
  const BufferUsage& buffers = tracker->buffers;
  record->blocks_read = buffers.shared_blks_read + buffers.local_blks_read;
  record->blocks_hit = buffers.shared_blks_hit + buffers.local_blks_hit;
  record->actual.targets[kTimeMs] = total_ms;
  record->actual.targets[kMemoryKb] = static_cast<double>(tracker->peak_memory_kb);
  record->actual.targets[kRows] = static_cast<double>(tracker->rows_before);
  record->actual.targets[kTempKb] = static_cast<double>(buffers.temp_blks_written) * (BLCKSZ / 1024);
  record->actual.targets[kBlocks] = static_cast<double>(record->blocks_read + record->blocks_hit);
  record->actual.targets[kCpuMs] = Max(0, cpu_ms);
  record->actual.targets[kBlocksRead] = static_cast<double>(record->blocks_read);
  record->actual.complete = !failed && tracker->complete;
  FillNodes(tracker, !failed, record);
  record->pace = PaceSample();
  if (record->actual.complete && !tracker->late)
    tracker->progress.Finish(tracker->plan, tracker->counters, total_ms, &record->pace);
  Tick last;
  last.elapsed_ms = total_ms;
  RecordEnd(tracker, record->actual, last);
  record->trace_count = tracker->progress.trace_count();
  memcpy(static_cast<void*>(record->trace), tracker->progress.trace(),
         sizeof(Progress::TracePoint) * static_cast<size_t>(record->trace_count));
  CopyNormalisedText(tracker->query, record->query);
  SendOutcome(record);
}

}  // namespace query_shaper
