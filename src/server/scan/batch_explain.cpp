// What a batch reader says of itself.
#include "pg/pg.h"

#include "server/scan/batch_state.h"
#include "server/scan/prefetch_explain.h"
#include "server/shared_state.h"
#include "server/store/knowledge.h"
extern "C" {
#include "access/parallel.h"
#include "commands/explain.h"
#include "utils/rel.h"
}

namespace query_shaper {

namespace {

constexpr int64_t kBatchWorthAnEvent = 100;  // blocks

}  // namespace

void ExplainBatch(CustomScanState* scan, List*, ExplainState* explain) {
  const auto* state = reinterpret_cast<const BatchState*>(scan);
  if (!explain->analyze) return;
  if (state->declined != nullptr && (explain->costs || explain->format != EXPLAIN_FORMAT_TEXT))
    ExplainPropertyText("Not Read Ahead", state->declined, explain);
  if (!state->watching) return;
  const PrefetchFigures& figures = state->figures;
  if (explain->format == EXPLAIN_FORMAT_TEXT) {
    // Costs off means that what differs from run to run is not wanted.
    if (!explain->costs) return;
    ExplainFigures(figures, state->look.late, explain);
    appendStringInfo(explain->str, "  Rows Ahead: %d\n", state->look.highest);
    return;
  }
  ExplainFigures(figures, state->look.late, explain);
  ExplainPropertyInteger("Rows Ahead", nullptr, state->look.highest, explain);
  ExplainPropertyInteger("Reads Waited For", nullptr, state->look.waited, explain);
  ExplainPropertyInteger("Look-Ups Spared", nullptr, state->fed, explain);
}

void ReportBatch(const BatchState* state) {
  if (!state->watching || shared == nullptr) return;
  const PrefetchFigures& figures = state->figures;
  CountFigures(figures, state->look.late);
  bool mattered =
      figures.asked >= kBatchWorthAnEvent || (figures.asked == 0 && state->look.waited >= kBatchWorthAnEvent);
  if (!mattered || IsParallelWorker()) return;
  const PlanState* node = &state->scan.ss.ps;
  const char* reason = state->declined;
  const char* verdict = "declined";
  if (reason == nullptr) {
    verdict = figures.asked > 0 ? "done" : "advised";
    reason = figures.asked > 0 ? "blocks of a nested loop were asked for ahead"
                               : "reads of a nested loop were waited for that its outer rows foretold";
  }
  char details[200];
  snprintf(details, sizeof details,
           "{\"prefetched\": " INT64_FORMAT ", \"used\": " INT64_FORMAT ", \"wasted\": " INT64_FORMAT
           ", \"late\": " INT64_FORMAT ", \"waited\": " INT64_FORMAT ", \"rows_ahead\": %d}",
           static_cast<int64>(figures.asked), static_cast<int64>(figures.used), static_cast<int64>(figures.wasted),
           static_cast<int64>(state->look.late), static_cast<int64>(state->look.waited), state->look.highest);
  RecordEvent("prefetch", verdict, static_cast<int64_t>(node->state->es_plannedstmt->queryId), node->plan->plan_node_id,
              reason, details);
}

}  // namespace query_shaper
