// Joins that give out a million rows a second are counted in a share of the ticks.
#include "pg/pg.h"

#include "server/query/counting.h"
#include "server/query/tracker.h"
#include "server/settings.h"

namespace query_shaper {
namespace {

// A row that takes a microsecond or less: of that a wrapper is some percent.
constexpr double kRowsPerMs = 1000;
constexpr uint64_t kRowsToSpare = 1'000'000;  // below, the saving is not worth an estimate
constexpr uint64_t kCallsToTell = 8;          // of a tick
constexpr uint64_t kCountedTick = 4;          // one tick in so many
constexpr int kLongestTickMs = 100;           // what one tick shows is taken to hold for three more

int ChildOf(const PlanTree& plan, int node, ChildRole role) {
  for (int i = node + 1; i < plan.count; ++i)
    if (plan.nodes[i].parent == node && plan.nodes[i].role == role) return i;
  return -1;
}

// Whether the node's rows go through nothing but aggregates: nobody keeps them, and who asks for them asks for all.
bool OnlyAggregated(const PlanTree& plan, int node) {
  for (int i = node; plan.nodes[i].role != ChildRole::kRoot; i = plan.nodes[i].parent) {
    if (plan.nodes[i].role != ChildRole::kOuter || plan.nodes[plan.nodes[i].parent].op != Operator::kAgg) return false;
  }
  return plan.nodes[node].role != ChildRole::kRoot;
}

// Rows and ends of the node whose rows the join takes one by one; 0: nobody counts them.
uint64_t CallsOf(const Tracker* tracker, const CountSample& sample) {
  const TrackedNode& outer = tracker->nodes[sample.until - 1];
  if (outer.state == nullptr || outer.wrapper < 0 || !StillWrapped(outer.state, outer.wrapper)) return 0;
  const Wrapper& wrapper = WrapperAt(outer.wrapper);
  return wrapper.rows + wrapper.ends;
}

CountsSeen See(const Tracker* tracker, const TrackedNode& node, double cpu_ms) {
  const Wrapper& wrapper = WrapperAt(node.wrapper);
  return {wrapper.rows, wrapper.ends, CallsOf(tracker, node.sample), cpu_ms};
}

// What was not counted since the last look is as much as was for as many calls in the tick that was counted last;
// where these are few, in as much time, though without counting it goes a little faster.
void Credit(const Tracker* tracker, TrackedNode* node, double cpu_ms) {
  CountSample* sample = &node->sample;
  uint64_t calls = CallsOf(tracker, *sample);
  double share = sample->calls >= kCallsToTell
                     ? static_cast<double>(calls - sample->seen.calls) / static_cast<double>(sample->calls)
                     : Max(cpu_ms - sample->seen.cpu_ms, 0) / sample->cpu_ms;
  CreditWrapper(node->wrapper, static_cast<uint64_t>(share * static_cast<double>(sample->rows)),
                static_cast<uint64_t>(share * static_cast<double>(sample->ends)));
  sample->seen = See(tracker, *node, cpu_ms);
}

void Look(const Tracker* tracker, TrackedNode* node, bool counted, double cpu_ms) {
  CountSample* sample = &node->sample;
  bool over = tracker->counters[sample->until - 1].ended;
  if (sample->laid_off) {
    Credit(tracker, node, cpu_ms);
    if ((counted || over) && RecallWrapper(node->state, node->wrapper)) sample->laid_off = false;
    return;
  }
  CountsSeen before = sample->seen;
  sample->seen = See(tracker, *node, cpu_ms);
  const CountsSeen& now = sample->seen;
  double spent = now.cpu_ms - before.cpu_ms;
  if (counted || over || now.rows < kRowsToSpare || spent <= 0 ||
      static_cast<double>(now.rows - before.rows) < kRowsPerMs * spent)
    return;
  if (!LayOffWrapper(node->state, node->wrapper)) return;
  sample->laid_off = true;
  sample->rows = now.rows - before.rows;
  sample->ends = now.ends - before.ends;
  sample->calls = now.calls - before.calls;
  sample->cpu_ms = spent;
}

}  // namespace

void ChooseSampled(Tracker* tracker) {
  const PlanTree& plan = tracker->plan;
  for (int i = 0; i < plan.count; ++i) {
    const PlanNode& node = plan.nodes[i];
    if ((node.op != Operator::kNestLoop && node.op != Operator::kHashJoin) || node.under_gather ||
        !OnlyAggregated(plan, i))
      continue;
    int outer = ChildOf(plan, i, ChildRole::kOuter), inner = ChildOf(plan, i, ChildRole::kInner);
    if (outer < 0) continue;
    tracker->nodes[i].sample.until = static_cast<short>(outer + 1);
    if (node.op == Operator::kNestLoop && inner >= 0)
      tracker->nodes[inner].sample.until = static_cast<short>(outer + 1);
  }
}

void SampleCounts(Tracker* tracker, double cpu_ms) {
  if (settings::tick_interval_ms > kLongestTickMs) return;
  bool counted = MyBackendSlot()->ticks % kCountedTick == 0;
  for (int i = 0; i < tracker->plan.count; ++i) {
    TrackedNode* node = &tracker->nodes[i];
    if (node->sample.until > 0 && node->state != nullptr && node->wrapper >= 0 &&
        StillWrapped(node->state, node->wrapper))
      Look(tracker, node, counted, cpu_ms);
  }
}

void SettleCounts(Tracker* tracker, double cpu_ms) {
  if (!tracker->attached) return;
  for (int i = 0; i < tracker->plan.count; ++i) {
    TrackedNode* node = &tracker->nodes[i];
    if (!node->sample.laid_off || node->state == nullptr || !StillWrapped(node->state, node->wrapper)) continue;
    Credit(tracker, node, cpu_ms);
    node->sample.laid_off = !RecallWrapper(node->state, node->wrapper);
    node->sample.end_missed = true;
  }
}

bool EndMissed(const Tracker* tracker, int node) { return tracker->complete && tracker->nodes[node].sample.end_missed; }

}  // namespace query_shaper
