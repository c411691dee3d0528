// What a tick reads of each node: PostgreSQL's own figures where they are free, our wrappers where not.
//
// Everything here runs in signal context, between any two instructions of the executor: figures may be half a step old,
// and pointers are only followed that live as long as the statement's nodes do.
#include "pg/pg.h"

#include <cmath>

#include "server/query/counting.h"
#include "server/query/tracker.h"
extern "C" {
#include "access/heapam.h"
#include "access/relscan.h"
#include "executor/hashjoin.h"
#include "executor/nodeAgg.h"
#include "storage/proc.h"
#include "utils/wait_event.h"
}

namespace query_shaper {
namespace {

void ReadHeapPosition(const SeqScanState* scan, TrackedNode* node, NodeCounters* counters) {
  TableScanDesc descriptor = scan->ss.ss_currentScanDesc;
  if (descriptor == nullptr) return;
  auto* heap = reinterpret_cast<HeapScanDesc>(descriptor);
  // Processes that share a scan are given its blocks in order, whichever of them is ahead shows how far it is. Where
  // it began, when it follows another statement's scan, stands in dynamic shared memory.
  bool shared_scan = descriptor->rs_parallel != nullptr;
  if (shared_scan && (descriptor->rs_flags & SO_ALLOW_SYNC) != 0) return;
  double blocks = heap->rs_nblocks;
  counters->total_units = blocks;
  if (heap->rs_inited && heap->rs_cblock != InvalidBlockNumber) {
    double at = heap->rs_cblock;
    double start = shared_scan ? 0 : heap->rs_startblock;
    // Synchronised scans begin anywhere and wrap around.
    node->furthest = at >= start ? at - start + 1 : blocks - start + at + 1;
  } else if (node->furthest > 0) {
    // The position is reset when the scan is over.
    node->furthest = blocks;
    counters->ended = true;
  }
  counters->done_units = node->furthest;
}

// Figures torn by a rebuild in progress are dropped rather than shown.
double Sane(double value, double limit) { return value >= 0 && value <= limit ? value : 0; }

void ReadHashJoin(const HashJoinState* join, NodeCounters* counters) {
  HashJoinTable table = join->hj_HashTable;
  constexpr int kBuildHashTable = 1;  // HJ_BUILD_HASHTABLE of nodeHashjoin.c
  counters->filled = table != nullptr && join->hj_JoinState != kBuildHashTable;
  if (table == nullptr) return;
  counters->held_rows = Sane(table->totalTuples, 1e15);
  counters->batches = Sane(table->nbatch, 1e7);
  counters->batch_now = Sane(table->curbatch, 1e7);
  counters->memory_kb = Sane(static_cast<double>(table->spaceUsed) / 1024, 1e12);
}

constexpr double kManyGroups = 1000;

// The table is walked downwards from where its iterator was set.
double WalkedOf(const AggStatePerHashData* hash) {
  const TupleHashIterator& iterator = hash->hashiter;
  if (hash->hashtable == nullptr || hash->hashtable->hashtab == nullptr) return -1;
  if (iterator.done) return 1;
  const uint32 mask = hash->hashtable->hashtab->sizemask;
  return static_cast<double>((iterator.end - iterator.cur) & mask) / (static_cast<double>(mask) + 1);
}

void ReadAgg(const AggState* agg, NodeCounters* counters) {
  if (agg->aggstrategy != AGG_HASHED && agg->aggstrategy != AGG_MIXED) return;
  counters->filled = agg->table_filled;
  counters->held_rows = Sane(static_cast<double>(agg->hash_ngroups_current), 1e15);
  counters->batches = Sane(agg->hash_batches_used, 1e7);
  if (agg->num_hashes == 1) {
    counters->spilled = agg->hash_ever_spilled;
    counters->to_read = Min(Sane(list_length(agg->hash_batches), 1e7), counters->batches);
    if (agg->table_filled && !agg->hash_ever_spilled) counters->walked = WalkedOf(&agg->perhash[0]);
  }
  double bytes = 0;
  if (agg->hash_metacxt) bytes += static_cast<double>(agg->hash_metacxt->mem_allocated);
  if (agg->hashcontext && agg->hashcontext->ecxt_per_tuple_memory)
    bytes += static_cast<double>(agg->hashcontext->ecxt_per_tuple_memory->mem_allocated);
  counters->memory_kb = Sane(bytes / 1024, 1e12);
  if (agg->num_hashes == 1 && !agg->hash_ever_spilled) {
    counters->room = Sane(static_cast<double>(agg->hash_ngroups_limit), 1e15);
    // What a group takes shows when there are many.
    if (counters->held_rows >= kManyGroups && bytes > 0)
      counters->room =
          Min(counters->room, counters->held_rows * Sane(static_cast<double>(agg->hash_mem_limit), 1e15) / bytes);
  }
}

// Nodes below a subplan's top are counted throughout until they have ended this often, then in one tick of so many.
constexpr uint64_t kOftenEnded = 1000;
constexpr uint64_t kCountedTick = 4;

// Calls of a subplan's top, 0: not known.
uint64_t CallsOf(const Tracker* tracker, int subplan) {
  const TrackedNode& top = tracker->nodes[subplan];
  if (top.state == nullptr || top.wrapper < 0 || !StillWrapped(top.state, top.wrapper)) return 0;
  const Wrapper& wrapper = WrapperAt(top.wrapper);
  return wrapper.rows + wrapper.ends;
}

// What was counted, scaled to all runs of the subplan.
void AddUncounted(const Tracker* tracker, const TrackedNode& node, NodeCounters* counters) {
  if (node.subplan < 0 || (node.unseen_calls == 0 && node.laid_off_at == 0)) return;
  auto calls = static_cast<double>(CallsOf(tracker, node.subplan));
  double unseen = static_cast<double>(node.unseen_calls);
  if (node.laid_off_at != 0) unseen += calls - static_cast<double>(node.laid_off_at);
  if (unseen <= 0 || unseen >= calls || counters->rows < 0) return;
  double scale = calls / (calls - unseen);
  counters->rows = std::floor(counters->rows * scale);
  counters->loops = std::floor(counters->loops * scale);
}

void ReadNode(TrackedNode* node, NodeCounters* counters) {
  PlanState* state = node->state;
  if (state == nullptr) return;
  if (state->instrument != nullptr) {
    counters->rows = state->instrument->ntuples + state->instrument->tuplecount;
    counters->loops = state->instrument->nloops + (state->instrument->running ? 1 : 0);
    counters->ended = state->instrument->nloops > 0;
  } else if (node->wrapper >= 0) {
    const Wrapper& wrapper = WrapperAt(node->wrapper);
    // A wrapper that was displaced counts no further: its figure would look like a stall.
    counters->rows = StillWrapped(state, node->wrapper) ? static_cast<double>(wrapper.rows) : -1;
    counters->ended = wrapper.ends > 0;
    counters->loops = static_cast<double>(wrapper.ends > 0 ? wrapper.ends : (wrapper.rows > 0 ? 1 : 0));
  }
  switch (nodeTag(state)) {
    case T_SeqScanState:
      if (node->heap_scan) ReadHeapPosition(reinterpret_cast<SeqScanState*>(state), node, counters);
      break;
    case T_HashJoinState:
      ReadHashJoin(reinterpret_cast<HashJoinState*>(state), counters);
      break;
    case T_AggState:
      ReadAgg(reinterpret_cast<AggState*>(state), counters);
      break;
    case T_SortState:
      counters->sorted = reinterpret_cast<SortState*>(state)->sort_Done;
      break;
    default:
      break;
  }
}

// Adds what parallel workers have done: those that ended, and those at work. Returns how many are at work.
int AddWorkers(Tracker* tracker) {
  BackendSlot* mine = MyBackendSlot();
  auto add = [tracker](int node_id, double rows) {
    if (node_id < 0 || node_id >= kNodeIds || tracker->by_id[node_id] < 0 || rows <= 0) return;
    NodeCounters* counters = &tracker->counters[tracker->by_id[node_id]];
    counters->rows = (counters->rows < 0 ? 0 : counters->rows) + rows;
  };
  auto move = [tracker](int node_id, double position) {
    if (node_id < 0 || node_id >= kNodeIds || tracker->by_id[node_id] < 0 || position <= 0) return;
    int i = tracker->by_id[node_id];
    // What each process scans in full for itself has no common position.
    if (!tracker->plan.nodes[i].parallel_aware) return;
    NodeCounters* counters = &tracker->counters[i];
    if (counters->total_units <= 0) counters->total_units = Max(1, tracker->plan.nodes[i].relation_pages);
    counters->done_units = Max(counters->done_units, Min(position, 1) * counters->total_units);
  };
  for (int id = 0; id < kMaxPlanNodes; ++id) add(id, static_cast<double>(pg_atomic_read_u64(&mine->worker_rows[id])));
  int at_work = 0;
  for (int i = 0; i < shared->backends; ++i) {
    BackendSlot* worker = BackendAt(i);
    if (worker->leader_pid != MyProcPid || worker->pid == 0) continue;
    ++at_work;
    const StatementSlot& statement = worker->statements_running[0];
    if (statement.state == StatementState::kFree) continue;
    int count = statement.node_count < kMaxPlanNodes ? statement.node_count : kMaxPlanNodes;
    for (int n = 0; n < count; ++n) {
      add(statement.nodes[n].node_id, statement.nodes[n].actual_rows);
      move(statement.nodes[n].node_id, statement.nodes[n].position);
      if (statement.nodes[n].memory_kb > 0 && statement.nodes[n].node_id >= 0 &&
          statement.nodes[n].node_id < kNodeIds && tracker->by_id[statement.nodes[n].node_id] >= 0)
        tracker->counters[tracker->by_id[statement.nodes[n].node_id]].memory_kb +=
            static_cast<double>(statement.nodes[n].memory_kb);
    }
  }
  return at_work;
}

// Sorts tell what they hold between calls of the executor alone: as their gates have found it.
void ReadSorts(Tracker* tracker) {
  for (int n = 0; n < tracker->memory.count; ++n) {
    const ShapedNode& node = tracker->memory.nodes[n];
    NodeCounters* counters = &tracker->counters[node.index];
    if (node.kind == NeedKind::kSort && counters->sorted) counters->memory_kb = static_cast<double>(node.used_kb);
  }
}

}  // namespace

int ReadCounters(Tracker* tracker) {
  for (int i = 0; i < tracker->plan.count; ++i) {
    NodeCounters* counters = &tracker->counters[i];
    *counters = NodeCounters();
    ReadNode(&tracker->nodes[i], counters);
    AddUncounted(tracker, tracker->nodes[i], counters);
  }
  ReadSorts(tracker);
  return tracker->has_gather && !tracker->worker ? AddWorkers(tracker) : 0;
}

void SpareCounting(Tracker* tracker) {
  bool counted = MyBackendSlot()->ticks % kCountedTick == 0;
  for (int i = 0; i < tracker->plan.count; ++i) {
    TrackedNode* node = &tracker->nodes[i];
    if (node->subplan < 0 || node->state == nullptr || node->wrapper < 0) continue;
    uint64_t calls = CallsOf(tracker, node->subplan);
    if (calls == 0) continue;
    if (node->laid_off_at != 0) {
      if (!counted || !RecallWrapper(node->state, node->wrapper)) continue;
      node->unseen_calls += calls - node->laid_off_at;
      node->laid_off_at = 0;
      continue;
    }
    // A row limit says nothing of a node that has ended before.
    if (counted || WrapperAt(node->wrapper).ends < kOftenEnded) continue;
    if (LayOffWrapper(node->state, node->wrapper)) node->laid_off_at = calls;
  }
}

Wait CurrentWait() {
  if (MyProc == nullptr) return Wait::kNone;
  switch (MyProc->wait_event_info & 0xFF000000U) {
    case PG_WAIT_LOCK:
      return Wait::kLock;
    case PG_WAIT_CLIENT:
      return Wait::kClient;
    case PG_WAIT_IO:
      return Wait::kIo;
    case PG_WAIT_LWLOCK:
    case PG_WAIT_BUFFER_PIN:
    case PG_WAIT_EXTENSION:
    case PG_WAIT_TIMEOUT:
      return Wait::kOther;
    default:
      return Wait::kNone;  // waiting for one's own workers is work
  }
}

}  // namespace query_shaper
