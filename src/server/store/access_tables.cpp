#include "pg/pg.h"

#include "server/store/access_knowledge.h"
#include "server/store/access_tables.h"
#include "server/store/learned_rows.h"
#include "server/store/table_call.h"

#include <cmath>

extern "C" {
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "utils/lsyscache.h"
}

namespace query_shaper {

namespace {

constexpr int kFetchModels = 20;

// Null when the bytes are sound. No PostgreSQL call inside.
bool ReadQuietly(const bytea* bytes, AccessModel* model) noexcept {
  try {
    ReadAccessModel(VARDATA(bytes), static_cast<uint32_t>(VARSIZE(bytes) - VARHDRSZ), model);
    return true;
  } catch (...) {
    return false;
  }
}

bytea* ModelBytes(const AccessModel& model) {
  const uint32_t needed = WriteAccessModel(model, nullptr, 0);
  auto* const bytes = static_cast<bytea*>(palloc(VARHDRSZ + needed));
  WriteAccessModel(model, VARDATA(bytes), needed);
  SET_VARSIZE(bytes, VARHDRSZ + needed);
  return bytes;
}

// False when the relation is gone.
bool NameOf(Oid relation, const char** schema, const char** name) {
  *name = get_rel_name(relation);
  const Oid schema_id = get_rel_namespace(relation);
  *schema = OidIsValid(schema_id) ? get_namespace_name(schema_id) : nullptr;
  return *name != nullptr && *schema != nullptr;
}

Oid RelationNamed(const char* schema, const char* name) {
  const Oid schema_id = get_namespace_oid(schema, true);
  return OidIsValid(schema_id) ? get_relname_relid(name, schema_id) : InvalidOid;
}

void WriteEntry(const AccessEntry& entry, TableCall* update, TableCall* insert) {
  const char *schema, *name, *index_schema = nullptr, *index_name = nullptr;
  if (!NameOf(entry.relation, &schema, &name)) return;
  if (OidIsValid(entry.index) && !NameOf(entry.index, &index_schema, &index_name)) return;
  const AccessModel& model = entry.model;
  for (TableCall* call : {update, insert}) {
    call->Integer(static_cast<int64>(entry.key.name)).Text(schema).Text(name);
    call->Add(TEXTOID, index_name == nullptr ? 0 : CStringGetTextDatum(index_name), index_name == nullptr);
    call->Text(PatternName(ModelPattern(model)));
    call->Add(INT4OID, Int32GetDatum(static_cast<int32>(ModelExtentBlocks(model))));
    call->Number(model.seen).Number(model.issued).Number(model.used).Number(model.wasted);
    call->Add(INT4OID, Int32GetDatum(ModelTransitions(model)));
    call->Add(TIMESTAMPTZOID, TimestampTzGetDatum(TimeOfEpoch(entry.last_seen_s))).Bytes(ModelBytes(model));
    if (call->Run() > 0) break;
  }
}

// False when the row cannot be used: its relation is gone, or it is damaged.
bool ReadEntry(HeapTuple row, TupleDesc shape, AccessEntry* entry, bool* sound) {
  bool null = false;
  const auto column = [&](int number) { return SPI_getbinval(row, shape, number, &null); };
  entry->key.name = static_cast<uint64_t>(DatumGetInt64(column(1)));
  const char* const schema = TextDatumGetCString(column(2));
  entry->relation = RelationNamed(schema, TextDatumGetCString(column(3)));
  const Datum index = column(4);
  const bool has_index = !null;
  if (has_index) entry->index = RelationNamed(schema, TextDatumGetCString(index));
  entry->last_seen_s = EpochSeconds(DatumGetTimestampTz(column(5)));
  *sound = ReadQuietly(DatumGetByteaP(column(6)), &entry->model);
  return *sound && OidIsValid(entry->relation) && (!has_index || OidIsValid(entry->index));
}

void Publish(const AccessEntry& loaded) {
  LWLockAcquire(shared_access->lock, LW_EXCLUSIVE);
  const AccessEntry* const known = FindAccess(loaded.key);
  // What was learned since outweighs what was stored: chains of two histories cannot be added up.
  if (known == nullptr || (!known->dirty && known->last_seen_s < loaded.last_seen_s)) {
    AccessEntry* const entry = EnterAccess(loaded.key.database, loaded.key.name);
    if (entry != nullptr) {
      const uint32_t change = entry->change;
      *entry = loaded;
      entry->change = change + 1;
    }
  }
  LWLockRelease(shared_access->lock);
}

}  // namespace

int64 LoadAccessTable(DatabaseSlot* slot) {
  int64 stored = 0, corrupt = 0;
  TableCall remove("DELETE FROM query_shaper.access_pattern_data WHERE key = $1");
  Oid types[] = {INT8OID};
  Datum values[] = {Int64GetDatum(shared_access->capacity)};
  Portal const portal = SPI_cursor_open_with_args(nullptr,
                                                  "SELECT key, schema, name, index_name, last_seen, state FROM"
                                                  " query_shaper.access_pattern_data ORDER BY last_seen DESC LIMIT $1",
                                                  1, types, values, nullptr, true, 0);
  MemoryContext const row_context =
      AllocSetContextCreate(CurrentMemoryContext, "query_shaper stored access model", ALLOCSET_DEFAULT_SIZES);
  for (;;) {
    SPI_cursor_fetch(portal, true, kFetchModels);
    if (SPI_processed == 0) break;
    // Removing a row below changes SPI's own variables.
    SPITupleTable* const table = SPI_tuptable;
    const uint64 rows = SPI_processed;
    stored += static_cast<int64>(rows);
    for (uint64 i = 0; i < rows; ++i) {
      MemoryContext const outer = MemoryContextSwitchTo(row_context);
      auto* const entry = static_cast<AccessEntry*>(palloc0(sizeof(AccessEntry)));
      bool sound = false;
      entry->key.database = slot->database;
      const bool usable = ReadEntry(table->vals[i], table->tupdesc, entry, &sound);
      MemoryContextSwitchTo(outer);
      corrupt += !sound;
      if (usable) {
        Publish(*entry);
      } else if (!RecoveryInProgress()) {
        bool null = false;
        remove.Integer(DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc, 1, &null))).Run();
        --stored;
      }
      MemoryContextReset(row_context);
    }
    SPI_freetuptable(table);
    CHECK_FOR_INTERRUPTS();
  }
  SPI_cursor_close(portal);
  MemoryContextDelete(row_context);
  if (corrupt == 0) return stored;
  Count(kMetricModelsCorrupt, static_cast<uint64_t>(corrupt));
  ereport(LOG, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored access patterns are corrupt, they are learned anew"),
                errdetail(INT64_FORMAT
                          " rows in table query_shaper.access_pattern_data of database with OID %u are damaged.",
                          corrupt, slot->database)));
  return stored;
}

