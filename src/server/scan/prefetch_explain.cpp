#include "pg/pg.h"

#include "server/scan/prefetch_explain.h"

#include "server/scan/access_lead.h"
#include "server/scan/row_sweep.h"
#include "server/scan/stage_ahead.h"
#include "server/shared_state.h"
#include "server/store/knowledge.h"
extern "C" {
#include "access/parallel.h"
#include "commands/explain.h"
#include "utils/rel.h"
}

namespace query_shaper {

namespace {

constexpr int64_t kWorthAnEvent = 100;  // blocks
constexpr int kWorthLearning = 32;      // steps

// What the scan met is the pattern of its index, for views and for what cannot see the index's entries.
void TeachModel(const PrefetchScanState* state) {
  if (state->trace.count < kWorthLearning || state->forced || IsParallelWorker()) return;
  AccessFigures figures = {};
  figures.visited = static_cast<double>(state->look.visited);
  const PredictionFigures predicted = PredictionsOf(state);
  figures.issued = static_cast<double>(state->figures.asked + predicted.asked);
  figures.used = static_cast<double>(Max(state->figures.used + predicted.used - state->look.late, 0));
  figures.wasted = static_cast<double>(state->figures.wasted + predicted.asked - predicted.used);
  LearnAccess(RelationGetRelid(state->heap), RelationGetRelid(state->index), state->trace, figures);
}

}  // namespace

void ExplainFigures(const PrefetchFigures& figures, int64_t late, ExplainState* explain) {
  if (explain->format == EXPLAIN_FORMAT_TEXT) {
    appendStringInfoSpaces(explain->str, explain->indent * 2);
    appendStringInfo(explain->str,
                     "Prefetched: " INT64_FORMAT "  Used: " INT64_FORMAT "  Wasted: " INT64_FORMAT
                     "  Late: " INT64_FORMAT,
                     static_cast<int64>(figures.asked), static_cast<int64>(figures.used),
                     static_cast<int64>(figures.wasted), static_cast<int64>(late));
    return;
  }
  ExplainPropertyInteger("Prefetched Blocks", nullptr, figures.asked, explain);
  ExplainPropertyInteger("Prefetch Requests", nullptr, figures.requests, explain);
  ExplainPropertyInteger("Prefetches Used", nullptr, figures.used, explain);
  ExplainPropertyInteger("Prefetches Wasted", nullptr, figures.wasted, explain);
  ExplainPropertyInteger("Prefetches Late", nullptr, late, explain);
  ExplainPropertyInteger("Prefetches Failed", nullptr, figures.failed, explain);
}

void CountFigures(const PrefetchFigures& figures, int64_t late) {
  if (figures.asked <= 0) return;
  Count(kMetricPrefetches, static_cast<uint64_t>(figures.asked));
  Count(kMetricPrefetchesUsed, static_cast<uint64_t>(figures.used));
  Count(kMetricPrefetchesWasted, static_cast<uint64_t>(figures.wasted));
  Count(kMetricPrefetchesLate, static_cast<uint64_t>(late));
  Count(kMetricPrefetchesFailed, static_cast<uint64_t>(figures.failed));
}

void ExplainPrefetch(CustomScanState* scan, List*, ExplainState* explain) {
  const auto* state = reinterpret_cast<const PrefetchScanState*>(scan);
  if (!explain->analyze || !state->watching) return;
  const PrefetchFigures& figures = state->figures;
  const PredictionFigures predicted = PredictionsOf(state);
  const StagedFigures staged = StagedOf(state);
  const char* pattern = PatternName(JudgedPattern(state->window));
  if (explain->format == EXPLAIN_FORMAT_TEXT) {
    // Costs off means that what differs from run to run is not wanted.
    if (!explain->costs) return;
    ExplainFigures(figures, state->look.late, explain);
    appendStringInfo(explain->str, "  Distance: %d  Pattern: %s\n", state->look.highest, pattern);
    if (figures.swept > 0) {
      appendStringInfoSpaces(explain->str, explain->indent * 2);
      appendStringInfo(explain->str, "Swept: " INT64_FORMAT "  Chunks: " INT64_FORMAT "  Unused: " INT64_FORMAT "\n",
                       static_cast<int64>(figures.swept), static_cast<int64>(figures.swept_blocks),
                       static_cast<int64>(UnusedRows(state)));
    }
    if (figures.windows > 0) {
      appendStringInfoSpaces(explain->str, explain->indent * 2);
      appendStringInfo(explain->str,
                       "In Block Order: " INT64_FORMAT "  Visits: " INT64_FORMAT "  Windows: " INT64_FORMAT "\n",
                       static_cast<int64>(figures.ordered), static_cast<int64>(figures.ordered_blocks),
                       static_cast<int64>(figures.windows));
    }
    if (predicted.asked > 0) {
      appendStringInfoSpaces(explain->str, explain->indent * 2);
      appendStringInfo(explain->str, "Predicted: " INT64_FORMAT "  Used: " INT64_FORMAT "  Late: " INT64_FORMAT "\n",
                       static_cast<int64>(predicted.asked), static_cast<int64>(predicted.used),
                       static_cast<int64>(predicted.late));
    }
    if (state->reach != nullptr) {
      appendStringInfoSpaces(explain->str, explain->indent * 2);
      appendStringInfo(explain->str, "Staged: " INT64_FORMAT "  Staged Late: " INT64_FORMAT "\n",
                       static_cast<int64>(staged.staged), static_cast<int64>(staged.late));
    }
    return;
  }
  ExplainFigures(figures, state->look.late, explain);
  ExplainPropertyInteger("Predicted Blocks", nullptr, predicted.asked, explain);
  ExplainPropertyInteger("Predictions Used", nullptr, predicted.used, explain);
  ExplainPropertyInteger("Predictions Late", nullptr, predicted.late, explain);
  if (state->reach != nullptr) {
    ExplainPropertyInteger("Staged Blocks", nullptr, staged.staged, explain);
    ExplainPropertyInteger("Staged Late", nullptr, staged.late, explain);
  }
  ExplainPropertyInteger("Rows Swept", nullptr, figures.swept, explain);
  ExplainPropertyInteger("Chunks Swept", nullptr, figures.swept_blocks, explain);
  ExplainPropertyInteger("Swept Rows Unused", nullptr, UnusedRows(state), explain);
  ExplainPropertyInteger("Entries in Block Order", nullptr, figures.ordered, explain);
  ExplainPropertyInteger("Visits in Block Order", nullptr, figures.ordered_blocks, explain);
  ExplainPropertyInteger("Windows in Block Order", nullptr, figures.windows, explain);
  ExplainPropertyInteger("Prefetch Distance", nullptr, state->look.highest, explain);
  ExplainPropertyInteger("Reads Waited For", nullptr, state->look.waited, explain);
  ExplainPropertyText("Access Pattern", pattern, explain);
}

void ReportPrefetch(const PrefetchScanState* state) {
  if (!state->watching || shared == nullptr) return;
  const PrefetchFigures& figures = state->figures;
  CountFigures(figures, state->look.late);
  const PredictionFigures predicted = PredictionsOf(state);
  if (predicted.asked > 0) {
    Count(kMetricPredictions, static_cast<uint64_t>(predicted.asked));
    Count(kMetricPredictionsUsed, static_cast<uint64_t>(predicted.used));
    Count(kMetricPredictionsWasted, static_cast<uint64_t>(predicted.asked - predicted.used));
    Count(kMetricPredictionsLate, static_cast<uint64_t>(predicted.late));
  }
  TeachModel(state);
  bool gave_up = !state->asking && figures.failed > 0;
  bool mattered = gave_up || (state->asking ? figures.asked >= kWorthAnEvent : state->look.waited >= kWorthAnEvent);
  if (!mattered || IsParallelWorker()) return;
  // The one in the plan, which also carries the query's identifier.
  const PlanState* node = &state->scan.ss.ps;
  char details[240];
  snprintf(details, sizeof details,
           "{\"relation\": %u, \"prefetched\": " INT64_FORMAT ", \"used\": " INT64_FORMAT ", \"wasted\": " INT64_FORMAT
           ", \"failed\": " INT64_FORMAT ", \"late\": " INT64_FORMAT ", \"waited\": " INT64_FORMAT
           ", \"distance\": %d}",
           RelationGetRelid(state->heap), static_cast<int64>(figures.asked), static_cast<int64>(figures.used),
           static_cast<int64>(figures.wasted), static_cast<int64>(figures.failed), static_cast<int64>(state->look.late),
           static_cast<int64>(state->look.waited), state->look.highest);
  RecordEvent("prefetch",
              gave_up         ? "declined"
              : state->asking ? "done"
                              : "advised",
              static_cast<int64_t>(node->state->es_plannedstmt->queryId), node->plan->plan_node_id,
              gave_up         ? "requests for blocks failed"
              : state->asking ? "blocks were asked for ahead"
                              : "reads were waited for that the index foretold",
              details);
}

}  // namespace query_shaper
