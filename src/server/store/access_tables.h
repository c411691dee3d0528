// Access models in the extension's table. Runs in the learner, inside a transaction of its caller with SPI connected.
#pragma once
#include "server/shared_access.h"
#include "server/shared_state.h"
#include "server/store/stored_entries.h"

namespace query_shaper {

// Takes over what is in the table and not in shared memory, or there as it was written before. Damaged rows are logged,
// counted and removed, also those of relations that are gone. Returns the number of rows.
int64 LoadAccessTable(DatabaseSlot* slot);

// Entries of this database in shared memory as they stand in the table.
int64 CleanAccessEntries(Oid database);

using AccessBatch = EntryBatch<AccessEntry>;

// Copies what is dirty, in memory of `context`, and writes it.
AccessBatch WriteAccessTable(DatabaseSlot* slot, MemoryContext context);

// After the commit: what has not changed meanwhile is clean.
void SettleAccessTable(const AccessBatch& batch);

void MergeAccessDuplicates();
void TrimAccessTable();

}  // namespace query_shaper
