#include "pg/pg.h"

#include "core/base/hash.h"
#include "core/pool/cache_worth.h"
#include "core/pool/grant_division.h"
#include "server/query/shape_memory.h"

#include <cmath>

#include "pg/guard.h"
#include "server/pool/pool_capacity.h"
#include "server/pool/processor_caches.h"
#include "server/pool/shared_pool.h"
#include "server/query/memory_gates.h"
#include "server/query/node_memory.h"
#include "server/query/plan_note.h"
#include "server/query/tracker.h"
#include "server/query/window_rows.h"
#include "server/settings.h"
#include "server/shared_needs.h"
#include "server/store/knowledge.h"
extern "C" {
#include "executor/nodeHash.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/guc.h"
}

namespace query_shaper {
namespace {

constexpr double kNotWorthKb = 256;  // a node that wants less than this is left to the server

double FloorKb(bool hash_limit) {
  return hash_limit ? static_cast<double>(get_hash_memory_limit()) / 1024 : static_cast<double>(work_mem);
}

double MostKbOfNode() {
  return settings::memory_node_max_kb > 0 ? settings::memory_node_max_kb : static_cast<double>(PoolClaimMostKb());
}

// -1: none.
int GatherAbove(const Tracker* tracker, int i) {
  if (!tracker->plan.nodes[i].under_gather) return -1;
  int gather = tracker->plan.nodes[i].parent;
  while (gather >= 0 && tracker->plan.nodes[gather].op != Operator::kGather &&
         tracker->plan.nodes[gather].op != Operator::kGatherMerge)
    gather = tracker->plan.nodes[gather].parent;
  return gather;
}

double ProcessesOf(const Tracker* tracker, int i) {
  int gather = GatherAbove(tracker, i);
  return gather < 0 ? 1 : 1 + tracker->plan.nodes[gather].workers;
}

bool HasCommonTables(const Tracker* tracker, int gather) {
  const PlanTree& plan = tracker->plan;
  for (int i = gather + 1; i < plan.count && plan.nodes[i].depth > plan.nodes[gather].depth; ++i)
    if (plan.nodes[i].op == Operator::kHashJoin && plan.nodes[i].parallel_aware) return true;
  return false;
}

bool Give(Tracker* tracker, int n, double limit_kb) {
  int gather = tracker->memory.nodes[n].launch;
  if (gather < 0) return GiveNode(tracker, n, limit_kb);
  return AwaitLaunch(tracker, gather, tracker->nodes[gather].state, tracker->nodes[gather].wrapper,
                     MayRunAgain(tracker, gather));
}

bool RowsLearned(const PlanNote* note, const PlanTree& plan, int node) {
  if (note == nullptr || node < 0) return false;
  int id = plan.nodes[node].node_id;
  return id >= 0 && id < note->key_count && note->keys[id].injected;
}

// By what it holds, not by its place in a plan: another plan of the statement, made for other parameters, goes on with
// what the node needed before. Where the rows have no name: the n-th of its kind.
uint64_t NameOf(const Tracker* tracker, const ShapedNode& node) {
  const MemoryShape& shape = tracker->memory;
  uint64_t twins = 0;
  for (int n = 0; n < shape.count; ++n)
    twins += shape.nodes[n].kind == node.kind && (node.rows_key == 0 || shape.nodes[n].rows_key == node.rows_key);
  uint64_t name = MixBits(node.rows_key + static_cast<uint64_t>(node.kind));
  name = MixBits(MixBits(name ^ static_cast<uint64_t>(tracker->plan.query_id)) + twins);
  return name != 0 ? name : 1;
}

MemoryWish WishOf(const ShapedNode& node, double most_kb) {
  MemoryWish wish;
  wish.floor_kb = static_cast<double>(node.floor_kb);
  wish.wanted_kb = static_cast<double>(node.wanted_kb);
  wish.margin_kb = static_cast<double>(node.margin_kb);
  wish.most_kb = most_kb;
  wish.spill_kb = static_cast<double>(node.spill_kb);
  // In a table common to several processes nothing of either input stays in memory as soon as there are two batches.
  wish.gradual = (node.kind == NeedKind::kHash && !node.common) || node.kind == NeedKind::kGroups;
  if (node.kind == NeedKind::kSort) wish.merge_kb = MergeKb(wish.wanted_kb);
  wish.fixed = node.fixed;
  wish.processes = static_cast<double>(node.processes);
  return wish;
}

void AddNode(Tracker* tracker, const PlanNote* note, int i, const NodeNeed& need, double processes) {
  MemoryShape* shape = &tracker->memory;
  if (need.kind == NeedKind::kNone || shape->count == kShapedNodes) return;
  ShapedNode* node = &shape->nodes[shape->count++];
  *node = ShapedNode{};
  node->index = static_cast<short>(i);
  node->kind = need.kind;
  node->hash_limit = need.hash_limit;
  node->processes = static_cast<float>(processes);
  node->predicted_kb = static_cast<float>(need.kb);
  node->common = need.kind == NeedKind::kHash && tracker->plan.nodes[i].parallel_aware;
  node->spill_kb = static_cast<float>(need.spills ? need.spill_kb / (node->common ? processes : 1) : 0);
  node->floor_kb = node->limit_kb = static_cast<float>(FloorKb(need.hash_limit));
  int gather = GatherAbove(tracker, i);
  node->launch = static_cast<short>(gather >= 0 && HasCommonTables(tracker, gather) ? gather : -1);
  if (need.spills) node->why_fixed = WhyNotGiven(tracker, i, need.kind, node->launch);
  node->fixed = !need.spills || node->why_fixed != nullptr;
  node->needed_kb = -1;
  int held = HeldRowsOf(tracker->plan, i);
  int id = held < 0 ? -1 : tracker->plan.nodes[held].node_id;
  node->rows_key = note != nullptr && id >= 0 && id < note->key_count ? note->keys[id].key : 0;
  node->name = NameOf(tracker, *node);
}

// Of the table of a join: less than it would hold where spilling is the cheaper way. Not where the server does not
// expect it to spill and it is not known: what outgrows its plan is written again at every doubling of its batches. Nor
// of groups: rows of one group tend to come close together, so that few of them miss, and what is spilled is formed,
// written, read and hashed again (1.5 M groups of 2.3 M rows 1.5 s whole, 1.9 s in parts).
double Worthwhile(const ShapedNode& node, const NodeNeed& need, double wanted_kb, bool remembered) {
  constexpr double kWrittenShare = 0.6;  // of what rows take in a table
  double floor_kb = static_cast<double>(node.floor_kb) * (node.common ? static_cast<double>(node.processes) : 1);
  if (need.kind != NeedKind::kHash || node.fixed || wanted_kb <= floor_kb || !(need.kb > 0) || shared_pool == nullptr)
    return wanted_kb;
  HashTraffic traffic = TrafficOf(need);
  traffic.table_kb = Min(wanted_kb, need.kb);
  if (need.kb <= floor_kb) {
    if (!remembered) return wanted_kb;
    // As in its large runs, so that parameters that alternate do not move the grant back and forth.
    double more_rows = need.rows * (wanted_kb / need.kb - 1);
    traffic.inserted += more_rows;
    traffic.spilled += more_rows;
    traffic.spill_kb += kWrittenShare * (wanted_kb - need.kb);
    traffic.table_kb = wanted_kb;
  }
  double worth_kb = WorthwhileKb(traffic, floor_kb, wanted_kb, TempFilesStayCached(need.spill_kb), Caches());
  // Whole, or as the server has it.
  return node.common && worth_kb < traffic.table_kb ? Min(worth_kb, floor_kb) : worth_kb;
}

// Reads, thinks; nothing is changed but the record.
void ListNeeds(Tracker* tracker) {
  static NodeNeed needs[kShapedNodes];
  static NeedHistory histories[kShapedNodes];
  MemoryShape* shape = &tracker->memory;
  shape->count = shape->shaped = 0;
  const PlanNote* note = NoteOf(tracker->query->plannedstmt);
  for (int i = 0; i < tracker->plan.count && shape->count < kShapedNodes; ++i) {
    if (!HoldsRows(tracker, i)) continue;
    int held = HeldRowsOf(tracker->plan, i);
    double processes = ProcessesOf(tracker, i);
    double pieces = 1;
    const PlanState* state = tracker->nodes[i].state;
    if (held >= 0 && IsA(state, WindowAggState))
      pieces = PiecesOf(tracker->query->plannedstmt, reinterpret_cast<const WindowAggState*>(state),
                        tracker->plan.nodes[held].rows);
    NodeNeed need;
    // What is asked of PostgreSQL about a node may raise: it is asked outside.
    if (!pg::Advise("predict memory", [&] {
          double log_sd = RowsLogSd(tracker->plan, held, RowsLearned(note, tracker->plan, held));
          need = NeedOf(tracker, i, log_sd, processes, pieces);
        }))
      break;
    if (need.kind == NeedKind::kNone) continue;
    needs[shape->count] = need;
    AddNode(tracker, note, i, need, processes);
  }
  uint64_t names[kShapedNodes];
  for (int n = 0; n < shape->count; ++n) names[n] = shape->nodes[n].name;
  RecallNeeds(names, shape->count, histories);
  for (int n = 0; n < shape->count; ++n) {
    ShapedNode* node = &shape->nodes[n];
    // Tables are laid out for the rows planned, whatever comes.
    double least_kb = 0;
    if (node->kind == NeedKind::kHash) least_kb = needs[n].kb;
    if (node->kind == NeedKind::kGroups) least_kb = 1.05 * PlannedGroupsKb(tracker, node->index);
    double wanted_kb = Max(WantedKb(histories[n], needs[n]), least_kb);
    double enough_kb = Max(KnownEnoughKb(histories[n], needs[n]), least_kb);
    // A plan that was made for its memory has it.
    if (note == nullptr || note->modest == nullptr)
      wanted_kb = Worthwhile(*node, needs[n], wanted_kb, histories[n].count > 0);
    if (!std::isfinite(wanted_kb)) wanted_kb = 0;
    double each = node->common ? static_cast<double>(node->processes) : 1;
    node->wanted_kb = static_cast<float>(Max(0, wanted_kb) / each);
    node->margin_kb = static_cast<float>(Max(0, wanted_kb - enough_kb) / each);
  }
}

void Tell(const Tracker* tracker, const char* verdict, const char* reason) {
  const MemoryShape& shape = tracker->memory;
  double wanted_kb = 0;
  for (int n = 0; n < shape.count; ++n)
    wanted_kb += static_cast<double>(shape.nodes[n].wanted_kb) * static_cast<double>(shape.nodes[n].processes);
  char details[kEventTextBytes];
  std::snprintf(details, sizeof details,
                "{\"nodes\": %d, \"wanted_kb\": %.0f, \"granted_kb\": " INT64_FORMAT ", \"beyond_settings_kb\": %.0f}",
                shape.shaped, wanted_kb, tracker->grant.memory_kb, shape.given_kb);
  RecordEvent("reserve", verdict, tracker->plan.query_id, -1, reason, details);
}

// Of the first node that would have been given more.
void TellFixed(Tracker* tracker) {
  MemoryShape* shape = &tracker->memory;
  for (int n = 0; n < shape->count && !shape->told_fixed; ++n) {
    const ShapedNode& node = shape->nodes[n];
    const double wanted_kb = static_cast<double>(node.processes) * static_cast<double>(node.wanted_kb);
    if (node.why_fixed == nullptr || !(node.wanted_kb > node.floor_kb) || wanted_kb < kNotWorthKb) continue;
    char details[kEventTextBytes];
    std::snprintf(details, sizeof details, "{\"wanted_kb\": %.0f}", wanted_kb);
    RecordEvent("reserve", "declined", tracker->plan.query_id, tracker->plan.nodes[node.index].node_id, node.why_fixed,
                details);
    shape->told_fixed = true;
  }
}

void HoldFor(ShapedNode* node) {
  node->held_kb = static_cast<float>(static_cast<double>(node->processes) *
                                     static_cast<double>(Min(node->wanted_kb, node->limit_kb)));
}

// The number of workers may have been set since.
void CountProcesses(Tracker* tracker) {
  for (int n = 0; n < tracker->memory.count; ++n) {
    ShapedNode* node = &tracker->memory.nodes[n];
    auto processes = static_cast<float>(ProcessesOf(tracker, node->index));
    if (node->common) {
      node->wanted_kb *= node->processes / processes;
      node->margin_kb *= node->processes / processes;
      node->spill_kb *= node->processes / processes;
    }
    node->processes = processes;
  }
}

// Gives limits; those that cannot be given after all stay at the floor.
void Divide(Tracker* tracker, double granted_kb, bool act) {
  MemoryShape* shape = &tracker->memory;
  MemoryWish wishes[kShapedNodes];
  double limits_kb[kShapedNodes];
  double most_kb = MostKbOfNode();
  CountProcesses(tracker);
  for (int n = 0; n < shape->count; ++n) wishes[n] = WishOf(shape->nodes[n], most_kb);
  bool divided = pg::Advise("divide memory", [&] { (void)DivideGrant(wishes, shape->count, granted_kb, limits_kb); });
  if (!divided) return;
  shape->shaped = 0;
  shape->given_kb = 0;
  for (int n = 0; n < shape->count; ++n) {
    ShapedNode* node = &shape->nodes[n];
    HoldFor(node);
    if (!(limits_kb[n] > static_cast<double>(node->floor_kb))) continue;
    if (act && !Give(tracker, n, limits_kb[n])) {
      node->fixed = true;
      continue;
    }
    ++shape->shaped;
    shape->given_kb += static_cast<double>(node->processes) * (limits_kb[n] - static_cast<double>(node->floor_kb));
    if (!act) continue;
    node->shaped = true;
    node->limit_kb = static_cast<float>(limits_kb[n]);
    tracker->plan.nodes[node->index].memory_limit_kb = limits_kb[n];
    HoldFor(node);
  }
}

bool WantsMore(const MemoryShape& shape) {
  for (int n = 0; n < shape.count; ++n)
    if (!shape.nodes[n].fixed && shape.nodes[n].wanted_kb > shape.nodes[n].floor_kb) return true;
  return false;
}

double Held(const MemoryShape& shape) {
  double held_kb = 0;
  for (int n = 0; n < shape.count; ++n) held_kb += static_cast<double>(shape.nodes[n].held_kb);
  return held_kb;
}

void GiveBack(Tracker* tracker, ShapedNode* node, double used_kb) {
  node->settled = true;
  double spare_kb = static_cast<double>(node->held_kb) - used_kb;
  if (!(spare_kb >= 1)) return;
  node->held_kb -= static_cast<float>(PoolShrink(tracker->reservation, static_cast<int64>(spare_kb)));
}

void GiveMemory(Tracker* tracker) {
  bool act = Does(settings::memory);
  if (!act && !Advises(settings::memory)) return;
  TellFixed(tracker);
  if (!WantsMore(tracker->memory)) return;
  if (act && tracker->reservation == kNoReservation) return;
  // Advice: as if all of it were to be had.
  double granted_kb = static_cast<double>(act ? tracker->grant.memory_kb : tracker->claim.want_kb);
  Divide(tracker, granted_kb, act);
  if (act) {
    double spare_kb = static_cast<double>(PoolHeldKb(tracker->reservation)) - Held(tracker->memory);
    if (spare_kb >= 1) PoolShrink(tracker->reservation, static_cast<int64>(spare_kb));
    if (tracker->memory.shaped > 0) PublishLimits(tracker);
  }
  if (tracker->memory.told) return;
  tracker->memory.told = true;
  if (tracker->memory.shaped > 0)
    Tell(tracker, act ? "done" : "advised", "its nodes were given memory beyond the server's settings");
  else if (act)
    Tell(tracker, "declined", "the memory that its nodes want is not free");
}

}  // namespace

void ReadNeeds(Tracker* tracker, PoolClaim* claim) {
  ListNeeds(tracker);
  MemoryShape* shape = &tracker->memory;
  double want_kb = 0, least_kb = 0, most_kb = MostKbOfNode();
  for (int n = 0; n < shape->count; ++n) {
    MemoryWish wish = WishOf(shape->nodes[n], most_kb);
    want_kb += MostKb(wish);
    least_kb += LeastKb(wish);
  }
  if (want_kb < kNotWorthKb) want_kb = least_kb = 0;
  constexpr double kMost = 1e15;
  // Rounded up: what is a fraction short is too little for a sort.
  claim->want_kb = static_cast<int64>(std::ceil(Min(want_kb, kMost))) + (want_kb > 0 ? 1 : 0);
  claim->least_kb = Min(claim->want_kb, static_cast<int64>(std::ceil(Min(least_kb, kMost))));
}

void ShapeMemory(Tracker* tracker) {
  if (tracker->worker || tracker->late || tracker->memory.count == 0) return;
  GiveMemory(tracker);
  if (!Does(settings::memory)) return;
  for (int n = 0; n < tracker->memory.count; ++n) WatchNode(tracker, n);
}

void ReshapeMemory(Tracker* tracker) {
  if (tracker->reservation == kNoReservation || !Does(settings::memory)) return;
  PoolClaim claim = {};
  ReadNeeds(tracker, &claim);
  int64 held_kb = PoolHeldKb(tracker->reservation);
  if (claim.want_kb > held_kb) held_kb += PoolGrow(tracker->reservation, claim.want_kb - held_kb);
  tracker->grant.memory_kb = held_kb;
  ShapeMemory(tracker);
}

void ShapeWorker(Tracker* tracker) {
  static StatementSlot copy;
  if (!Does(settings::memory) || tracker->memory.count > 0) return;
  const PGPROC* leader = MyProc->lockGroupLeader;
  if (leader == nullptr || leader == MyProc) return;
  MemoryShape* shape = &tracker->memory;
  int matches = 0;
  for (int level = 0; level < kNestLevels && matches < 2; ++level) {
    if (!ReadStatement(BackendAt(leader->pgprocno), level, &copy) || !SamePlan(copy, tracker->plan)) continue;
    // Two statements of the leader that look alike: which one this worker is of cannot be told.
    if (++matches == 2) break;
    shape->count = 0;
    for (int s = 0; s < copy.node_count; ++s) {
      int id = copy.nodes[s].node_id;
      int i = id >= 0 && id < kNodeIds ? tracker->by_id[id] : -1;
      if (i < 0 || shape->count == kShapedNodes) continue;
      NodeNeed need = NeedOf(tracker, i, 1, 1, 1);
      double limit_kb = static_cast<double>(copy.nodes[s].memory_limit_kb);
      if (need.kind == NeedKind::kNone || !(limit_kb > FloorKb(need.hash_limit))) continue;
      AddNode(tracker, nullptr, i, need, 1);
      shape->nodes[shape->count - 1].limit_kb = static_cast<float>(limit_kb);
    }
  }
  if (matches != 1) shape->count = 0;
  for (int n = 0; n < shape->count; ++n) {
    ShapedNode* node = &shape->nodes[n];
    if (node->fixed || !GiveNode(tracker, n, static_cast<double>(node->limit_kb))) continue;
    node->shaped = true;
    tracker->plan.nodes[node->index].memory_limit_kb = static_cast<double>(node->limit_kb);
  }
}

void GatherStarted(Tracker* tracker, int gather) {
  for (int n = 0; n < tracker->memory.count; ++n) {
    const ShapedNode& node = tracker->memory.nodes[n];
    if (!node.shaped || node.launch != gather || RearmGates(tracker, n)) continue;
    // One that cannot be given here is in the workers all the same.
    (void)GiveNode(tracker, n, static_cast<double>(node.limit_kb));
  }
}

int NodeStarts(Tracker* tracker, int n, int planned_kb) {
  if (tracker->worker || tracker->reservation == kNoReservation) return planned_kb;
  ShapedNode* node = &tracker->memory.nodes[n];
  // What the ticks have found out of its input since the statement began; under a Gather that is of all processes.
  int held = HeldRowsOf(tracker->plan, node->index);
  if (held < 0 || tracker->plan.nodes[node->index].under_gather) return planned_kb;
  double rows = static_cast<double>(tracker->progress.nodes()[held].refined_rows);
  if (!(rows > 1.3 * tracker->plan.nodes[held].rows)) return planned_kb;
  NodeNeed need = NeedOfRows(tracker, node->index, rows, 0.2);
  double wanted_kb = Min(need.wanted_kb(), MostKbOfNode());
  double more_kb = wanted_kb - static_cast<double>(node->limit_kb);
  if (!(more_kb >= 64)) return planned_kb;
  double given_kb = static_cast<double>(PoolGrow(tracker->reservation, static_cast<int64>(more_kb)));
  bool enough = given_kb >= more_kb - 1 || node->kind == NeedKind::kHash;
  if (!enough) {
    PoolShrink(tracker->reservation, static_cast<int64>(given_kb));
    return planned_kb;
  }
  NoteGrown(tracker, node->index, static_cast<double>(node->limit_kb) + given_kb, given_kb);
  return WorkMemFor(static_cast<double>(node->limit_kb), node->hash_limit);
}

void NodeIsSetUp(Tracker* tracker, int n) {
  ShapedNode* node = &tracker->memory.nodes[n];
  double used_kb = UsedKb(tracker, *node);
  node->used_kb = static_cast<float>(Max(0, used_kb));
  if (tracker->worker || node->settled || tracker->reservation == kNoReservation) return;
  if (tracker->plan.nodes[node->index].under_gather) return;
  if (used_kb >= 0) GiveBack(tracker, node, used_kb);
}

double HeldKbOf(const Tracker* tracker, int index) {
  for (int n = 0; n < tracker->memory.count; ++n)
    if (tracker->memory.nodes[n].index == index) return static_cast<double>(tracker->memory.nodes[n].held_kb);
  return 0;
}

void NoteGrown(Tracker* tracker, int index, double limit_kb, double more_kb) {
  for (int n = 0; n < tracker->memory.count; ++n) {
    ShapedNode* node = &tracker->memory.nodes[n];
    if (node->index != index) continue;
    node->limit_kb = static_cast<float>(limit_kb);
    RaiseGate(tracker, n, WorkMemFor(limit_kb, node->hash_limit));
    node->held_kb += static_cast<float>(more_kb);
    node->settled = false;
    if (!node->shaped) ++tracker->memory.shaped;
    node->shaped = true;
    tracker->plan.nodes[index].memory_limit_kb = limit_kb;
  }
}

void WatchShaped(Tracker* tracker) {
  if (tracker->worker || tracker->reservation == kNoReservation) return;
  for (int n = 0; n < tracker->memory.count; ++n) {
    ShapedNode* node = &tracker->memory.nodes[n];
    if (node->settled || tracker->plan.nodes[node->index].under_gather) continue;
    int counted = node->index;
    if (node->kind == NeedKind::kHash)
      counted = tracker->plan.nodes[node->index].parent;
    else if (node->kind != NeedKind::kGroups)
      continue;
    const NodeCounters& counters = tracker->counters[counted];
    // One that has spilled goes on with other parts of its rows.
    if (!counters.filled || counters.batches > 1 || !(counters.memory_kb > 0)) continue;
    if (node->kind == NeedKind::kGroups && counters.batches > 0 && HasSpilled(tracker, *node)) continue;
    GiveBack(tracker, node, counters.memory_kb);
  }
}

void LearnNeedsOf(Tracker* tracker) {
  NodeLesson lessons[kShapedNodes];
  int count = 0;
  if (tracker->worker || tracker->late || settings::mode == kModeOff) return;
  for (int n = 0; n < tracker->memory.count; ++n) {
    ShapedNode* node = &tracker->memory.nodes[n];
    ReadNeed(tracker, node);
    if (!(node->needed_kb >= 0) || !tracker->complete) continue;
    lessons[count++] = {node->name, static_cast<double>(node->needed_kb), static_cast<double>(node->predicted_kb)};
  }
  LearnNeeds(lessons, count);
}

}  // namespace query_shaper
