#include "pg/pg.h"

#include "core/pool/worker_number.h"
#include "server/query/shape_workers.h"

#include "pg/guard.h"
#include "server/plain_explain.h"
#include "server/pool/shared_pool.h"
#include "server/query/tracker.h"
#include "server/settings.h"
#include "server/store/knowledge.h"
extern "C" {
#include "access/parallel.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
}

namespace query_shaper {
namespace {

bool IsGather(const PlanNode& node) { return node.op == Operator::kGather || node.op == Operator::kGatherMerge; }

int MostOf(const PlanNode& node) {
  // Gather Merge has laid out its inputs for those planned.
  return node.op == Operator::kGather ? Max(static_cast<int>(node.workers), max_parallel_workers_per_gather)
                                      : node.workers;
}

int WantedOf(const Tracker* tracker, const PlanNode& node) {
  // How many are worth it is a matter of the machine's speed, which no expected output knows.
  if (ExplainsPlainly()) return Min(static_cast<int>(node.workers), MostOf(node));
  const Estimate& estimate = tracker->estimate;
  WorkerQuestion question;
  question.planned = node.workers;
  question.most = MostOf(node);
  question.predicted_ms = estimate.targets[kTimeMs].value;
  // What was never run says nothing of the time that it takes.
  question.log_sd = estimate.seen > 0 ? estimate.log_sd : 10;
  double total = tracker->plan.nodes[0].total_cost;
  question.parallel_share = total > 0 ? node.total_cost / total : 1;
  return WorkersWorth(question);
}

void SetWorkers(Tracker* tracker, int i, int workers) {
  PlanState* state = tracker->nodes[i].state;
  MemoryContext home = tracker->query->estate->es_query_cxt;
  size_t bytes = IsA(state, GatherState) ? sizeof(Gather) : sizeof(GatherMerge);
  auto* copy = static_cast<Plan*>(MemoryContextAlloc(home, bytes));
  memcpy(static_cast<void*>(copy), state->plan, bytes);
  if (IsA(state, GatherState))
    reinterpret_cast<Gather*>(copy)->num_workers = workers;
  else
    reinterpret_cast<GatherMerge*>(copy)->num_workers = workers;
  state->plan = copy;
  tracker->plan.nodes[i].workers = static_cast<int16_t>(workers);
}

bool CanBeSet(const Tracker* tracker, int i) {
  const PlanState* state = tracker->nodes[i].state;
  if (state == nullptr || !IsGather(tracker->plan.nodes[i])) return false;
  if (IsA(state, GatherState)) {
    auto* gather = reinterpret_cast<const GatherState*>(state);
    return !gather->initialized && gather->pei == nullptr && !reinterpret_cast<const Gather*>(state->plan)->single_copy;
  }
  auto* merge = reinterpret_cast<const GatherMergeState*>(state);
  return !merge->initialized && merge->pei == nullptr;
}

void Tell(const Tracker* tracker, int i, const char* verdict, int planned, int workers, const char* reason) {
  char details[kEventTextBytes];
  std::snprintf(details, sizeof details, "{\"planned\": %d, \"workers\": %d, \"predicted_ms\": %.1f}", planned, workers,
                tracker->estimate.targets[kTimeMs].value);
  RecordEvent("workers", verdict, tracker->plan.query_id, tracker->plan.nodes[i].node_id, reason, details);
}

}  // namespace

void ReadWorkers(Tracker* tracker, PoolClaim* claim) {
  claim->workers = 0;
  if (!tracker->has_gather) return;
  for (int i = 0; i < tracker->plan.count; ++i)
    if (IsGather(tracker->plan.nodes[i])) claim->workers += WantedOf(tracker, tracker->plan.nodes[i]);
}

void ShapeWorkers(Tracker* tracker) {
  bool act = Does(settings::workers);
  if (!tracker->has_gather || tracker->worker || tracker->late || (!act && !Advises(settings::workers))) return;
  bool pooled = act && tracker->reservation != kNoReservation;
  int left = pooled ? tracker->grant.workers : tracker->claim.workers;
  for (int i = 0; i < tracker->plan.count; ++i) {
    const PlanNode& node = tracker->plan.nodes[i];
    if (!CanBeSet(tracker, i)) continue;
    int planned = node.workers, wanted = WantedOf(tracker, node);
    // Without a place in the pool the server's own limits are what holds.
    int workers = pooled ? Min(wanted, left) : Min(wanted, planned);
    left -= Min(left, workers);
    if (workers == planned) continue;
    if (act) SetWorkers(tracker, i, workers);
    Tell(tracker, i, act ? "done" : "advised", planned, workers,
         workers < wanted    ? "no more workers are free"
         : workers < planned ? "its predicted time is not worth more workers"
                             : "its predicted time is worth more workers");
  }
}

}  // namespace query_shaper
