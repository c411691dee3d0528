#include "pg/pg.h"

#include "core/predict/scale.h"
#include "pg/fault_point.h"
#include "pg/guard.h"
#include "server/store/knowledge.h"
#include "server/store/knowledge_tables.h"
#include "server/store/row_knowledge.h"
#include "server/store/sequence_knowledge.h"
#include "server/store/table_call.h"

extern "C" {
#include "portability/instr_time.h"
}

namespace query_shaper {

namespace {

// Null when the bytes are sound, else why not. No PostgreSQL call inside.
bool ReadSequenceQuietly(const bytea* bytes, SequenceModel* model, char* failure, Size failure_bytes) noexcept {
  return pg::Quietly(failure, failure_bytes,
                     [&] { ReadSequence(VARDATA(bytes), static_cast<uint32_t>(VARSIZE(bytes) - VARHDRSZ), model); });
}

bool TrainQuietly(SequenceSlot* sequence, const instr_time& begun, int budget_ms, SequenceModel* candidate,
                  SliceEnd* end, char* failure, Size failure_bytes) noexcept {
  const auto go_on = [&] {
    instr_time now;
    INSTR_TIME_SET_CURRENT(now);
    INSTR_TIME_SUBTRACT(now, begun);
    return INSTR_TIME_GET_MILLISEC(now) < budget_ms;
  };
  return pg::Quietly(failure, failure_bytes, [&] {
    pg::FaultPoint("train_sequence");
    *end = TrainSlice(sequence->lessons, sequence->published, go_on, &sequence->training, candidate);
  });
}

void Publish(DatabaseSlot* slot, const SequenceModel& candidate, uint32_t generation) {
  SequenceSlot* const sequence = SequenceOf(slot);
  LWLockAcquire(shared->knowledge_lock, LW_EXCLUSIVE);
  if (sequence->generation == generation) {
    sequence->has_before = sequence->published.version > 0;
    sequence->before = sequence->published;
    sequence->published = candidate;
    sequence->published.trained_at_s = static_cast<int64_t>(EpochSeconds(GetCurrentTimestamp()));
    sequence->probation = SequenceProbation{};
    sequence->dirty = true;
    // A first version begins with the errors that it showed on held out statements; a later one with those of the
    // version before, which the coming outcomes correct.
    if (!sequence->has_before) BeginSequence(candidate.noise, &slot->models);
    slot->models_dirty = true;
  }
  LWLockRelease(shared->knowledge_lock);
}

}  // namespace

bool AskSequence(const DatabaseSlot* slot, const SequenceQuestion& question, const Profile* exact, const Profile* shape,
                 SequenceAnswer* answer) {
  answer->answers = false;
  if (slot == nullptr || question.plan == nullptr) return false;
  const SequenceSlot* const sequence = SequenceOf(slot);
  if (sequence->published.version == 0 || (!question.always && !SequenceWeighs(slot->models, exact, shape)))
    return false;
  PlanSequence steps;
  Moment moment;
  moment.work_mem_kb = question.work_mem_kb;
  ExtractSequence(*question.plan, moment, &steps);
  return AnswerSequence(sequence->published, steps, answer);
}

bool ScoreSequence(DatabaseSlot* slot, const OutcomeRecord* record, SequenceAnswer* answer) {
  SequenceSlot* const sequence = SequenceOf(slot);
  answer->answers = false;
  if (!AnswerSequence(sequence->published, record->sequence, answer)) return false;
  SequenceAnswer other;
  if (!sequence->has_before || !record->actual.complete || !AnswerSequence(sequence->before, record->sequence, &other))
    return false;
  double actual[kTargets];
  for (int t = 0; t < kTargets; ++t) actual[t] = ToLog(static_cast<Target>(t), record->actual.targets[t]);
  return OnProbation(SequenceLoss(answer->log, actual), SequenceLoss(other.log, actual), &sequence->probation);
}

void RollBackSequence(DatabaseSlot* slot) {
  SequenceSlot* const sequence = SequenceOf(slot);
  const uint32_t version = sequence->published.version + 1;
  sequence->published = sequence->before;
  sequence->published.version = version;
  sequence->has_before = false;
  sequence->dirty = true;
  slot->models_dirty = true;
  Count(kMetricSequenceRollbacks);
}

void KeepLesson(DatabaseSlot* slot, const OutcomeRecord* record) {
  if (!record->actual.complete || record->error_sqlstate != 0 || record->sequence.count <= 0) return;
  AddLesson(record->query_id, record->sequence, record->actual, &SequenceOf(slot)->lessons);
  Count(kMetricSequenceLessons);
}

bool TrainingIdle(const DatabaseSlot* slot, bool asked) {
  const SequenceSlot* const sequence = SequenceOf(slot);
  return !TrainingDue(sequence->lessons, sequence->training, asked);
}

bool AdvanceTraining(DatabaseSlot* slot, int budget_ms, bool asked) {
  SequenceSlot* const sequence = SequenceOf(slot);
  static SequenceModel candidate;
  char failure[256] = "";
  SliceEnd end = SliceEnd::kRejected;
  if (TrainingIdle(slot, asked)) return false;
  const uint32_t generation = sequence->generation;
  instr_time begun;
  INSTR_TIME_SET_CURRENT(begun);
  const bool trained = TrainQuietly(sequence, begun, budget_ms, &candidate, &end, failure, sizeof failure);
  if (sequence->generation != generation) {
    LWLockAcquire(shared->knowledge_lock, LW_EXCLUSIVE);
    sequence->training.running = false;
    sequence->training.rounds = 0;
    LWLockRelease(shared->knowledge_lock);
    return false;
  }
  if (!trained) {
    // It may be what the training began from that fails: it is tried again when there is something new.
    sequence->training.running = false;
    sequence->training.rounds = Max(sequence->training.rounds, 1);
    sequence->training.lessons_then = sequence->lessons.taken;
    Count(kMetricAdviceFailed);
    ereport(LOG, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not train the sequence model"),
                  errdetail_internal("%s", failure)));
    return false;
  }
  if (end == SliceEnd::kMore) return true;
  Count(end == SliceEnd::kBetter ? kMetricSequenceVersions : kMetricSequenceRejected);
  if (end == SliceEnd::kBetter) Publish(slot, candidate, generation);
  return false;
}

void CopySequence(const DatabaseSlot* slot, SequenceModel* model) { *model = SequenceOf(slot)->published; }

void LoadSequence(DatabaseSlot* slot, bool all) {
  SequenceSlot* const sequence = SequenceOf(slot);
  char failure[256] = "";
  uint32_t version = 0;
  const bytea* const bytes = NewestState("sequence", all ? nullptr : &sequence->loaded_version, &version);
  if (bytes == nullptr) return;
  auto* const model = static_cast<SequenceModel*>(palloc0(sizeof(SequenceModel)));
  const bool sound = ReadSequenceQuietly(bytes, model, failure, sizeof failure);
  LWLockAcquire(shared->knowledge_lock, LW_EXCLUSIVE);
  sequence->loaded_version = version;
  sequence->has_before = false;
  sequence->dirty = !sound;
  if (sound) sequence->published = *model;
  if (!sound) slot->models_dirty = true;
  LWLockRelease(shared->knowledge_lock);
  pfree(model);
  if (sound) return;
  Count(kMetricModelsCorrupt);
  ereport(LOG, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored sequence model is corrupt, it is trained anew"),
                errdetail("%s in table query_shaper.model_data of database with OID %u.", failure, slot->database)));
}

}  // namespace query_shaper
