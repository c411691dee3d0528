#include "pg/pg.h"

#include "server/query/row_learning.h"

#include "server/query/counting.h"
#include "server/query/plan_note.h"
#include "server/settings.h"
extern "C" {
#include "executor/executor.h"
}

namespace query_shaper {
namespace {

constexpr int kBatch = 16;

int NodeWithId(const Tracker* tracker, int id) { return id >= 0 && id < kNodeIds ? tracker->by_id[id] : -1; }

bool Ended(const Tracker* tracker, int id) {
  int node = NodeWithId(tracker, id);
  return node >= 0 && tracker->nodes[node].wrapper >= 0 && WrapperAt(tracker->nodes[node].wrapper).ends > 0;
}

// Whether every worker that was started has added its rows to ours. Another statement of this process that is tracked
// in parallel, too, makes a mess of the figures.
bool WorkersReported(const Tracker* tracker) {
  if (tracker->nest_level != 0 || tracker->query->estate->es_top_eflags != 0) return false;
  uint32 launched = 0;
  for (int i = 0; i < tracker->plan.count; ++i) {
    const PlanState* state = tracker->nodes[i].state;
    if (state == nullptr) continue;
    if (IsA(state, GatherState))
      launched += static_cast<uint32>(reinterpret_cast<const GatherState*>(state)->nworkers_launched);
    else if (IsA(state, GatherMergeState))
      launched += static_cast<uint32>(reinterpret_cast<const GatherMergeState*>(state)->nworkers_launched);
  }
  return pg_atomic_read_u32(&MyBackendSlot()->worker_reports) == launched;
}

// Timed and counted by PostgreSQL (EXPLAIN ANALYZE); it does not tell whether a node was read to its end.
bool InstrumentedRows(const Tracker* tracker, const Instrumentation* counts, const NodeKey& key, double* rows) {
  double loops = counts->nloops + (counts->running ? 1 : 0);
  // A unique match ends its loop early with all there is.
  if ((key.cut_short && key.loops_from < 0) || loops < 1 || !tracker->complete) return false;
  *rows = counts->ntuples + counts->tuplecount;
  if (!key.partial) *rows /= loops;
  return true;
}

// Scans of the node whose end was counted; -1: it is not counted.
double LoopsEnded(const Tracker* tracker, int node) {
  const TrackedNode& tracked = tracker->nodes[node];
  if (tracked.state == nullptr || tracked.wrapper < 0 || !StillWrapped(tracked.state, tracked.wrapper)) return -1;
  return static_cast<double>(WrapperAt(tracked.wrapper).ends);
}

// More rows than planned before the end: how many there would have been is unknown, but the plan's figure is too small.
bool RowsInExcess(const Tracker* tracker, int node, const NodeKey& key, double* rows) {
  constexpr double kExcess = 2;
  const TrackedNode& tracked = tracker->nodes[node];
  if (key.partial || tracked.state == nullptr || tracked.wrapper < 0 || !StillWrapped(tracked.state, tracked.wrapper))
    return false;
  const Wrapper& counts = WrapperAt(tracked.wrapper);
  *rows = static_cast<double>(counts.rows);
  if (key.repeated) {
    // The loop that was under way is among the others.
    if (key.cut_short || counts.ends < 2) return false;
    *rows /= static_cast<double>(counts.ends);
    return true;
  }
  return *rows > kExcess * Max(key.planned_rows, 1);
}

// Of a tracker that came while the statement ran: what was counted since is too few, but where it is far more than
// planned it is nearer to the truth than the plan. Averages over look-ups miss nothing but those before.
bool LateRows(const Tracker* tracker, int node, const NodeKey& key, double* rows) {
  constexpr double kEnough = 10;
  const TrackedNode& tracked = tracker->nodes[node];
  if (tracked.state == nullptr || !tracker->complete) return false;
  if (!key.repeated || tracked.state->instrument != nullptr) {
    return tracked.state->instrument != nullptr ? InstrumentedRows(tracker, tracked.state->instrument, key, rows)
                                                : RowsInExcess(tracker, node, key, rows);
  }
  int outer = NodeWithId(tracker, key.loops_from);
  if (outer < 0) return !key.partial && LoopsEnded(tracker, node) >= kEnough && RowsInExcess(tracker, node, key, rows);
  if (key.partial || LoopsEnded(tracker, node) < 0 || LoopsEnded(tracker, outer) < 0) return false;
  double loops = static_cast<double>(WrapperAt(tracker->nodes[outer].wrapper).rows);
  *rows = static_cast<double>(WrapperAt(tracked.wrapper).rows) / Max(loops, 1);
  return loops >= kEnough;
}

RowFact FactOf(const NodeKey& node, uint64_t key, const RowConstants& constants, double natural_rows,
               double planner_rows, double actual_rows) {
  RowFact fact = {};
  fact.key = key;
  fact.kind = node.kind;
  fact.constants = constants;
  fact.natural_rows = natural_rows;
  fact.planner_rows = planner_rows;
  fact.actual_rows = actual_rows;
  fact.relation_rows = node.relation_rows;
  fact.relation_count = node.relation_count;
  memcpy(fact.relations, node.relations, sizeof fact.relations);
  return fact;
}

void AddFact(RowFact* facts, int* count, const RowFact& fact, const char* text) {
  // A Gather and the node below it show the same.
  for (int f = 0; f < *count; ++f)
    if (facts[f].key == fact.key && facts[f].constants.hash == fact.constants.hash) return;
  RowFact* added = &facts[(*count)++];
  *added = fact;
  if (text != nullptr) strlcpy(added->clauses, text, sizeof added->clauses);
}

}  // namespace

bool CompleteRows(const Tracker* tracker, int node, const NodeKey& key, double* rows) {
  const TrackedNode& tracked = tracker->nodes[node];
  const PlanState* state = tracked.state;
  if (state == nullptr) return false;
  if (state->instrument != nullptr) return InstrumentedRows(tracker, state->instrument, key, rows);
  if (tracked.wrapper < 0 || !StillWrapped(state, tracked.wrapper)) return false;
  const Wrapper& counts = WrapperAt(tracked.wrapper);
  *rows = static_cast<double>(counts.rows);
  if (key.partial) {
    if (key.cut_short || key.repeated || !Ended(tracker, key.gather) || !WorkersReported(tracker)) return false;
    int id = state->plan->plan_node_id;
    if (id >= kMaxPlanNodes) return false;
    *rows += static_cast<double>(pg_atomic_read_u64(&MyBackendSlot()->worker_rows[id]));
    return true;
  }
  if (key.repeated && key.loops_from >= 0) {
    int outer = NodeWithId(tracker, key.loops_from);
    if (outer < 0 || !tracker->complete || tracker->nodes[outer].state == nullptr ||
        tracker->nodes[outer].wrapper < 0 || !StillWrapped(tracker->nodes[outer].state, tracker->nodes[outer].wrapper))
      return false;
    double loops = static_cast<double>(WrapperAt(tracker->nodes[outer].wrapper).rows);
    *rows /= Max(loops, 1);
    return loops >= 1;
  }
  if (counts.ends == 0 && !EndMissed(tracker, node)) return false;
  if (!key.repeated) return true;
  // Of loops that end early nobody says how many there were.
  if (key.cut_short || !tracker->complete) return false;
  *rows /= static_cast<double>(counts.ends);
  return true;
}

static void Learn(const Tracker* tracker, bool failed) {
  if (settings::learn_rows == kSwitchOff || settings::mode == kModeOff || tracker->worker || !tracker->attached) return;
  const EState* estate = tracker->query->estate;
  const PlanNote* note = NoteOf(tracker->query->plannedstmt);
  // Row security shows each role other rows under the same clauses, and none shall see how many another one sees.
  if (note != nullptr && note->secured) return;
  // A cursor that may go back counts rows twice.
  if (note == nullptr || estate == nullptr || (estate->es_top_eflags & (EXEC_FLAG_BACKWARD | EXEC_FLAG_REWIND)) != 0)
    return;
  RowFact facts[kBatch];
  int count = 0;
  for (int i = 0; i < tracker->plan.count; ++i) {
    int id = tracker->plan.nodes[i].node_id;
    if (id < 0 || id >= note->key_count || note->keys[id].key == 0) continue;
    const NodeKey& key = note->keys[id];
    double rows = 0;
    bool told = tracker->late ? LateRows(tracker, i, key, &rows) : CompleteRows(tracker, i, key, &rows);
    if (!told && failed) told = RowsInExcess(tracker, i, key, &rows);
    if (!told) continue;
    const char* text = note->clauses != nullptr ? note->clauses[id] : nullptr;
    AddFact(facts, &count, FactOf(key, key.key, key.constants, key.natural_rows, key.planned_rows, rows), text);
    if (key.passed_key != 0) {
      double passed = Min(rows * key.passed_scale, key.relation_rows);
      AddFact(
          facts, &count,
          FactOf(key, key.passed_key, key.passed_constants, key.passed_natural_rows, key.passed_natural_rows, passed),
          text);
    }
    if (count > kBatch - 2) {
      LearnRowFacts(facts, count);
      count = 0;
    }
  }
  LearnRowFacts(facts, count);
}

void BelieveLearnedRows(Tracker* tracker, bool foreign) {
  constexpr double kNaturalLogSd = 0.7;
  static double totals[kMaxPlanNodes], log_sd[kMaxPlanNodes];
  const PlanNote* note = NoteOf(tracker->query->plannedstmt);
  if (note == nullptr || note->secured) return;
  bool any = false;
  for (int i = 0; i < tracker->plan.count; ++i) {
    totals[i] = -1;
    int id = tracker->plan.nodes[i].node_id;
    if (id < 0 || id >= note->key_count) continue;
    const NodeKey& key = note->keys[id];
    if (key.key == 0 || key.parameterised || key.partial || key.repeated) continue;
    RowGuess known = RecallRows(key.key, key.constants, key.natural_rows, key.relation_rows);
    if (known.source != RowSource::kExact && !foreign) continue;
    bool guessed = known.source != RowSource::kNone;
    totals[i] = guessed ? known.rows : key.natural_rows;
    log_sd[i] = guessed ? known.log_sd : kNaturalLogSd;
    any = true;
  }
  if (any) tracker->progress.Believe(tracker->plan, totals, log_sd);
}

void LearnRowsOf(const Tracker* tracker) { Learn(tracker, false); }

void LearnFailedRowsOf(const Tracker* tracker) { Learn(tracker, true); }

}  // namespace query_shaper
