// Rows of the views metrics and models: figures of shared memory, each of fixed cardinality.
#include "pg/pg.h"

#include "pg/guard.h"
#include "server/pool/pool_demand.h"
#include "server/pool/waiting_turn.h"
#include "server/shared_rows.h"
#include "server/shared_state.h"
#include "server/store/knowledge.h"

#include <cmath>

extern "C" {
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
}

namespace query_shaper {

struct MetricText {
  Metric metric;
  const char* name;
  const char* help;
};

static const MetricText kMetricTexts[] = {
    {kMetricOutcomesSent, "outcomes_sent_total", "Finished statements handed to a learner."},
    {kMetricOutcomesDropped, "outcomes_dropped_total", "Finished statements dropped because the ring was full."},
    {kMetricOutcomesStored, "outcomes_stored_total", "Finished statements written to the tables."},
    {kMetricEventsDropped, "events_dropped_total", "Events dropped because the ring was full."},
    {kMetricTrackersExhausted, "trackers_exhausted_total",
     "Statements not tracked because their process tracked as many as it can."},
    {kMetricPlansTooLarge, "plans_too_large_total", "Plans of which only the first nodes were read."},
    {kMetricAdviceFailed, "advice_failed_total", "Failures of a model that a statement went on without."},
    {kMetricModelsCorrupt, "models_corrupt_total", "Stored models and profiles that were damaged and started anew."},
    {kMetricLearnerStarts, "learner_starts_total", "Starts of learners."},
    {kMetricLearnerFailures, "learner_failures_total", "Learners that ended with an error."},
    {kMetricLearnerNoWorkerSlot, "learner_no_worker_slot_total",
     "Learners that could not start because every background worker slot was taken."},
    {kMetricDatabasesFull, "databases_full_total", "Databases not learned from because every slot was taken."},
    {kMetricProfilesEvicted, "profiles_evicted_total", "Profiles that made room for others in shared memory."},
    {kMetricPauses, "pauses_total", "Statements held in place."},
    {kMetricResumes, "resumes_total", "Held statements that went on."},
    {kMetricLateTrackings, "late_trackings_total", "Statements planned cheap whose tracking began while they ran."},
    {kMetricWrappersExhausted, "wrappers_exhausted_total", "Plan nodes left uncounted because no counter was free."},
    {kMetricRowsLearned, "rows_learned_total", "Row counts of plan nodes that were learned."},
    {kMetricRowsEvicted, "rows_evicted_total", "Learned row counts that made room for others in shared memory."},
    {kMetricPlansEvicted, "known_plans_evicted_total",
     "Statements whose known plans made room for others in shared memory."},
    {kMetricReplans, "replans_total", "Running statements given another plan."},
    {kMetricKeptRows, "replan_kept_rows_total", "Rows of finished work that the new plan of a statement took over."},
    {kMetricOutcomesLost, "outcomes_lost_total", "Finished statements lost with a learner that failed."},
    {kMetricSubplanMemoHits, "subplan_memo_hits_total", "Runs of correlated subqueries answered from memory."},
    {kMetricSubplanMemoMisses, "subplan_memo_misses_total", "Runs of correlated subqueries whose results were kept."},
    {kMetricSubplanMemosGivenUp, "subplan_memos_given_up_total",
     "Correlated subqueries whose results were no longer kept because parameters repeat too rarely."},
    {kMetricPrefetches, "prefetches_total", "Blocks that scans asked for ahead."},
    {kMetricPrefetchesUsed, "prefetches_used_total", "Blocks asked for ahead that their scan came to."},
    {kMetricPrefetchesWasted, "prefetches_wasted_total", "Blocks asked for ahead that their scan did not come to."},
    {kMetricPrefetchesLate, "prefetches_late_total", "Blocks asked for ahead that had to be waited for."},
    {kMetricPrefetchesFailed, "prefetches_failed_total",
     "Requests that the operating system refused; their blocks were read in the ordinary way."},
    {kMetricPredictions, "predictions_total", "Blocks that scans asked for because their access model said so."},
    {kMetricPredictionsUsed, "predictions_used_total", "Predicted blocks that their scan came to."},
    {kMetricPredictionsWasted, "predictions_wasted_total", "Predicted blocks that their scan did not come to."},
    {kMetricPredictionsLate, "predictions_late_total", "Predicted blocks that had to be waited for."},
    {kMetricStagedBlocks, "staged_blocks_total", "Blocks that stagers read ahead of statements."},
    {kMetricStagedHits, "staged_hits_total", "Blocks of staged extents that statements then read."},
    {kMetricStagedLate, "staged_late_total", "Blocks that statements read before they were staged as wanted."},
    {kMetricStagingFailed, "staging_failed_total",
     "Extents that could not be staged, or whose stager died; their blocks were read in the ordinary way."},
    {kMetricStagerStarts, "stager_starts_total", "Stagers started."},
    {kMetricReservations, "reservations_total", "Reservations made in the pool."},
    {kMetricReservationsShort, "reservations_short_total", "Reservations that got less memory than they wanted."},
    {kMetricReservationsRefused, "reservations_refused_total",
     "Statements without a reservation because their process had as many as it can."},
    {kMetricPoolUnmetKb, "pool_unmet_memory_kb_total", "Memory that reservations wanted and the pool had not."},
    {kMetricPoolUnmetWorkers, "pool_unmet_workers_total", "Workers that reservations wanted and the pool had not."},
    {kMetricHeapGivenBackKb, "heap_given_back_kb_total",
     "Memory that processes handed back to the system after large statements."},
    {kMetricQueued, "queued_total", "Statements that waited for memory."},
    {kMetricQueueTimeouts, "queue_timeouts_total", "Statements that waited for memory as long as they may."},
    {kMetricGivingWay, "giving_way_total", "Times that statements began to give way to those of higher priority."},
    {kMetricGivingWayMs, "giving_way_ms_total", "Milliseconds that statements rested to give way."},
    {kMetricSequenceLessons, "sequence_lessons_total", "Finished statements kept for training the sequence model."},
    {kMetricSequenceVersions, "sequence_versions_total", "Versions of the sequence model that were put to use."},
    {kMetricSequenceRejected, "sequence_rejected_total",
     "Trainings of the sequence model whose result was no better than the version in use."},
    {kMetricSequenceRollbacks, "sequence_rollbacks_total",
     "Versions of the sequence model taken back because the one before predicted better."},
};
static_assert(lengthof(kMetricTexts) == kMetrics, "every metric has a name and a help text");

static void PutMetric(ReturnSetInfo* sink, const char* name, const char* type, const char* help, double value,
                      const char* labels = "{}") {
  bool nulls[5] = {};
  Datum values[5] = {CStringGetTextDatum(name), CStringGetTextDatum(type), CStringGetTextDatum(help),
                     DirectFunctionCall1(jsonb_in, CStringGetDatum(const_cast<char*>(labels))), Float8GetDatum(value)};
  tuplestore_putvalues(sink->setResult, sink->setDesc, values, nulls);
}

static void PutCounters(ReturnSetInfo* sink) {
  for (const MetricText& text : kMetricTexts)
    PutMetric(sink, text.name, "counter", text.help,
              static_cast<double>(pg_atomic_read_u64(&shared->metrics[text.metric])));
  uint64 statements = 0, tracked = 0, ticks = 0;
  for (int i = 0; i < shared->backends; ++i) {
    const BackendSlot* const slot = BackendAt(i);
    statements += slot->statements;
    tracked += slot->tracked_statements;
    ticks += slot->ticks;
  }
  PutMetric(sink, "statements_total", "counter", "Statements executed.", static_cast<double>(statements));
  PutMetric(sink, "tracked_statements_total", "counter", "Statements tracked from their start.",
            static_cast<double>(tracked));
  PutMetric(sink, "ticks_total", "counter", "Looks at running statements.", static_cast<double>(ticks));
}

template <typename At>
static int RecordsInUse(At at, int count) {
  int used = 0;
  for (int i = 0; i < count; ++i) used += pg_atomic_read_u32(&at(i)->state) != kRecordFree;
  return used;
}

static void PutGauges(ReturnSetInfo* sink) {
  PutMetric(sink, "tracked_running", "gauge", "Tracked statements running now, nested ones not counted.",
            pg_atomic_read_u32(&shared->running));
  LWLockAcquire(shared->lock, LW_SHARED);
  int databases = 0, learners = 0;
  uint32 pending = 0;
  for (int i = 0; i < shared->databases; ++i) {
    DatabaseSlot* const slot = DatabaseAt(i);
    if (slot->state == DatabaseState::kUnknown) continue;
    ++databases;
    learners += slot->learner_pid != 0;
    pending += pg_atomic_read_u32(&slot->pending);
  }
  LWLockRelease(shared->lock);
  LWLockAcquire(shared->knowledge_lock, LW_SHARED);
  const long profiles = hash_get_num_entries(Profiles());
  LWLockRelease(shared->knowledge_lock);
  LWLockAcquire(shared_rows->lock, LW_SHARED);
  const long rows = hash_get_num_entries(RowTable());
  const long plans = hash_get_num_entries(PlansTable());
  LWLockRelease(shared_rows->lock);
  PutMetric(sink, "databases", "gauge", "Databases known.", databases);
  PutMetric(sink, "databases_capacity", "gauge", "Databases that shared memory has room for.", shared->databases);
  PutMetric(sink, "learners", "gauge", "Learners running now.", learners);
  PutMetric(sink, "outcomes_pending", "gauge", "Outcomes and events that wait for a learner.", pending);
  PutMetric(sink, "outcome_records_used", "gauge", "Records of the ring of outcomes in use.",
            RecordsInUse(OutcomeAt, kOutcomeRecords));
  PutMetric(sink, "outcome_records_capacity", "gauge", "Records of the ring of outcomes.", kOutcomeRecords);
  PutMetric(sink, "event_records_used", "gauge", "Records of the ring of events in use.",
            RecordsInUse(EventAt, kEventRecords));
  PutMetric(sink, "event_records_capacity", "gauge", "Records of the ring of events.", kEventRecords);
  PutMetric(sink, "profiles", "gauge", "Profiles in shared memory.", static_cast<double>(profiles));
  PutMetric(sink, "profiles_capacity", "gauge", "Profiles that shared memory has room for.", shared->profile_capacity);
  PutMetric(sink, "row_estimates", "gauge", "Learned row counts in shared memory.", static_cast<double>(rows));
  PutMetric(sink, "row_estimates_capacity", "gauge", "Learned row counts that shared memory has room for.",
            shared_rows->row_capacity);
  PutMetric(sink, "known_plans", "gauge", "Statements whose plans are known in shared memory.",
            static_cast<double>(plans));
  PutMetric(sink, "known_plans_capacity", "gauge", "Statements whose plans shared memory has room for.",
            shared_rows->plans_capacity);
}

static void PutSlice(ReturnSetInfo* sink, int kind, int resource, const PoolDemand& demand) {
  char labels[128];
  std::snprintf(labels, sizeof labels, "{\"resource\": \"%s\", \"slice\": \"%s\"}", PoolResourceName(resource),
                SliceKindName(kind));
  PutMetric(sink, "pool_slice_held", "gauge", "What reservations of a kind of slice hold: kB, workers, requests.",
            static_cast<double>(demand.running[kind].held[resource]), labels);
  PutMetric(sink, "pool_slice_unmet", "gauge",
            "What reservations of a kind of slice want more, and statements that wait: kB, workers, requests.",
            static_cast<double>(demand.running[kind].unmet[resource] + demand.waiting[kind].unmet[resource]), labels);
}

static void PutPool(ReturnSetInfo* sink) {
  PoolDemand demand;
  ReadPoolDemand(&demand);
  for (int r = 0; r < kPoolResources; ++r) {
    char labels[64];
    std::snprintf(labels, sizeof labels, "{\"resource\": \"%s\"}", PoolResourceName(r));
    PutMetric(sink, "pool_capacity", "gauge", "What the pool has: kB, workers, requests.",
              static_cast<double>(CapacityOf(shared_pool->accounts[r])), labels);
    PutMetric(sink, "pool_reserved", "gauge", "What of the pool is reserved: kB, workers, requests.",
              static_cast<double>(ReservedOf(shared_pool->accounts[r])), labels);
    for (int kind = 0; kind < kSliceKinds; ++kind) PutSlice(sink, kind, r, demand);
  }
  PutMetric(sink, "pool_waiting", "gauge", "Statements that wait for memory now.", LineLength());
}

QUERY_SHAPER_FUNCTION(query_shaper_metrics) {
  RequireSharedState();
  InitMaterializedSRF(fcinfo, 0);
  auto* const sink = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  PutCounters(sink);
  PutGauges(sink);
  PutPool(sink);
  return 0;
}

static void PutModel(ReturnSetInfo* sink, const Models& models, const SequenceModel& sequence, int index,
                     const char* name) {
  const ErrorStats& errors = models.errors[index][kTimeMs];
  const bool recurrent = index == static_cast<int>(Origin::kSequence);
  const int64_t trained_at_s = recurrent ? sequence.trained_at_s : models.trained_at_s;
  const bool scored = errors.samples > 0;
  const bool member = index < kModels;
  bool nulls[8] = {false, false, trained_at_s == 0, false, !scored, !scored, !member, !member};
  const TimestampTz trained_at = time_t_to_timestamptz(static_cast<pg_time_t>(trained_at_s));
  Datum values[8] = {CStringGetTextDatum(name),
                     Int64GetDatum(recurrent ? sequence.version : models.version),
                     TimestampTzGetDatum(trained_at),
                     Float8GetDatum(errors.samples),
                     Float8GetDatum(scored ? ErrorQuantile(errors, 0.5) : 0),
                     Float8GetDatum(scored ? ErrorQuantile(errors, 0.9) : 0),
                     Float8GetDatum(member ? models.blend_weight[1][index] : 0),
                     Float8GetDatum(member ? models.blend_weight[0][index] : 0)};
  tuplestore_putvalues(sink->setResult, sink->setDesc, values, nulls);
}

QUERY_SHAPER_FUNCTION(query_shaper_models) {
  RequireSharedState();
  InitMaterializedSRF(fcinfo, 0);
  auto* const sink = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  auto* const models = static_cast<Models*>(palloc0(sizeof(Models)));
  auto* const sequence = static_cast<SequenceModel*>(palloc0(sizeof(SequenceModel)));
  CopyModels(models, sequence);
  for (int i = 0; i < kModels; ++i) PutModel(sink, *models, *sequence, i, OriginName(static_cast<Origin>(i)));
  PutModel(sink, *models, *sequence, kModels, OriginName(Origin::kBlend));
  return 0;
}

QUERY_SHAPER_FUNCTION(query_shaper_model_targets) {
  RequireSharedState();
  InitMaterializedSRF(fcinfo, 0);
  auto* const sink = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  auto* const models = static_cast<Models*>(palloc0(sizeof(Models)));
  auto* const sequence = static_cast<SequenceModel*>(palloc0(sizeof(SequenceModel)));
  CopyModels(models, sequence);
  for (int t = 0; t < kTargets; ++t) {
    const Target target = static_cast<Target>(t);
    double seen[kModels + 1], unseen[kModels + 1];
    TypicalWeights(*models, target, true, sequence->version > 0, seen);
    TypicalWeights(*models, target, false, sequence->version > 0, unseen);
    for (int i = 0; i <= kModels; ++i) {
      const ErrorStats& errors = models->errors[i][t];
      const bool scored = errors.samples > 0;
      const bool member = i < kModels;
      bool nulls[7] = {false, false, false, !scored, !scored, !member, !member};
      Datum values[7] = {CStringGetTextDatum(OriginName(static_cast<Origin>(i))),
                         CStringGetTextDatum(TargetName(target)),
                         Float8GetDatum(errors.samples),
                         Float8GetDatum(scored ? ErrorQuantile(errors, 0.5) : 0),
                         Float8GetDatum(scored ? ErrorQuantile(errors, 0.9) : 0),
                         Float8GetDatum(member ? seen[i] : 0),
                         Float8GetDatum(member ? unseen[i] : 0)};
      tuplestore_putvalues(sink->setResult, sink->setDesc, values, nulls);
    }
  }
  return 0;
}

}  // namespace query_shaper
