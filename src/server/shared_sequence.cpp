#include "pg/pg.h"

#include "server/settings.h"
#include "server/shared_sequence.h"

namespace query_shaper {

static SequenceSlot* sequence_slots;

Size SharedSequenceSize() { return mul_size(settings::max_databases, sizeof(SequenceSlot)); }

void AttachSharedSequence() {
  bool found = false;
  // Fresh shared memory is zero, which stands for nothing learned; pages of databases that never learn stay untouched.
  sequence_slots =
      static_cast<SequenceSlot*>(ShmemInitStruct("query_shaper sequence models", SharedSequenceSize(), &found));
}

SequenceSlot* SequenceOf(const DatabaseSlot* slot) { return &sequence_slots[slot - DatabaseAt(0)]; }

void ResetSequence(SequenceSlot* sequence) {
  ++sequence->generation;
  sequence->dirty = false;
  sequence->has_before = false;
  sequence->published.version = 0;
  sequence->lessons.count = sequence->lessons.steps = 0;
  sequence->training.running = false;
  sequence->training.rounds = 0;
}

}  // namespace query_shaper
