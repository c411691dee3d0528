// Joins that give out a million rows a second are counted in a share of the ticks: for the others their wrapper is laid
// off, and what they did meanwhile is estimated and added to its counts.
#include "pg/pg.h"

#include "server/query/counting.h"
#include "server/query/tracker.h"
#include "server/settings.h"

namespace query_shaper {
namespace {

// A row that takes a microsecond or less: of that a wrapper is some percent.
constexpr double kFastRowsPerMs = 1000;
constexpr uint64_t kRowsToSpare = 1'000'000;  // below, the saving is not worth an estimate
constexpr uint64_t kCallsToTell = 8;          // in the counted tick; fewer say less than the time does
constexpr uint64_t kTicksPerCounted = 4;
constexpr int kLongestTickMs = 100;  // what one tick shows is taken to hold for three more

int ChildOf(const PlanTree& plan, int node, ChildRole role) {
  for (int i = node + 1; i < plan.count; ++i)
    if (plan.nodes[i].parent == node && plan.nodes[i].role == role) return i;
  return -1;
}

// The first node below the aggregates at the top; -1: the top is none. Nobody keeps this node's rows, and who asks for
// them asks for all.
int AggregatedNode(const PlanTree& plan) {
  int node = 0;
  while (node >= 0 && plan.nodes[node].op == Operator::kAgg) node = ChildOf(plan, node, ChildRole::kOuter);
  return node > 0 ? node : -1;
}

bool IsWrapped(const TrackedNode& node) {
  return node.state != nullptr && node.wrapper >= 0 && StillWrapped(node.state, node.wrapper);
}

NodeWork WorkOf(const Tracker* tracker, const CountSample& sampled, double cpu_ms) {
  const Wrapper& wrapper = WrapperAt(tracker->nodes[sampled.node].wrapper);
  NodeWork work = {wrapper.rows, wrapper.ends, 0, cpu_ms};
  const TrackedNode& outer = tracker->nodes[sampled.outer];
  if (IsWrapped(outer)) work.calls = WrapperAt(outer.wrapper).rows + WrapperAt(outer.wrapper).ends;
  return work;
}

NodeWork Since(const NodeWork& then, const NodeWork& now) {
  return {now.rows - then.rows, now.ends - then.ends, now.calls - then.calls, now.cpu_ms - then.cpu_ms};
}

// Adds what was not counted since the last look: for as many calls as much as in the tick that was counted last. Where
// calls are few, for as much time, which is a little too little: without counting it goes faster.
void Credit(const Tracker* tracker, CountSample* sampled, double cpu_ms) {
  const NodeWork& counted = sampled->in_a_tick;
  const NodeWork uncounted = Since(sampled->so_far, WorkOf(tracker, *sampled, cpu_ms));
  const double ticks = counted.calls >= kCallsToTell
                           ? static_cast<double>(uncounted.calls) / static_cast<double>(counted.calls)
                           : Max(uncounted.cpu_ms, 0) / counted.cpu_ms;
  CreditWrapper(tracker->nodes[sampled->node].wrapper, static_cast<uint64_t>(ticks * static_cast<double>(counted.rows)),
                static_cast<uint64_t>(ticks * static_cast<double>(counted.ends)));
  sampled->so_far = WorkOf(tracker, *sampled, cpu_ms);
}

// Once a tick; counted_tick: from this one to the next the node is counted.
void Look(const Tracker* tracker, CountSample* sampled, bool counted_tick, double cpu_ms) {
  const TrackedNode& node = tracker->nodes[sampled->node];
  const bool over = tracker->counters[sampled->outer].ended;
  if (sampled->laid_off) {
    Credit(tracker, sampled, cpu_ms);
    if ((counted_tick || over) && RecallWrapper(node.state, node.wrapper)) sampled->laid_off = false;
    return;
  }
  const NodeWork now = WorkOf(tracker, *sampled, cpu_ms);
  const NodeWork in_a_tick = Since(sampled->so_far, now);
  sampled->so_far = now;
  if (counted_tick || over || now.rows < kRowsToSpare || in_a_tick.cpu_ms <= 0 ||
      static_cast<double>(in_a_tick.rows) < kFastRowsPerMs * in_a_tick.cpu_ms)
    return;
  if (!LayOffWrapper(node.state, node.wrapper)) return;
  sampled->laid_off = true;
  sampled->in_a_tick = in_a_tick;
}

void Sample(Tracker* tracker, int node, int outer) {
  CountSample* const sampled = &tracker->sampled[tracker->sampled_count];
  *sampled = {};
  sampled->node = static_cast<short>(node);
  sampled->outer = static_cast<short>(outer);
  ++tracker->sampled_count;
}

}  // namespace

void ChooseSampled(Tracker* tracker) {
  const PlanTree& plan = tracker->plan;
  tracker->sampled_count = 0;
  if (tracker->worker) return;
  const int join = AggregatedNode(plan);
  if (join < 0 || plan.nodes[join].under_gather) return;
  const Operator op = plan.nodes[join].op;
  if (op != Operator::kNestLoop && op != Operator::kHashJoin) return;
  const int outer = ChildOf(plan, join, ChildRole::kOuter), inner = ChildOf(plan, join, ChildRole::kInner);
  if (outer < 0) return;
  Sample(tracker, join, outer);
  if (op == Operator::kNestLoop && inner >= 0) Sample(tracker, inner, outer);
}

void SampleCounts(Tracker* tracker, double cpu_ms) {
  if (settings::tick_interval_ms > kLongestTickMs) return;
  const bool counted_tick = MyBackendSlot()->ticks % kTicksPerCounted == 0;
  for (int i = 0; i < tracker->sampled_count; ++i) {
    CountSample* const sampled = &tracker->sampled[i];
    if (IsWrapped(tracker->nodes[sampled->node])) Look(tracker, sampled, counted_tick, cpu_ms);
  }
}

void SettleCounts(Tracker* tracker, double cpu_ms) {
  if (!tracker->attached) return;
  for (int i = 0; i < tracker->sampled_count; ++i) {
    CountSample* const sampled = &tracker->sampled[i];
    const TrackedNode& node = tracker->nodes[sampled->node];
    if (!sampled->laid_off || !IsWrapped(node)) continue;
    Credit(tracker, sampled, cpu_ms);
    sampled->laid_off = !RecallWrapper(node.state, node.wrapper);
    sampled->end_missed = true;
  }
}

bool EndMissed(const Tracker* tracker, int node) {
  for (int i = 0; i < tracker->sampled_count; ++i)
    if (tracker->sampled[i].node == node) return tracker->complete && tracker->sampled[i].end_missed;
  return false;
}

}  // namespace query_shaper
