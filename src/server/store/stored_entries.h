// What the tables of learned entries have in common: a row is a key, some columns for readers, and the entry's bytes.
// Rows are taken over into shared memory when a database is loaded; entries that have changed there are copied, written
// and, after the commit, settled. Runs in the learner, inside a transaction of its caller with SPI connected.
//
// An Entry of a hash has `key` (with `database`), `dirty` and `change`, which grows with every change: what was written
// may be older than what is there by now.
#pragma once
#include "server/store/table_call.h"

extern "C" {
#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
}

namespace query_shaper {

// False when the bytes are damaged, for which kRead throws. No PostgreSQL call inside.
template <auto kRead, typename State>
bool ReadStored(const bytea* bytes, State* state) noexcept {
  try {
    kRead(VARDATA(bytes), static_cast<uint32_t>(VARSIZE(bytes) - VARHDRSZ), state);
    return true;
  } catch (...) {
    return false;
  }
}

// Palloc'd. kWrite returns the bytes that it needs, and writes nothing when there are fewer.
template <auto kWrite, typename State>
bytea* StoredBytes(const State& state) {
  const uint32_t needed = kWrite(state, nullptr, 0);
  auto* const bytes = static_cast<bytea*>(palloc(VARHDRSZ + needed));
  kWrite(state, VARDATA(bytes), needed);
  SET_VARSIZE(bytes, VARHDRSZ + needed);
  return bytes;
}

template <typename Entry>
struct StoredTable {
  const char* select;  // the key is the first column; $1 rows at most
  const char* remove;  // the row of key $1
  int at_once;         // rows fetched
  // False when the row cannot be used: it is not *sound, or what it is about is gone. *entry is all zero before.
  bool (*read)(HeapTuple row, TupleDesc shape, Oid database, Entry* entry, bool* sound);
  void (*publish)(const Entry& entry);
};

// Publishes what can be used and removes what cannot. Returns how many rows are left; adds to *corrupt.
template <typename Entry>
int64 LoadEntries(const StoredTable<Entry>& stored, Oid database, int most, int64* corrupt) {
  int64 left = 0;
  TableCall remove(stored.remove);
  Oid types[] = {INT8OID};
  Datum values[] = {Int64GetDatum(most)};
  Portal const portal = SPI_cursor_open_with_args(nullptr, stored.select, 1, types, values, nullptr, true, 0);
  MemoryContext const row_context =
      AllocSetContextCreate(CurrentMemoryContext, "query_shaper stored row", ALLOCSET_DEFAULT_SIZES);
  for (;;) {
    SPI_cursor_fetch(portal, true, stored.at_once);
    if (SPI_processed == 0) break;
    // Removing a row below changes SPI's own variables.
    SPITupleTable* const table = SPI_tuptable;
    const uint64 rows = SPI_processed;
    left += static_cast<int64>(rows);
    for (uint64 i = 0; i < rows; ++i) {
      MemoryContext const outer = MemoryContextSwitchTo(row_context);
      auto* const entry = static_cast<Entry*>(palloc0(sizeof(Entry)));
      bool sound = false;
      const bool usable = stored.read(table->vals[i], table->tupdesc, database, entry, &sound);
      MemoryContextSwitchTo(outer);
      *corrupt += !sound;
      if (usable) {
        stored.publish(*entry);
      } else if (!RecoveryInProgress()) {
        bool null = false;
        remove.Integer(DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc, 1, &null))).Run();
        --left;
      }
      MemoryContextReset(row_context);
    }
    SPI_freetuptable(table);
    CHECK_FOR_INTERRUPTS();
  }
  SPI_cursor_close(portal);
  MemoryContextDelete(row_context);
  return left;
}

template <typename Entry>
struct EntryBatch {
  Entry* entries;
  int count;
};

// Of the hash; in memory of `context`.
template <typename Entry>
EntryBatch<Entry> CopyDirty(HTAB* hash, LWLock* lock, Oid database, MemoryContext context) {
  EntryBatch<Entry> batch{};
  int dirty = 0;
  HASH_SEQ_STATUS scan;
  LWLockAcquire(lock, LW_SHARED);
  hash_seq_init(&scan, hash);
  while (const auto* entry = static_cast<const Entry*>(hash_seq_search(&scan)))
    dirty += entry->key.database == database && entry->dirty;
  LWLockRelease(lock);
  if (dirty == 0) return batch;
  batch.entries = static_cast<Entry*>(MemoryContextAllocHuge(context, sizeof(Entry) * static_cast<Size>(dirty)));
  LWLockAcquire(lock, LW_SHARED);
  hash_seq_init(&scan, hash);
  while (const auto* entry = static_cast<const Entry*>(hash_seq_search(&scan)))
    if (entry->key.database == database && entry->dirty && batch.count < dirty) batch.entries[batch.count++] = *entry;
  LWLockRelease(lock);
  return batch;
}

// Both statements have the same parameters; `set` gives them, or says that the entry is not to be written.
template <typename Entry>
void WriteEntries(const EntryBatch<Entry>& batch, const char* update_sql, const char* insert_sql,
                  bool (*set)(const Entry& entry, TableCall* call)) {
  if (batch.count == 0) return;
  TableCall update(update_sql), insert(insert_sql);
  MemoryContext const row_context =
      AllocSetContextCreate(CurrentMemoryContext, "query_shaper stored row", ALLOCSET_DEFAULT_SIZES);
  MemoryContext const outer = MemoryContextSwitchTo(row_context);
  for (int i = 0; i < batch.count; ++i) {
    for (TableCall* call : {&update, &insert})
      if (!set(batch.entries[i], call) || call->Run() > 0) break;
    MemoryContextReset(row_context);
  }
  MemoryContextSwitchTo(outer);
  MemoryContextDelete(row_context);
}

// After the commit: what has not changed meanwhile is clean. The caller holds the hash's lock exclusively.
template <typename Entry>
void SettleEntries(HTAB* hash, const EntryBatch<Entry>& batch) {
  for (int i = 0; i < batch.count; ++i) {
    auto* const entry = static_cast<Entry*>(hash_search(hash, &batch.entries[i].key, HASH_FIND, nullptr));
    if (entry != nullptr && entry->change == batch.entries[i].change) entry->dirty = false;
  }
}

// Entries as they stand in the table. The caller holds the hash's lock.
template <typename Entry>
int64 CountClean(HTAB* hash, Oid database) {
  int64 clean = 0;
  HASH_SEQ_STATUS scan;
  hash_seq_init(&scan, hash);
  while (const auto* entry = static_cast<const Entry*>(hash_seq_search(&scan)))
    clean += entry->key.database == database && !entry->dirty;
  return clean;
}

// Counted and logged, unless there are none. what: "access patterns"; tables: "table a", "tables a and b".
void ReportDamaged(int64 rows, const char* what, const char* tables, Oid database);

// Names in schema query_shaper; the rows seen last stay.
void TrimStored(const char* table, int capacity);
void MergeStored(const char* table, const char* key);

}  // namespace query_shaper
