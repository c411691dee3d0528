// Layout of the sequence member in shared memory: per database its model, the version before, and what its training
// goes on from. What uses them stands in server/store.
//
// `published` and `before` are under knowledge_lock (shared to predict, exclusive to swap), as the models that they
// belong to. PlanLessons are changed under it, too; they and the training are read without it by the database's
// learner, which alone adds to them. ResetSequence() may come in between: the learner then finds another generation.
#pragma once
#include "core/predict/sequence_training.h"
#include "server/shared_state.h"

namespace query_shaper {

struct SequenceSlot {
  uint32_t generation;      // grows with every ResetSequence()
  uint32_t loaded_version;  // of the stored model read or written last
  bool dirty;               // published, and not yet in the table
  bool has_before;
  SequenceModel published;  // version 0: none
  SequenceModel before;
  SequenceProbation probation;
  PlanLessons lessons;
  SequenceTraining training;
};

// Of this database; never null.
SequenceSlot* SequenceOf(const DatabaseSlot* slot);

// Under knowledge_lock, exclusive. Forgets all.
void ResetSequence(SequenceSlot* sequence);

// Called by shared_state.cpp from the hooks for request and startup of shared memory.
Size SharedSequenceSize();
void AttachSharedSequence();

}  // namespace query_shaper
