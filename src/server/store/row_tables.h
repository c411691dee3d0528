// Learned rows and known plans in the extension's tables. Runs in the learner, inside a transaction of its caller with
// SPI connected.
#pragma once
#include "server/shared_rows.h"
#include "server/shared_state.h"
#include "server/store/stored_entries.h"

namespace query_shaper {

// Takes over what is in the tables and not in shared memory, or there as it was written before. Damaged rows are
// logged, counted and removed, also those of relations that are gone. Returns the number of rows of both tables.
int64 LoadRowTables(DatabaseSlot* slot);

// Entries of this database in shared memory as they stand in the tables.
int64 CleanRowEntries(Oid database);

// Copies of what is to be written.
struct RowBatch {
  EntryBatch<RowEntry> rows;
  EntryBatch<PlansEntry> plans;
  uint32 changes;  // of the slot, when copied
};

// Copies what is dirty, in memory of `context`, and writes it.
RowBatch WriteRowTables(DatabaseSlot* slot, MemoryContext context);

// After the commit: what has not changed meanwhile is clean.
void SettleRowTables(DatabaseSlot* slot, const RowBatch& batch);

void MergeRowDuplicates();
void TrimRowTables();

}  // namespace query_shaper
