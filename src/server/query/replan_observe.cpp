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

// Rows that one scan of the node delivers at least, as far as it has come; positioned scans are extrapolated. Refined
// rows are those of all scans together.
double RowsSoFar(const Tracker* tracker, int i, bool repeated) {
  const NodeCounters& counters = tracker->counters[i];
  bool groups = tracker->plan.nodes[i].op == Operator::kAgg;
  double seen = groups ? Max(counters.rows, counters.held_rows) : counters.rows;
  double refined = tracker->progress.nodes()[i].refined_rows;
  if (repeated) return counters.loops <= 1 ? seen : -1;
  return counters.rows > 0 ? Max(seen, refined) : seen;
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
    if (key.parameterised || key.partial) continue;
    double exact = ExactRows(tracker, i);
    // Rows that HAVING has thrown away were groups all the same.
    bool filtered_groups = key.kind == RowKind::kGroup && tracked.state->qual != nullptr;
    double rows = exact >= 0 ? exact : RowsSoFar(tracker, i, key.repeated);
    if (exact < 0 && rows <= node.rows) continue;
    believed[i] = rows;
    if (key.key == 0) continue;
    AddOverride(overrides, &count, capacity,
                RowOverride{key.key, key.constants.hash, rows, exact < 0 || filtered_groups});
  }
  return AddShadowRows(tracker, overrides, count, capacity, believed);
}

}  // namespace query_shaper
