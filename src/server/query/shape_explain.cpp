// EXPLAIN (ANALYZE): what nodes were given beyond the server's settings, what they needed, and whether they spilled.
#include "pg/pg.h"

#include "server/query/replan.h"
#include "server/query/shape_memory.h"
#include "server/query/tracker.h"
extern "C" {
#include "commands/explain.h"
}

namespace query_shaper {
namespace {

struct Shown {
  int count;
  int node_ids[kShapedNodes];
  const char* operators[kShapedNodes];
  ShapedNode nodes[kShapedNodes];
};
Shown shown;

}  // namespace

void NoteShaped(const Tracker* tracker) {
  // Statements inside of the one that is explained have nothing to say here.
  if (!ExplainedHere()) return;
  shown.count = 0;
  for (int n = 0; n < tracker->memory.count; ++n) {
    const ShapedNode& node = tracker->memory.nodes[n];
    if (!node.shaped) continue;
    shown.node_ids[shown.count] = tracker->plan.nodes[node.index].node_id;
    shown.operators[shown.count] = OperatorName(tracker->plan.nodes[node.index].op);
    shown.nodes[shown.count++] = node;
  }
}

void ForgetShown() { shown.count = 0; }

void ShowShaped(ExplainState* explain) {
  for (int n = 0; n < shown.count; ++n) {
    const ShapedNode& node = shown.nodes[n];
    double processes = node.common ? static_cast<double>(node.processes) : 1;
    appendStringInfo(explain->str, "Memory of %s (node %d): Granted: %.0fkB  ", shown.operators[n], shown.node_ids[n],
                     static_cast<double>(node.limit_kb) * processes);
    if (node.common) appendStringInfo(explain->str, "Shared by: %.0f processes  ", processes);
    if (node.needed_kb >= 0)
      appendStringInfo(explain->str, "%s: %.0fkB  ", node.spilled ? "Needed" : "Used",
                       static_cast<double>(node.needed_kb));
    appendStringInfo(explain->str, "Spilled: %s\n",
                     node.needed_kb < 0 || node.kind == NeedKind::kDistinct ? "unknown"
                     : node.spilled                                         ? "yes"
                                                                            : "no");
  }
}

}  // namespace query_shaper
