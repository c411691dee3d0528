#include "pg/pg.h"

#include "core/plan/fingerprint.h"
#include "server/query/statement_facts.h"

#include <cmath>

#include "pg/guard.h"
#include "server/query/statement_name.h"
#include "server/shared_state.h"
#include "server/store/knowledge.h"
extern "C" {
#include "pgtime.h"
#include "utils/timestamp.h"
}

namespace query_shaper {

// The clock time that matters is that of the server's users: the time zone the server logs in, not the session's.
static Moment ReadMoment(int64_t query_id, uint64_t fingerprint) {
  Moment moment;
  pg_time_t now = timestamptz_to_time_t(GetCurrentTimestamp());
  const struct pg_tm* local = pg_localtime(&now, log_timezone);
  if (local != nullptr) {
    moment.hour = local->tm_hour + local->tm_min / 60.0;
    moment.weekday = local->tm_wday;
  }
  moment.seconds_since_last_run = SecondsSinceLastRun(query_id, fingerprint);
  moment.concurrency = static_cast<int>(pg_atomic_read_u32(&shared->running));
  moment.work_mem_kb = work_mem;
  return moment;
}

Estimate ColdEstimate(double total_cost, double at_least_ms) {
  // Default costs are in units of a sequential page read; 0.01 ms of it is what a cached one takes on current machines.
  double ms = std::isfinite(total_cost) ? total_cost * 0.01 : 1e9;
  if (!(ms >= at_least_ms)) ms = at_least_ms;
  Estimate estimate;
  estimate.log_sd = 1.5;
  for (int i = 0; i < kTargets; ++i) estimate.targets[i] = Quantity{0, 0, 0};
  estimate.targets[kTimeMs] = Quantity{ms, ms / 12, ms * 12};
  estimate.origin = Origin::kLinear;
  return estimate;
}

void DescribeStatement(const PlannedStmt* statement, const char* source_text, PlanTree* tree, StatementFacts* facts,
                       bool every_member) {
  ReadPlan(statement, ReadDepth::kFull, tree);
  tree->query_id = NameOf(statement, source_text);
  facts->estimate = ColdEstimate(statement->planTree->total_cost, 0);
  facts->fingerprint = 0;
  facts->features = FeatureVector();
  facts->has_pace = false;
  facts->band = BandScale();
  if (tree->left_out > 0) Count(kMetricPlansTooLarge);
  bool advised = pg::Advise("predict a statement", [&] {
    facts->fingerprint = PlanFingerprint(*tree);
    Moment moment = ReadMoment(tree->query_id, facts->fingerprint);
    facts->features = ExtractFeatures(*tree, moment);
    const SequenceQuestion question = {tree, moment.work_mem_kb, every_member};
    PredictStatement(tree->query_id, facts->fingerprint, facts->features, question, &facts->estimate, &facts->pace,
                     &facts->has_pace, &facts->band, nullptr);
  });
  if (!advised) Count(kMetricAdviceFailed);
}

}  // namespace query_shaper