int64 CleanAccessEntries(Oid database) {
  int64 clean = 0;
  HASH_SEQ_STATUS scan;
  LWLockAcquire(shared_access->lock, LW_SHARED);
  hash_seq_init(&scan, AccessTable());
  while (const auto* entry = static_cast<const AccessEntry*>(hash_seq_search(&scan)))
    clean += entry->key.database == database && !entry->dirty;
  LWLockRelease(shared_access->lock);
  return clean;
}

AccessBatch WriteAccessTable(DatabaseSlot* slot, MemoryContext context) {
  AccessBatch batch{};
  HASH_SEQ_STATUS scan;
  const Size size = sizeof(AccessEntry) * (static_cast<Size>(shared_access->capacity) + 1);
  if (!AccessDirty(slot->database)) return batch;
  batch.entries = static_cast<AccessEntry*>(MemoryContextAllocHuge(context, size));
  LWLockAcquire(shared_access->lock, LW_SHARED);
  hash_seq_init(&scan, AccessTable());
  while (const auto* entry = static_cast<const AccessEntry*>(hash_seq_search(&scan)))
    if (entry->key.database == slot->database && entry->dirty) batch.entries[batch.count++] = *entry;
  LWLockRelease(shared_access->lock);
  TableCall update(
      "UPDATE query_shaper.access_pattern_data SET schema = $2, name = $3, index_name = $4, pattern = $5,"
      " extent_blocks = $6, seen = $7, issued = $8, used = $9, wasted = $10, transitions = $11, last_seen = $12,"
      " state = $13 WHERE key = $1");
  TableCall insert(
      "INSERT INTO query_shaper.access_pattern_data (key, schema, name, index_name, pattern, extent_blocks, seen,"
      " issued, used, wasted, transitions, last_seen, state)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)");
  MemoryContext const row_context =
      AllocSetContextCreate(CurrentMemoryContext, "query_shaper stored access model", ALLOCSET_DEFAULT_SIZES);
  MemoryContext const outer = MemoryContextSwitchTo(row_context);
  for (int i = 0; i < batch.count; ++i) {
    WriteEntry(batch.entries[i], &update, &insert);
    MemoryContextReset(row_context);
  }
  MemoryContextSwitchTo(outer);
  MemoryContextDelete(row_context);
  return batch;
}

void SettleAccessTable(const AccessBatch& batch) {
  LWLockAcquire(shared_access->lock, LW_EXCLUSIVE);
  for (int i = 0; i < batch.count; ++i) {
    AccessEntry* const entry = FindAccess(batch.entries[i].key);
    if (entry != nullptr && entry->change == batch.entries[i].change) entry->dirty = false;
  }
  LWLockRelease(shared_access->lock);
}

void MergeAccessDuplicates() {
  TableCall(
      "DELETE FROM query_shaper.access_pattern_data p USING query_shaper.access_pattern_data q"
      " WHERE q.key = p.key AND (q.last_seen > p.last_seen OR (q.last_seen = p.last_seen AND q.ctid > p.ctid))")
      .Run();
}

void TrimAccessTable() {
  TableCall(
      "DELETE FROM query_shaper.access_pattern_data WHERE ctid = ANY (ARRAY(SELECT ctid FROM"
      " query_shaper.access_pattern_data ORDER BY last_seen DESC OFFSET $1))")
      .Integer(shared_access->capacity)
      .Run();
  // A hint of a relation that was dropped must not be another's once its OID is used again.
  TableCall(
      "DELETE FROM query_shaper.partition_hint_data h"
      " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = h.relation)")
      .Run();
}

}  // namespace query_shaper
