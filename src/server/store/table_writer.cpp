#include "pg/pg.h"

#include "pg/fault_point.h"
#include "server/settings.h"
#include "server/store/knowledge_tables.h"
#include "server/store/outcome_json.h"
#include "server/store/access_tables.h"
#include "server/store/need_tables.h"
#include "server/store/row_tables.h"
#include "server/store/sequence_knowledge.h"
#include "server/store/shared_profiles.h"
#include "server/store/stored_entries.h"
#include "server/store/table_call.h"

#include <algorithm>
#include <cmath>

extern "C" {
#include "access/xact.h"
#include "commands/extension.h"
#include "utils/snapmgr.h"
}

namespace query_shaper {

namespace {

constexpr int64 kUnixEpochUsec = (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;

// Several runs of one statement with one plan by one user, as one change of its row.
struct HistoryChange {
  const OutcomeRecord* last;
  int64 calls, failed;
  double succeeded, mean_ms, sum_square_ms, min_ms, max_ms;
  int64 rows, peak_memory_kb, temp_kb, blocks_read, blocks_hit;
  TimestampTz first_seen, last_seen;
};

bool Begin() {
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  SPI_connect();
  PushActiveSnapshot(GetTransactionSnapshot());
  return OidIsValid(get_extension_oid("query_shaper", true));
}

void End() {
  PopActiveSnapshot();
  SPI_finish();
  CommitTransactionCommand();
}

// bigint columns take whatever was counted.
int64 Whole(double value) { return std::isfinite(value) ? static_cast<int64>(std::clamp(value, 0.0, 9e18)) : 0; }

double Plain(double value) { return std::isfinite(value) ? value : 0; }

int CompareStatement(const OutcomeRecord* a, const OutcomeRecord* b) {
  if (a->user != b->user) return a->user < b->user ? -1 : 1;
  if (a->query_id != b->query_id) return a->query_id < b->query_id ? -1 : 1;
  if (a->fingerprint != b->fingerprint) return a->fingerprint < b->fingerprint ? -1 : 1;
  return 0;
}

void AddRun(const OutcomeRecord* run, HistoryChange* change) {
  const Actual& actual = run->actual;
  change->last = run;
  ++change->calls;
  change->first_seen = change->calls == 1 ? run->started : Min(change->first_seen, run->started);
  change->last_seen = change->calls == 1 ? run->finished : Max(change->last_seen, run->finished);
  change->rows += Whole(actual.targets[kRows]);
  change->peak_memory_kb = Max(change->peak_memory_kb, Whole(actual.targets[kMemoryKb]));
  change->temp_kb += Whole(actual.targets[kTempKb]);
  change->blocks_read += run->blocks_read;
  change->blocks_hit += run->blocks_hit;
  if (run->error_sqlstate != 0) {
    ++change->failed;
    return;
  }
  // Welford's recurrence.
  const double ms = Plain(actual.targets[kTimeMs]);
  change->succeeded += 1;
  const double off = ms - change->mean_ms;
  change->mean_ms += off / change->succeeded;
  change->sum_square_ms += off * (ms - change->mean_ms);
  change->min_ms = change->succeeded > 1 ? Min(change->min_ms, ms) : ms;
  change->max_ms = Max(change->max_ms, ms);
}

const char* const kUpdateHistory =
    "UPDATE query_shaper.history_data SET query = CASE WHEN $4 = '' THEN query ELSE $4 END,"
    " calls = calls + $5, failed_calls = failed_calls + $6,"
    " mean_ms = CASE WHEN $7 = 0 THEN mean_ms ELSE mean_ms + ($8 - mean_ms) * $7 / (calls - failed_calls + $7) END,"
    " sum_square_ms = CASE WHEN $7 = 0 THEN sum_square_ms ELSE sum_square_ms + $9"
    "   + ($8 - mean_ms) * ($8 - mean_ms) * $7 * (calls - failed_calls) / (calls - failed_calls + $7) END,"
    " min_ms = CASE WHEN $7 = 0 THEN min_ms WHEN calls = failed_calls THEN $10 ELSE LEAST(min_ms, $10) END,"
    " max_ms = CASE WHEN $7 = 0 THEN max_ms ELSE GREATEST(max_ms, $11) END,"
    " rows = rows + $12, peak_memory_kb = GREATEST(peak_memory_kb, $13), temp_kb = temp_kb + $14,"
    " blocks_read = blocks_read + $15, blocks_hit = blocks_hit + $16,"
    " weight = weight * power(2::float8, GREATEST(-60, LEAST(0, extract(epoch FROM last_seen - $17)::float8 / $20))) + "
    "$7,"
    " first_seen = LEAST(first_seen, $21), last_seen = GREATEST(last_seen, $17), features = $18::jsonb, last_run = "
    "$19::jsonb"
    " WHERE ctid = (SELECT ctid FROM query_shaper.history_data WHERE user_id = $1 AND query_id = $2 AND fingerprint = "
    "$3"
    "   ORDER BY last_seen DESC LIMIT 1)";

const char* const kInsertHistory =
    "INSERT INTO query_shaper.history_data (user_id, query_id, fingerprint, query, calls, failed_calls, mean_ms,"
    " sum_square_ms, min_ms, max_ms, rows, peak_memory_kb, temp_kb, blocks_read, blocks_hit, weight, first_seen, "
    "last_seen,"
    " features, last_run) SELECT $1, $2, $3, $4, $5, $6, $8, $9, $10, $11, $12, $13, $14, $15, $16, $7, $21, $17,"
    " $18::jsonb, $19::jsonb WHERE $20 > 0";

void SetHistory(const HistoryChange& change, const char* features, const char* run, TableCall* call) {
  const OutcomeRecord& last = *change.last;
  call->Id(last.user).Integer(last.query_id).Integer(static_cast<int64>(last.fingerprint)).Text(ValidText(last.query));
  call->Integer(change.calls).Integer(change.failed).Number(change.succeeded).Number(change.mean_ms);
  call->Number(change.sum_square_ms).Number(change.min_ms).Number(change.max_ms).Integer(change.rows);
  call->Integer(change.peak_memory_kb).Integer(change.temp_kb).Integer(change.blocks_read).Integer(change.blocks_hit);
  call->Time(change.last_seen).Text(features).Text(run).Number(settings::half_life_s).Time(change.first_seen);
}

void WriteHistory(const Batch& batch) {
  auto** const runs = static_cast<const OutcomeRecord**>(palloc(sizeof(OutcomeRecord*) * (batch.outcome_count + 1)));
  std::copy(batch.outcomes, batch.outcomes + batch.outcome_count, runs);
  std::sort(runs, runs + batch.outcome_count, [](const OutcomeRecord* a, const OutcomeRecord* b) {
    const int order = CompareStatement(a, b);
    return order != 0 ? order < 0 : a->number < b->number;
  });
  TableCall update(kUpdateHistory);
  TableCall insert(kInsertHistory);
  for (int i = 0; i < batch.outcome_count;) {
    HistoryChange change{};
    const OutcomeRecord* const first = runs[i];
    while (i < batch.outcome_count && CompareStatement(first, runs[i]) == 0) AddRun(runs[i++], &change);
    StringInfoData features;
    StringInfoData run;
    initStringInfo(&features);
    initStringInfo(&run);
    AppendFeaturesJson(change.last->features, &features);
    AppendRunJson(*change.last, &run);
    SetHistory(change, features.data, run.data, &update);
    if (update.Run() > 0) continue;
    SetHistory(change, features.data, run.data, &insert);
    insert.Run();
  }
}

void WritePredictions(const Batch& batch) {
  TableCall insert(
      "INSERT INTO query_shaper.prediction_data (at, user_id, query_id, fingerprint, origin, predicted_ms, low_ms,"
      " high_ms, actual_ms, predicted_memory_kb, actual_memory_kb, details)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb)");
  for (int i = 0; i < batch.outcome_count; ++i) {
    const OutcomeRecord& run = *batch.outcomes[i];
    if (!run.predicted || run.late || !run.actual.complete) continue;
    const Quantity& time = run.made.targets[kTimeMs];
    StringInfoData details;
    initStringInfo(&details);
    AppendPredictionJson(run, &details);
    insert.Time(run.finished).Id(run.user).Integer(run.query_id).Integer(static_cast<int64>(run.fingerprint));
    insert.Text(OriginName(run.made.origin)).Number(Plain(time.value)).Number(Plain(time.low)).Number(Plain(time.high));
    insert.Number(Plain(run.actual.targets[kTimeMs])).Integer(Whole(run.made.targets[kMemoryKb].value));
    insert.Integer(Whole(run.actual.targets[kMemoryKb])).Text(details.data);
    insert.Run();
  }
}

void WriteEvents(const Batch& batch) {
  TableCall insert(
      "INSERT INTO query_shaper.event_data (at, pid, user_id, query_id, action, verdict, node_id, reason, details)"
      " VALUES ($1, $2, $3, NULLIF($4, 0), $5, $6, NULLIF($7, -1), $8, $9::jsonb)");
  for (int i = 0; i < batch.event_count; ++i) {
    const EventRecord& event = *batch.events[i];
    StringInfoData details;
    initStringInfo(&details);
    AppendDetailsJson(event.details, &details);
    insert.Time(event.at).Add(INT4OID, Int32GetDatum(event.pid)).Id(event.user).Integer(event.query_id);
    insert.Text(ValidText(event.action)).Text(ValidText(event.verdict)).Add(INT4OID, Int32GetDatum(event.node_id));
    insert.Text(ValidText(event.reason)).Text(details.data);
    insert.Run();
  }
}

void WriteProfiles(const EntryBatch<ProfileEntry>& batch) {
  TableCall update(
      "UPDATE query_shaper.profile_data SET last_seen = $3, state = $4 WHERE query_id = $1 AND fingerprint = $2");
  TableCall insert(
      "INSERT INTO query_shaper.profile_data (query_id, fingerprint, last_seen, state) VALUES ($1, $2, $3, $4)");
  for (int i = 0; i < batch.count; ++i) {
    const ProfileEntry& entry = batch.entries[i];
    bytea* const bytes = StoredBytes<WriteProfile>(entry.profile);
    const auto seen = static_cast<TimestampTz>(Plain(entry.profile.last_seen_s) * 1e6) - kUnixEpochUsec;
    for (TableCall* call : {&update, &insert}) {
      call->Integer(entry.key.query_id).Integer(static_cast<int64>(entry.key.fingerprint)).Time(seen).Bytes(bytes);
      if (call->Run() > 0) break;
    }
    pfree(bytes);
  }
}

void WriteModelRow(const char* name, uint32_t version, int64_t trained_at_s, double samples, const ErrorStats* errors,
                   double weight, const bytea* state, TableCall* update, TableCall* insert) {
  const double p50 = errors != nullptr ? ErrorQuantile(*errors, 0.5) : std::nan("");
  const double p90 = errors != nullptr ? ErrorQuantile(*errors, 0.9) : std::nan("");
  for (TableCall* call : {update, insert}) {
    call->Text(name).Integer(version);
    call->Add(TIMESTAMPTZOID, TimestampTzGetDatum(trained_at_s * USECS_PER_SEC - kUnixEpochUsec), trained_at_s == 0);
    call->Number(Plain(samples)).Add(FLOAT8OID, Float8GetDatum(p50), !std::isfinite(p50));
    call->Add(FLOAT8OID, Float8GetDatum(p90), !std::isfinite(p90));
    call->Add(FLOAT8OID, Float8GetDatum(weight), !std::isfinite(weight)).Bytes(state);
    if (call->Run() > 0) break;
  }
}

bytea* SequenceBytes(const SequenceModel& sequence) {
  const uint32_t needed = WriteSequence(sequence, nullptr, 0);
  auto* const bytes = static_cast<bytea*>(palloc(VARHDRSZ + needed));
  WriteSequence(sequence, VARDATA(bytes), needed);
  SET_VARSIZE(bytes, VARHDRSZ + needed);
  return bytes;
}

// A model that was never trained has a row without a state, which also takes a damaged one out of the table.
void WriteModelRows(const Models& models, const SequenceModel& sequence) {
  TableCall update(
      "UPDATE query_shaper.model_data SET version = $2, trained_at = $3, samples = $4, q_error_p50 = $5, q_error_p90 = "
      "$6,"
      " weight = $7, state = $8 WHERE name = $1");
  TableCall insert(
      "INSERT INTO query_shaper.model_data (name, version, trained_at, samples, q_error_p50, q_error_p90, weight, "
      "state)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
  const uint32_t needed = WriteModels(models, nullptr, 0);
  auto* const bytes = static_cast<bytea*>(palloc(VARHDRSZ + needed));
  WriteModels(models, VARDATA(bytes), needed);
  SET_VARSIZE(bytes, VARHDRSZ + needed);
  const double samples = models.errors[kModels][kTimeMs].samples;
  WriteModelRow("models", models.version, models.trained_at_s, samples, nullptr, std::nan(""), bytes, &update, &insert);
  // Figures are those of time; weights those among statements that have been seen before.
  for (int i = 0; i < kModels; ++i) {
    const Origin origin = static_cast<Origin>(i);
    const bool recurrent = origin == Origin::kSequence;
    WriteModelRow(OriginName(origin), recurrent ? sequence.version : models.version,
                  recurrent ? sequence.trained_at_s : models.trained_at_s, models.errors[i][kTimeMs].samples,
                  &models.errors[i][kTimeMs], models.blend_weight[1][i],
                  recurrent && sequence.version > 0 ? SequenceBytes(sequence) : nullptr, &update, &insert);
  }
  WriteModelRow(OriginName(Origin::kBlend), models.version, models.trained_at_s, samples,
                &models.errors[kModels][kTimeMs], 1, nullptr, &update, &insert);
}

void ClearDirty(const EntryBatch<ProfileEntry>& written, DatabaseSlot* slot, const Models* models,
                uint32_t sequence_version) {
  LWLockAcquire(shared->knowledge_lock, LW_EXCLUSIVE);
  for (int i = 0; i < written.count; ++i) {
    const ProfileKey& key = written.entries[i].key;
    ProfileEntry* const entry = FindProfile(key.database, key.query_id, key.fingerprint);
    if (entry != nullptr) entry->dirty = false;
  }
  if (models != nullptr) {
    slot->loaded_version = models->version;
    if (slot->models.version == models->version) slot->models_dirty = false;
    SequenceSlot* const sequence = SequenceOf(slot);
    sequence->loaded_version = sequence_version;
    if (sequence->published.version == sequence_version) sequence->dirty = false;
  }
  LWLockRelease(shared->knowledge_lock);
}

}  // namespace

TableResult WriteKnowledge(DatabaseSlot* slot, const Batch& batch, bool with_models) {
  const uint32_t generation = slot->generation;
  if (!Begin()) {
    End();
    return TableResult::kAbsent;
  }
  WriteHistory(batch);
  WritePredictions(batch);
  WriteEvents(batch);
  // What is written outlives the transaction, whose memory SPI takes along: it is settled after the commit.
  static MemoryContext row_context;
  if (row_context == nullptr)
    row_context = AllocSetContextCreate(TopMemoryContext, "query_shaper learned rows", ALLOCSET_DEFAULT_SIZES);
  MemoryContextReset(row_context);
  const auto profiles = CopyDirty<ProfileEntry>(Profiles(), shared->knowledge_lock, slot->database, row_context);
  WriteProfiles(profiles);
  Models* models = nullptr;
  uint32_t sequence_version = 0;
  if (with_models) {
    auto* const sequence = static_cast<SequenceModel*>(palloc(sizeof(SequenceModel)));
    models = static_cast<Models*>(MemoryContextAlloc(row_context, sizeof(Models)));
    LWLockAcquire(shared->knowledge_lock, LW_SHARED);
    *models = slot->models;
    CopySequence(slot, sequence);
    LWLockRelease(shared->knowledge_lock);
    sequence_version = sequence->version;
    WriteModelRows(*models, *sequence);
  }
  const RowBatch rows = WriteRowTables(slot, row_context);
  const AccessBatch access = WriteAccessTable(slot, row_context);
  const NeedBatch needs = WriteNeedTable(slot, row_context);
  pg::FaultPoint("write");
  if (slot->generation != generation) {
    AbortCurrentTransaction();
    return TableResult::kOverrun;
  }
  End();
  ClearDirty(profiles, slot, models, sequence_version);
  SettleAccessTable(access);
  SettleNeedTable(needs);
  SettleRowTables(slot, rows);
  MemoryContextReset(row_context);
  return TableResult::kDone;
}

TableResult TrimTables() {
  if (!Begin()) {
    End();
    return TableResult::kAbsent;
  }
  // Ordered by the logarithm of the weight decayed to one moment.
  TableCall(
      "DELETE FROM query_shaper.history_data WHERE ctid = ANY (ARRAY(SELECT ctid FROM query_shaper.history_data"
      " ORDER BY ln(GREATEST(weight, 0) + 0.01) / ln(2::float8) + extract(epoch FROM last_seen)::float8 / $2 DESC "
      "OFFSET $1))")
      .Integer(settings::history_max)
      .Number(settings::half_life_s)
      .Run();
  TableCall(
      "DELETE FROM query_shaper.prediction_data"
      " WHERE at <= (SELECT at FROM query_shaper.prediction_data ORDER BY at DESC OFFSET $1 LIMIT 1)")
      .Integer(settings::events_max)
      .Run();
  TableCall(
      "DELETE FROM query_shaper.event_data"
      " WHERE at <= (SELECT at FROM query_shaper.event_data ORDER BY at DESC OFFSET $1 LIMIT 1)")
      .Integer(settings::events_max)
      .Run();
  TableCall(
      "DELETE FROM query_shaper.profile_data WHERE ctid = ANY (ARRAY(SELECT ctid FROM query_shaper.profile_data"
      " ORDER BY last_seen DESC OFFSET $1))")
      .Integer(shared->profile_capacity)
      .Run();
  TrimRowTables();
  TrimAccessTable();
  TrimNeedTable();
  End();
  return TableResult::kDone;
}

}  // namespace query_shaper
