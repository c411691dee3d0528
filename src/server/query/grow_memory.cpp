#include "pg/pg.h"

#include "core/decide/growth.h"
#include "server/query/grow_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cmath>

#include "server/pool/shared_pool.h"
#include "server/query/tracker.h"
#include "server/settings.h"
#include "server/store/knowledge.h"
extern "C" {
#include "executor/hashjoin.h"
#include "executor/nodeAgg.h"
#include "executor/nodeHash.h"
#include "nodes/execnodes.h"
}

namespace query_shaper {
namespace {

constexpr double kStatementShare = 4;      // of the memory that one hash table may have by the settings
constexpr double kMachineShare = 1 / 8.0;  // of what is available on the machine, or in its control group

// Reads the number behind `word` (or the first one); -1: none. Signal context: system calls alone.
double ReadNumber(const char* path, const char* word) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  char text[2048];
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return -1;
  text[length] = '\0';
  const char* at = text;
  size_t word_length = strlen(word);
  while (*at != '\0' && strncmp(at, word, word_length) != 0) ++at;
  if (*at == '\0') return -1;
  at += word_length;
  while (*at == ' ' || *at == '\t') ++at;
  if (*at < '0' || *at > '9') return -1;
  double number = 0;
  for (; *at >= '0' && *at <= '9'; ++at) number = number * 10 + (*at - '0');
  return number;
}

double SpareMachineKb() {
  double spare_kb = ReadNumber("/proc/meminfo", "MemAvailable:");
  if (spare_kb < 0) return 0;
  double most = ReadNumber("/sys/fs/cgroup/memory.max", "");
  double used = ReadNumber("/sys/fs/cgroup/memory.current", "");
  if (most >= 0 && used >= 0) spare_kb = Min(spare_kb, Max(0, (most - used) / 1024));
  return spare_kb * kMachineShare;
}

// A hash table as far as growth is concerned. Only one that is being filled and has not split can grow.
struct Growing {
  HashJoinTable join;
  AggState* agg;
  double allowed_kb;
  double planned_rows, expected_rows;
  double most_rows;  // groups: as many as rows come in; -1 unknown
};

int ChildOf(const Tracker* tracker, int parent, ChildRole role) {
  for (int child = parent + 1; child < tracker->plan.count; ++child)
    if (tracker->plan.nodes[child].parent == parent && tracker->plan.nodes[child].role == role) return child;
  return -1;
}

// Rows that a node will have taken in at most, -1 unknown: known of a heap scan alone, by its position. What is refined
// elsewhere leans on what was planned, which is what has turned out wrong.
double MostInput(const Tracker* tracker, int i) {
  constexpr double kLeastShare = 0.02;  // read, before which density says nothing
  constexpr double kUneven = 1.3;
  int input = ChildOf(tracker, i, ChildRole::kOuter);
  if (input < 0 || !tracker->nodes[input].heap_scan || tracker->plan.nodes[input].parallel_aware) return -1;
  const NodeCounters& scan = tracker->counters[input];
  if (scan.rows < 0 || scan.total_units <= 0 || scan.done_units < kLeastShare * scan.total_units) return -1;
  return kUneven * scan.rows * scan.total_units / scan.done_units;
}

bool ReadGrowing(const Tracker* tracker, int i, Growing* growing) {
  PlanState* state = tracker->nodes[i].state;
  if (state == nullptr) return false;
  *growing = Growing{};
  if (IsA(state, HashJoinState)) {
    auto* join = reinterpret_cast<HashJoinState*>(state);
    constexpr int kBuildHashTable = 1;  // HJ_BUILD_HASHTABLE of nodeHashjoin.c
    HashJoinTable table = join->hj_HashTable;
    if (table == nullptr || join->hj_JoinState != kBuildHashTable || table->parallel_state != nullptr ||
        table->nbatch != 1 || table->nbatch_original != 1 || !table->growEnabled)
      return false;
    growing->join = table;
    growing->allowed_kb = static_cast<double>(table->spaceAllowed) / 1024;
    int hash = ChildOf(tracker, i, ChildRole::kInner);
    if (hash < 0) return false;
    growing->planned_rows = tracker->plan.nodes[hash].rows;
    growing->expected_rows = static_cast<double>(tracker->progress.nodes()[hash].refined_rows);
    return true;
  }
  if (!IsA(state, AggState)) return false;
  auto* agg = reinterpret_cast<AggState*>(state);
  if ((agg->aggstrategy != AGG_HASHED && agg->aggstrategy != AGG_MIXED) || agg->table_filled ||
      agg->hash_ever_spilled || agg->hash_spill_mode || agg->hash_planned_partitions > 0 || agg->hash_mem_limit == 0)
    return false;
  growing->agg = agg;
  growing->allowed_kb = static_cast<double>(agg->hash_mem_limit) / 1024;
  growing->planned_rows = tracker->plan.nodes[i].rows;
  growing->most_rows = MostInput(tracker, i);
  if (growing->most_rows < 0) return false;
  growing->expected_rows = static_cast<double>(tracker->progress.nodes()[i].refined_rows);
  return true;
}

double SpareOfSettings(const GrowthState& state) {
  return Max(0, kStatementShare * static_cast<double>(get_hash_memory_limit()) / 1024 - state.grown_kb);
}

double SparePoolKb(double allowed_kb) {
  auto free_kb = static_cast<double>(PoolFreeKb());
  if (settings::memory_node_max_kb > 0) free_kb = Min(free_kb, Max(0, settings::memory_node_max_kb - allowed_kb));
  return free_kb;
}

// What the table may use by then is reserved whole; others may have come first.
bool TakeFromPool(Tracker* tracker, int i, const Growing& growing, const GrowthAnswer& answer) {
  int index = growing.join != nullptr ? ChildOf(tracker, i, ChildRole::kInner) : i;
  double more_kb = Max(1, std::ceil(answer.allowed_kb - HeldKbOf(tracker, index)));
  int64 given_kb = PoolGrow(tracker->reservation, static_cast<int64>(more_kb));
  if (static_cast<double>(given_kb) < more_kb) {
    PoolShrink(tracker->reservation, given_kb);
    return false;
  }
  NoteGrown(tracker, index, answer.allowed_kb, more_kb);
  return true;
}

GrownNode* FindGrown(GrowthState* state, int index) {
  for (int g = 0; g < state->count; ++g)
    if (state->nodes[g].index == index) return &state->nodes[g];
  return nullptr;
}

// Plain stores of figures that the executor reads when it compares; it never changes them while a table is filled.
void Raise(const Growing& growing, double allowed_kb) {
  if (growing.join != nullptr) {
    growing.join->spaceAllowed = static_cast<Size>(allowed_kb * 1024);
    return;
  }
  double fold = allowed_kb / growing.allowed_kb;
  double groups = static_cast<double>(growing.agg->hash_ngroups_limit) * fold;
  growing.agg->hash_ngroups_limit = groups < 1e18 ? static_cast<uint64>(groups) : PG_UINT64_MAX;
  growing.agg->hash_mem_limit = static_cast<Size>(allowed_kb * 1024);
}

}  // namespace

