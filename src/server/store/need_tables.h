// What plan nodes needed of memory (shared_needs.h) in the extension's table. Runs in the learner, inside a transaction
// of its caller with SPI connected.
#pragma once
#include "server/shared_needs.h"
#include "server/shared_state.h"
#include "server/store/stored_entries.h"

namespace query_shaper {

// Takes over what shared memory does not know, or knows as it was written before. Damaged rows are logged, counted and
// removed.
void LoadNeedTable(DatabaseSlot* slot);

using NeedBatch = EntryBatch<NeedEntry>;

// Copies what is dirty, in memory of `context`, and writes it.
NeedBatch WriteNeedTable(DatabaseSlot* slot, MemoryContext context);

// After the commit: what has not changed meanwhile is clean.
void SettleNeedTable(const NeedBatch& batch);

void TrimNeedTable();

}  // namespace query_shaper
