// The sequence member of a database: asked by backends, scored, taught, trained and swapped by its learner, stored
// beside the other models.
#pragma once
#include "server/shared_sequence.h"

namespace query_shaper {

struct SequenceQuestion {
  const PlanTree* plan;
  double work_mem_kb;
  bool always;  // ask it even where its answer would weigh nothing
};

// Under knowledge_lock, at least shared. False, and no answer, where it is not trained or would not weigh.
bool AskSequence(const DatabaseSlot* slot, const SequenceQuestion& question, const Profile* exact, const Profile* shape,
                 SequenceAnswer* answer);

// In the learner, for every outcome before it is learned: what the version in use and the one before say of it. Takes
// no lock. Returns true when the version in use has shown itself worse than the one before.
bool ScoreSequence(DatabaseSlot* slot, const OutcomeRecord* record, SequenceAnswer* answer);

// In the learner, under knowledge_lock, exclusive.
void RollBackSequence(DatabaseSlot* slot);
void KeepLesson(DatabaseSlot* slot, const OutcomeRecord* record);

// In the learner: goes on training for at most budget_ms, if there is something to train on; a better version is put in
// the place of the published one. True while the round is not over. Takes knowledge_lock to swap.
bool AdvanceTraining(DatabaseSlot* slot, int budget_ms, bool asked);

// True when nothing waits for AdvanceTraining().
bool TrainingIdle(const DatabaseSlot* slot, bool asked);

// A copy of the published model; version 0 where there is none. Under knowledge_lock, at least shared.
void CopySequence(const DatabaseSlot* slot, SequenceModel* model);

// In the learner, inside a transaction with SPI connected. all: whatever its version. Damage is logged and counted.
void LoadSequence(DatabaseSlot* slot, bool all);

}  // namespace query_shaper
