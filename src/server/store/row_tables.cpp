#include "pg/pg.h"

#include "core/decide/plan_bytes.h"
#include "server/settings.h"
#include "server/store/learned_rows.h"
#include "server/store/outcome_json.h"
#include "server/store/row_kinds.h"
#include "server/store/row_tables.h"
#include "server/store/table_call.h"

#include <cmath>

extern "C" {
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
}

namespace query_shaper {

namespace {

constexpr int kFetchRows = 200;

// Null when the bytes are sound. No PostgreSQL call inside.
bool ReadQuietly(const bytea* bytes, RowProfile* profile) noexcept {
  try {
    ReadRowProfile(VARDATA(bytes), static_cast<uint32_t>(VARSIZE(bytes) - VARHDRSZ), profile);
    return true;
  } catch (...) {
    return false;
  }
}

bool ReadQuietly(const bytea* bytes, KnownPlans* plans) noexcept {
  try {
    ReadKnownPlans(VARDATA(bytes), static_cast<uint32_t>(VARSIZE(bytes) - VARHDRSZ), plans);
    return true;
  } catch (...) {
    return false;
  }
}

uint32_t WriteState(const RowProfile& profile, char* out, uint32_t capacity) {
  return WriteRowProfile(profile, out, capacity);
}

uint32_t WriteState(const KnownPlans& plans, char* out, uint32_t capacity) {
  return WriteKnownPlans(plans, out, capacity);
}

template <typename State>
bytea* StateBytes(const State& state) {
  const uint32_t needed = WriteState(state, nullptr, 0);
  auto* const bytes = static_cast<bytea*>(palloc(VARHDRSZ + needed));
  WriteState(state, VARDATA(bytes), needed);
  SET_VARSIZE(bytes, VARHDRSZ + needed);
  return bytes;
}

// Schemas and names of the entry's relations as arrays; null for what is no table.
struct StoredNames {
  Datum schemas[kRowRelations], names[kRowRelations];
  bool nulls[kRowRelations];
  int count;
};

enum class Named { kAll, kGone, kTemporary };

Named NamesOf(const RowEntry& entry, StoredNames* names) {
  names->count = Min(Max(entry.relation_count, 0), kRowRelations);
  for (int i = 0; i < names->count; ++i) {
    const Oid relation = entry.relations[i];
    names->nulls[i] = !OidIsValid(relation);
    names->schemas[i] = names->names[i] = 0;
    if (names->nulls[i]) continue;
    const char* const name = get_rel_name(relation);
    const Oid schema = get_rel_namespace(relation);
    const char* const schema_name = OidIsValid(schema) ? get_namespace_name(schema) : nullptr;
    if (name == nullptr || schema_name == nullptr) return Named::kGone;
    if (isAnyTempNamespace(schema)) return Named::kTemporary;
    names->schemas[i] = CStringGetTextDatum(schema_name);
    names->names[i] = CStringGetTextDatum(name);
  }
  return Named::kAll;
}

Datum TextArray(Datum* values, bool* nulls, int count) {
  int dimensions[1] = {count};
  int lower_bounds[1] = {1};
  if (count == 0) return PointerGetDatum(construct_empty_array(TEXTOID));
  return PointerGetDatum(
      construct_md_array(values, nulls, 1, dimensions, lower_bounds, TEXTOID, -1, false, TYPALIGN_INT));
}

void WriteRow(const RowEntry& entry, TableCall* update, TableCall* insert) {
  StoredNames names;
  // Another session's temporary table cannot be found again, and a table that is gone has no rows.
  if (NamesOf(entry, &names) != Named::kAll) return;
  const RowProfile& profile = entry.profile;
  for (TableCall* call : {update, insert}) {
    call->Integer(static_cast<int64>(entry.key.key)).Text(RowKindName(entry.kind));
    call->Add(TEXTARRAYOID, TextArray(names.schemas, names.nulls, names.count));
    call->Add(TEXTARRAYOID, TextArray(names.names, names.nulls, names.count));
    call->Add(INT4OID, Int32GetDatum(entry.relation_count)).Text(ValidText(entry.clauses));
    call->Number(profile.natural_rows).Number(profile.planner_rows).Number(profile.actual_rows);
    call->Integer(static_cast<int64>(Min(profile.seen, 9e18))).Time(TimeOfEpoch(profile.last_seen_s));
    call->Bytes(StateBytes(profile));
    if (call->Run() > 0) break;
  }
}

void WritePlans(const PlansEntry& entry, TableCall* update, TableCall* insert) {
  for (TableCall* call : {update, insert}) {
    call->Integer(entry.key.query_id).Time(TimeOfEpoch(entry.changed_s)).Bytes(StateBytes(entry.plans));
    if (call->Run() > 0) break;
  }
}

template <typename Entry>
Entry* CopyDirtyEntries(HTAB* table, Oid database, MemoryContext context, int* count) {
  int dirty = 0;
  HASH_SEQ_STATUS scan;
  LWLockAcquire(shared_rows->lock, LW_SHARED);
  hash_seq_init(&scan, table);
  while (const auto* entry = static_cast<const Entry*>(hash_seq_search(&scan)))
    dirty += entry->key.database == database && entry->dirty;
  LWLockRelease(shared_rows->lock);
  auto* const copies = static_cast<Entry*>(MemoryContextAllocHuge(context, sizeof(Entry) * (dirty + 1)));
  *count = 0;
  LWLockAcquire(shared_rows->lock, LW_SHARED);
  hash_seq_init(&scan, table);
  while (const auto* entry = static_cast<const Entry*>(hash_seq_search(&scan)))
    if (entry->key.database == database && entry->dirty && *count < dirty) copies[(*count)++] = *entry;
  LWLockRelease(shared_rows->lock);
  return copies;
}

// Oids of the relations named here and now; false when one is missing.
bool FindRelations(Datum schemas, Datum names, RowEntry* entry) {
  Datum* schema_values;
  Datum* name_values;
  bool* schema_nulls;
  bool* name_nulls;
  int schema_count = 0;
  int name_count = 0;
  deconstruct_array(DatumGetArrayTypeP(schemas), TEXTOID, -1, false, TYPALIGN_INT, &schema_values, &schema_nulls,
                    &schema_count);
  deconstruct_array(DatumGetArrayTypeP(names), TEXTOID, -1, false, TYPALIGN_INT, &name_values, &name_nulls,
                    &name_count);
  if (schema_count != name_count || name_count > kRowRelations) return false;
  for (int i = 0; i < name_count; ++i) {
    if (schema_nulls[i] || name_nulls[i]) continue;
    const Oid schema = get_namespace_oid(TextDatumGetCString(schema_values[i]), true);
    const char* const name = TextDatumGetCString(name_values[i]);
    entry->relations[i] = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
    if (!OidIsValid(entry->relations[i])) return false;
  }
  NameRelations(entry->relations, name_count, entry->names);
  return entry->relation_count >= name_count;
}

// A standby reads the same rows again and again.
bool AlreadyHere(const RowEntry& loaded) {
  LWLockAcquire(shared_rows->lock, LW_SHARED);
  const RowEntry* const known = FindRow(loaded.key.database, loaded.key.key);
  const bool here = known != nullptr && !known->dirty && known->profile.last_seen_s >= loaded.profile.last_seen_s;
  LWLockRelease(shared_rows->lock);
  return here;
}

void PublishRow(const RowEntry& loaded) {
  if (AlreadyHere(loaded)) return;
  LWLockAcquire(shared_rows->lock, LW_EXCLUSIVE);
  const RowEntry* const known = FindRow(loaded.key.database, loaded.key.key);
  const bool dirty = known != nullptr && known->dirty;
  RowEntry* const entry = EnterRow(loaded.key.database, loaded.key.key);
  if (entry != nullptr && dirty) {
    MergeRows(loaded.profile, &entry->profile);
    if (entry->clauses[0] == '\0') memcpy(entry->clauses, loaded.clauses, sizeof entry->clauses);
  } else if (entry != nullptr) {
    const uint32_t change = entry->change;
    *entry = loaded;
    entry->change = change + 1;
    MarkRelations(*entry);
  }
  LWLockRelease(shared_rows->lock);
}

void PublishPlans(const PlansEntry& loaded) {
  LWLockAcquire(shared_rows->lock, LW_EXCLUSIVE);
  const PlansEntry* const known = FindPlans(loaded.key.database, loaded.key.query_id);
  // What was learned since outweighs what was stored: plans of two histories cannot be added up.
  if (known == nullptr || (!known->dirty && known->changed_s <= loaded.changed_s)) {
    PlansEntry* const entry = EnterPlans(loaded.key.database, loaded.key.query_id);
    if (entry != nullptr) {
      const uint32_t change = entry->change;
      *entry = loaded;
      entry->change = change + 1;
    }
  }
  LWLockRelease(shared_rows->lock);
}

bool ReadRow(HeapTuple row, TupleDesc shape, RowEntry* entry, bool* sound) {
  bool null = false;
  const auto column = [&](int number) { return SPI_getbinval(row, shape, number, &null); };
  entry->key.key = static_cast<uint64_t>(DatumGetInt64(column(1)));
  entry->kind = RowKindOf(TextDatumGetCString(column(2)));
  entry->relation_count = DatumGetInt32(column(5));
  const char* const clauses = TextDatumGetCString(column(6));
  const int length = pg_mbcliplen(clauses, static_cast<int>(strlen(clauses)), kRowClauseBytes - 1);
  memcpy(entry->clauses, clauses, length);
  *sound = ReadQuietly(DatumGetByteaP(column(7)), &entry->profile);
  return *sound && FindRelations(column(3), column(4), entry);
}

bool ReadPlans(HeapTuple row, TupleDesc shape, PlansEntry* entry, bool* sound) {
  bool null = false;
  entry->key.query_id = DatumGetInt64(SPI_getbinval(row, shape, 1, &null));
  entry->changed_s = EpochSeconds(DatumGetTimestampTz(SPI_getbinval(row, shape, 2, &null)));
  *sound = ReadQuietly(DatumGetByteaP(SPI_getbinval(row, shape, 3, &null)), &entry->plans);
  return *sound;
}

// Reads a table row by row, publishes what is usable and removes what is not. Returns how many rows there were.
template <typename Entry>
int64 LoadTable(Oid database, const char* select, const char* remove_sql, int capacity,
                bool (*read)(HeapTuple, TupleDesc, Entry*, bool*), void (*publish)(const Entry&), int64* corrupt) {
  int64 stored = 0;
  TableCall remove(remove_sql);
  Oid types[] = {INT8OID};
  Datum values[] = {Int64GetDatum(capacity)};
  Portal const portal = SPI_cursor_open_with_args(nullptr, select, 1, types, values, nullptr, true, 0);
  MemoryContext const row_context =
      AllocSetContextCreate(CurrentMemoryContext, "query_shaper stored row", ALLOCSET_DEFAULT_SIZES);
  for (;;) {
    SPI_cursor_fetch(portal, true, kFetchRows);
    if (SPI_processed == 0) break;
    // Removing a row below changes SPI's own variables.
    SPITupleTable* const table = SPI_tuptable;
    const uint64 rows = SPI_processed;
    stored += static_cast<int64>(rows);
    for (uint64 i = 0; i < rows; ++i) {
      MemoryContext const outer = MemoryContextSwitchTo(row_context);
      auto* const entry = static_cast<Entry*>(palloc0(sizeof(Entry)));
      bool sound = false;
      entry->key.database = database;
      const bool usable = read(table->vals[i], table->tupdesc, entry, &sound);
      MemoryContextSwitchTo(outer);
      *corrupt += !sound;
      if (usable) {
        publish(*entry);
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
  return stored;
}

template <typename Entry>
int64 CountClean(HTAB* table, Oid database) {
  int64 clean = 0;
  HASH_SEQ_STATUS scan;
  hash_seq_init(&scan, table);
  while (const auto* entry = static_cast<const Entry*>(hash_seq_search(&scan)))
    clean += entry->key.database == database && !entry->dirty;
  return clean;
}

}  // namespace

int64 LoadRowTables(DatabaseSlot* slot) {
  int64 corrupt = 0;
  int64 stored = LoadTable<RowEntry>(
      slot->database,
      "SELECT key, kind, schemas, names, relation_count, clauses, state FROM query_shaper.row_estimate_data"
      " ORDER BY last_seen DESC LIMIT $1",
      "DELETE FROM query_shaper.row_estimate_data WHERE key = $1", shared_rows->row_capacity, ReadRow, PublishRow,
      &corrupt);
  stored += LoadTable<PlansEntry>(slot->database,
                                  "SELECT query_id, last_seen, state FROM query_shaper.known_plan_data"
                                  " ORDER BY last_seen DESC LIMIT $1",
                                  "DELETE FROM query_shaper.known_plan_data WHERE query_id = $1",
                                  shared_rows->plans_capacity, ReadPlans, PublishPlans, &corrupt);
  if (corrupt == 0) return stored;
  Count(kMetricModelsCorrupt, static_cast<uint64_t>(corrupt));
  ereport(LOG,
          (errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored row counts or plans are corrupt, they are learned anew"),
           errdetail(INT64_FORMAT " rows in tables query_shaper.row_estimate_data and query_shaper.known_plan_data of "
                                  "database with OID %u are damaged.",
                     corrupt, slot->database)));
  return stored;
}

int64 CleanRowEntries(Oid database) {
  LWLockAcquire(shared_rows->lock, LW_SHARED);
  const int64 clean = CountClean<RowEntry>(RowTable(), database) + CountClean<PlansEntry>(PlansTable(), database);
  LWLockRelease(shared_rows->lock);
  return clean;
}

RowBatch WriteRowTables(DatabaseSlot* slot, MemoryContext context) {
  RowBatch batch{};
  batch.changes = pg_atomic_read_u32(&slot->row_changes);
  batch.rows = CopyDirtyEntries<RowEntry>(RowTable(), slot->database, context, &batch.row_count);
  batch.plans = CopyDirtyEntries<PlansEntry>(PlansTable(), slot->database, context, &batch.plans_count);
  TableCall update_row(
      "UPDATE query_shaper.row_estimate_data SET kind = $2, schemas = $3, names = $4, relation_count = $5, clauses = "
      "$6,"
      " planner_rows = $7, planned_rows = $8, actual_rows = $9, seen = $10, last_seen = $11, state = $12 WHERE key = "
      "$1");
  TableCall insert_row(
      "INSERT INTO query_shaper.row_estimate_data (key, kind, schemas, names, relation_count, clauses, planner_rows,"
      " planned_rows, actual_rows, seen, last_seen, state)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
  TableCall update_plans("UPDATE query_shaper.known_plan_data SET last_seen = $2, state = $3 WHERE query_id = $1");
  TableCall insert_plans("INSERT INTO query_shaper.known_plan_data (query_id, last_seen, state) VALUES ($1, $2, $3)");
  MemoryContext const row_context =
      AllocSetContextCreate(CurrentMemoryContext, "query_shaper stored row", ALLOCSET_DEFAULT_SIZES);
  MemoryContext const outer = MemoryContextSwitchTo(row_context);
  for (int i = 0; i < batch.row_count; ++i) {
    WriteRow(batch.rows[i], &update_row, &insert_row);
    MemoryContextReset(row_context);
  }
  for (int i = 0; i < batch.plans_count; ++i) {
    WritePlans(batch.plans[i], &update_plans, &insert_plans);
    MemoryContextReset(row_context);
  }
  MemoryContextSwitchTo(outer);
  MemoryContextDelete(row_context);
  return batch;
}

void SettleRowTables(DatabaseSlot* slot, const RowBatch& batch) {
  LWLockAcquire(shared_rows->lock, LW_EXCLUSIVE);
  for (int i = 0; i < batch.row_count; ++i) {
    RowEntry* const entry = FindRow(batch.rows[i].key.database, batch.rows[i].key.key);
    if (entry != nullptr && entry->change == batch.rows[i].change) entry->dirty = false;
  }
  for (int i = 0; i < batch.plans_count; ++i) {
    PlansEntry* const entry = FindPlans(batch.plans[i].key.database, batch.plans[i].key.query_id);
    if (entry != nullptr && entry->change == batch.plans[i].change) entry->dirty = false;
  }
  LWLockRelease(shared_rows->lock);
  pg_atomic_write_u32(&slot->row_changes_done, batch.changes);
}

void MergeRowDuplicates() {
  TableCall(
      "DELETE FROM query_shaper.row_estimate_data p USING query_shaper.row_estimate_data q"
      " WHERE q.key = p.key AND (q.last_seen > p.last_seen OR (q.last_seen = p.last_seen AND q.ctid > p.ctid))")
      .Run();
  TableCall(
      "DELETE FROM query_shaper.known_plan_data p USING query_shaper.known_plan_data q"
      " WHERE q.query_id = p.query_id AND (q.last_seen > p.last_seen OR (q.last_seen = p.last_seen AND q.ctid > "
      "p.ctid))")
      .Run();
}

void TrimRowTables() {
  TableCall(
      "DELETE FROM query_shaper.row_estimate_data WHERE ctid = ANY (ARRAY(SELECT ctid FROM"
      " query_shaper.row_estimate_data ORDER BY last_seen DESC OFFSET $1))")
      .Integer(shared_rows->row_capacity)
      .Run();
  TableCall(
      "DELETE FROM query_shaper.known_plan_data WHERE ctid = ANY (ARRAY(SELECT ctid FROM query_shaper.known_plan_data"
      " ORDER BY last_seen DESC OFFSET $1))")
      .Integer(shared_rows->plans_capacity)
      .Run();
}

}  // namespace query_shaper
