// What a running plan has shown of its rows so far.
#include "pg/pg.h"

#include "server/query/counting.h"
#include "server/query/replan.h"
#include "server/query/shadow_launch.h"

namespace query_shaper {

namespace {

// Rows of one scan of a node whose end was seen; negative: not known. A tracker that came late has missed rows.
double ExactRows(const Tracker* tracker, int i) {
  const TrackedNode& node = tracker->nodes[i];
  if (tracker->late || node.wrapper < 0 || !StillWrapped(node.state, node.wrapper)) return -1;
  const Wrapper& wrapper = WrapperAt(node.wrapper);
  return wrapper.ends > 0 ? static_cast<double>(wrapper.first_end_rows) : -1;
}

// Rows that the groups held by a hash aggregate will be. Of those that HAVING looks at first the share that was planned
// is expected to pass: that they are many says nothing of it.
double RowsOfGroups(const Tracker* tracker, int i) {
  const PlanNode& node = tracker->plan.nodes[i];
  double held = node.op == Operator::kAgg ? tracker->counters[i].held_rows : 0;
  if (held <= 0 || tracker->nodes[i].state->qual == nullptr) return held;
  return node.groups > 0 ? held * Min(1.0, node.rows / node.groups) : 0;
}

// Rows that one scan of the node delivers at least, as far as it has come; positioned scans are extrapolated. Refined
// rows are those of all scans together.
double RowsSoFar(const Tracker* tracker, int i, bool repeated) {
  const NodeCounters& counters = tracker->counters[i];
  double seen = Max(counters.rows, RowsOfGroups(tracker, i));
  double refined = tracker->progress.nodes()[i].refined_rows;
  if (repeated) return counters.loops <= 1 ? seen : -1;
  return counters.rows > 0 ? Max(seen, refined) : seen;
}

// The same where the plan has expected as many: no surprise to this plan, but others may be made of a lower figure for
// the same rows. An extrapolation counts once a share of it was seen, before that it is little more than what was
// planned.
double RowsWithinPlan(const Tracker* tracker, int i, double rows) {
  constexpr double kEnoughSeen = 0.1;
  double seen = Max(tracker->counters[i].rows, 0);
  return seen >= kEnoughSeen * rows ? rows : Min(seen, rows);
}

// Rows per look-up, as far as it has been asked; negative: not known. *enough: they tell of those to come, too.
double RowsPerLookup(const Tracker* tracker, int i, const NodeKey& key, bool* enough) {
  constexpr uint64_t kEnough = 10;
  const TrackedNode& node = tracker->nodes[i];
  if (key.cut_short || tracker->late || node.wrapper < 0 || !StillWrapped(node.state, node.wrapper)) return -1;
  const Wrapper& wrapper = WrapperAt(node.wrapper);
  *enough = wrapper.ends >= kEnough;
  return wrapper.ends > 0 ? static_cast<double>(wrapper.rows) / static_cast<double>(wrapper.ends) : -1;
}

void AddOverride(RowOverride* overrides, int* count, int capacity, const RowOverride& found) {
  for (int i = 0; i < *count; ++i) {
    RowOverride* known = &overrides[i];
    if (known->key != found.key || known->constants != found.constants) continue;
    bool better =
        known->at_least ? !found.at_least || found.rows > known->rows : !found.at_least && found.rows > known->rows;
    if (better) *known = found;
    return;
  }
  if (*count < capacity) overrides[(*count)++] = found;
}

}  // namespace

int ObserveRows(Tracker* tracker, RowOverride* overrides, int capacity, double* believed) {
  const PlanNote* note = tracker->changes.note;
  int count = 0;
  for (int i = 0; i < tracker->plan.count; ++i) {
    believed[i] = -1;
    const PlanNode& node = tracker->plan.nodes[i];
    const TrackedNode& tracked = tracker->nodes[i];
    if (tracked.state == nullptr || node.under_gather) continue;
    if (node.node_id < 0 || node.node_id >= note->key_count) continue;
    const NodeKey& key = note->keys[node.node_id];
    if (key.partial) continue;
    if (key.parameterised) {
      bool enough = false;
      double rows = RowsPerLookup(tracker, i, key, &enough);
      if (rows < 0 || (!enough && rows <= node.rows)) continue;
      believed[i] = rows;
      if (key.key != 0)
        AddOverride(overrides, &count, capacity, RowOverride{key.key, key.constants.hash, rows, !enough});
      continue;
    }
    double exact = ExactRows(tracker, i);
    // Of what has no name nobody said whether it is repeated.
    double rows = exact >= 0 ? exact : RowsSoFar(tracker, i, key.repeated || key.key == 0);
    bool expected = exact < 0 && rows <= node.rows;
    if (!expected) believed[i] = rows;
    if (key.key == 0) continue;
    if (expected) rows = RowsWithinPlan(tracker, i, rows);
    if (expected && rows <= 0) continue;
    AddOverride(overrides, &count, capacity, RowOverride{key.key, key.constants.hash, rows, exact < 0});
  }
  return AddShadowRows(tracker, overrides, count, capacity, believed);
}

}  // namespace query_shaper