void WatchHashTables(Tracker* tracker) {
  bool act = Does(settings::grow_memory);
  if (tracker->worker || (!act && !Advises(settings::grow_memory))) return;
  GrowthState* state = &tracker->growth;
  for (int i = 0; i < tracker->plan.count; ++i) {
    const NodeCounters& counters = tracker->counters[i];
    double used_before_kb = static_cast<double>(tracker->memory_before_kb[i]);
    tracker->memory_before_kb[i] = static_cast<float>(counters.memory_kb);
    if (counters.held_rows <= 0) continue;
    Growing growing;
    if (!ReadGrowing(tracker, i, &growing)) continue;
    GrownNode* grown = FindGrown(state, i);
    if (grown != nullptr ? !grown->done : state->count == kGrownNodes) continue;
    GrowthQuestion question;
    question.used_kb = counters.memory_kb;
    question.used_before_kb = Min(used_before_kb, counters.memory_kb);
    question.allowed_kb = growing.allowed_kb;
    question.held_rows = counters.held_rows;
    question.planned_rows = growing.planned_rows;
    question.expected_rows = growing.expected_rows;
    question.only_if_sure = growing.agg != nullptr;
    question.most_rows = growing.most_rows;
    const bool pooled = tracker->reservation != kNoReservation && Does(settings::memory);
    question.spare_kb = pooled ? SparePoolKb(growing.allowed_kb) : SpareOfSettings(*state);
    GrowthAnswer answer = JudgeGrowth(question);
    if (answer.verdict == GrowthVerdict::kGrow && !pooled) {
      question.spare_kb = Min(question.spare_kb, SpareMachineKb());
      answer = JudgeGrowth(question);
    }
    if (answer.verdict == GrowthVerdict::kWait) continue;
    if (pooled && act && answer.verdict == GrowthVerdict::kGrow && !TakeFromPool(tracker, i, growing, answer))
      answer.verdict = GrowthVerdict::kDecline;
    if (grown == nullptr) {
      grown = &state->nodes[state->count];
      *grown = GrownNode{};
      grown->index = static_cast<short>(i);
      grown->from_kb = static_cast<float>(growing.allowed_kb);
    }
    bool grow = answer.verdict == GrowthVerdict::kGrow;
    // One that has grown and can grow no further will spill: what was done is what is told.
    if (!grow && grown->done) continue;
    grown->advised = grow && !act;
    grown->done = grow && act;
    if (grow) grown->to_kb = static_cast<float>(answer.allowed_kb);
    grown->needed_kb = static_cast<float>(answer.needed_kb);
    grown->held_rows = static_cast<float>(counters.held_rows);
    grown->planned_rows = static_cast<float>(growing.planned_rows);
    if (grown->done) {
      state->grown_kb += answer.allowed_kb - growing.allowed_kb;
      Raise(growing, answer.allowed_kb);
    }
    if (grown == &state->nodes[state->count]) ++state->count;
  }
}

void TellGrowth(Tracker* tracker, bool failed) {
  GrowthState* state = &tracker->growth;
  for (int g = 0; g < state->count; ++g) {
    GrownNode* grown = &state->nodes[g];
    if (grown->told) continue;
    grown->told = true;
    bool given = grown->to_kb > 0;
    char details[kEventTextBytes];
    std::snprintf(
        details, sizeof details,
        "{\"from_kb\": %.0f, \"to_kb\": %.0f, \"needed_kb\": %.0f, \"held_rows\": %.0f, \"planned_rows\": %.0f}",
        static_cast<double>(grown->from_kb), static_cast<double>(given ? grown->to_kb : grown->from_kb),
        static_cast<double>(grown->needed_kb), static_cast<double>(grown->held_rows),
        static_cast<double>(grown->planned_rows));
    SendStatementEvent(tracker, failed, "grow", grown->advised ? "advised" : (given ? "done" : "declined"),
                       tracker->plan.nodes[grown->index].node_id,
                       given ? "a hash table outgrew its plan"
                             : "a hash table outgrew its plan and all the memory that its statement may have",
                       details);
  }
}

}  // namespace query_shaper
