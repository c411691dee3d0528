#include "pg/pg.h"

#include "core/decide/plan_bytes.h"
#include "server/settings.h"
#include "server/store/learned_rows.h"
#include "server/store/outcome_json.h"
#include "server/store/row_kinds.h"
#include "server/store/row_tables.h"

extern "C" {
#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
}

namespace query_shaper {

namespace {

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

bool SetRow(const RowEntry& entry, TableCall* call) {
  StoredNames names;
  // Another session's temporary table cannot be found again, and a table that is gone has no rows.
  if (NamesOf(entry, &names) != Named::kAll) return false;
  const RowProfile& profile = entry.profile;
  call->Integer(static_cast<int64>(entry.key.key)).Text(RowKindName(entry.kind));
  call->Add(TEXTARRAYOID, TextArray(names.schemas, names.nulls, names.count));
  call->Add(TEXTARRAYOID, TextArray(names.names, names.nulls, names.count));
  call->Add(INT4OID, Int32GetDatum(entry.relation_count)).Text(ValidText(entry.clauses));
  call->Number(profile.natural_rows).Number(profile.planner_rows).Number(profile.actual_rows);
  call->Integer(static_cast<int64>(Min(profile.seen, 9e18))).Time(TimeOfEpoch(profile.last_seen_s));
  call->Bytes(StoredBytes<WriteRowProfile>(profile));
  return true;
}

bool SetPlans(const PlansEntry& entry, TableCall* call) {
  call->Integer(entry.key.query_id).Time(TimeOfEpoch(entry.changed_s));
  call->Bytes(StoredBytes<WriteKnownPlans>(entry.plans));
  return true;
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

bool ReadRow(HeapTuple row, TupleDesc shape, Oid database, RowEntry* entry, bool* sound) {
  bool null = false;
  const auto column = [&](int number) { return SPI_getbinval(row, shape, number, &null); };
  entry->key.database = database;
  entry->key.key = static_cast<uint64_t>(DatumGetInt64(column(1)));
  entry->kind = RowKindOf(TextDatumGetCString(column(2)));
  entry->relation_count = DatumGetInt32(column(5));
  const char* const clauses = TextDatumGetCString(column(6));
  const int length = pg_mbcliplen(clauses, static_cast<int>(strlen(clauses)), kRowClauseBytes - 1);
  memcpy(entry->clauses, clauses, length);
  *sound = ReadStored<ReadRowProfile>(DatumGetByteaP(column(7)), &entry->profile);
  return *sound && FindRelations(column(3), column(4), entry);
}

bool ReadPlans(HeapTuple row, TupleDesc shape, Oid database, PlansEntry* entry, bool* sound) {
  bool null = false;
  entry->key.database = database;
  entry->key.query_id = DatumGetInt64(SPI_getbinval(row, shape, 1, &null));
  entry->changed_s = EpochSeconds(DatumGetTimestampTz(SPI_getbinval(row, shape, 2, &null)));
  *sound = ReadStored<ReadKnownPlans>(DatumGetByteaP(SPI_getbinval(row, shape, 3, &null)), &entry->plans);
  return *sound;
}

const StoredTable<RowEntry> kStoredRows = {
    "SELECT key, kind, schemas, names, relation_count, clauses, state FROM query_shaper.row_estimate_data"
    " ORDER BY last_seen DESC LIMIT $1",
    "DELETE FROM query_shaper.row_estimate_data WHERE key = $1", 200, ReadRow, PublishRow};

const StoredTable<PlansEntry> kStoredPlans = {
    "SELECT query_id, last_seen, state FROM query_shaper.known_plan_data ORDER BY last_seen DESC LIMIT $1",
    "DELETE FROM query_shaper.known_plan_data WHERE query_id = $1", 200, ReadPlans, PublishPlans};

}  // namespace

int64 LoadRowTables(DatabaseSlot* slot) {
  int64 corrupt = 0;
  int64 stored = LoadEntries(kStoredRows, slot->database, shared_rows->row_capacity, &corrupt);
  stored += LoadEntries(kStoredPlans, slot->database, shared_rows->plans_capacity, &corrupt);
  ReportDamaged(corrupt, "row counts or plans",
                "tables query_shaper.row_estimate_data and query_shaper.known_plan_data", slot->database);
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
  batch.rows = CopyDirty<RowEntry>(RowTable(), shared_rows->lock, slot->database, context);
  batch.plans = CopyDirty<PlansEntry>(PlansTable(), shared_rows->lock, slot->database, context);
  WriteEntries(batch.rows,
               "UPDATE query_shaper.row_estimate_data SET kind = $2, schemas = $3, names = $4, relation_count = $5,"
               " clauses = $6, planner_rows = $7, planned_rows = $8, actual_rows = $9, seen = $10, last_seen = $11,"
               " state = $12 WHERE key = $1",
               "INSERT INTO query_shaper.row_estimate_data (key, kind, schemas, names, relation_count, clauses,"
               " planner_rows, planned_rows, actual_rows, seen, last_seen, state)"
               " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
               SetRow);
  WriteEntries(batch.plans, "UPDATE query_shaper.known_plan_data SET last_seen = $2, state = $3 WHERE query_id = $1",
               "INSERT INTO query_shaper.known_plan_data (query_id, last_seen, state) VALUES ($1, $2, $3)", SetPlans);
  return batch;
}

void SettleRowTables(DatabaseSlot* slot, const RowBatch& batch) {
  LWLockAcquire(shared_rows->lock, LW_EXCLUSIVE);
  SettleEntries(RowTable(), batch.rows);
  SettleEntries(PlansTable(), batch.plans);
  LWLockRelease(shared_rows->lock);
  pg_atomic_write_u32(&slot->row_changes_done, batch.changes);
}

void MergeRowDuplicates() {
  MergeStored("row_estimate_data", "key");
  MergeStored("known_plan_data", "query_id");
}

void TrimRowTables() {
  TrimStored("row_estimate_data", shared_rows->row_capacity);
  TrimStored("known_plan_data", shared_rows->plans_capacity);
}

}  // namespace query_shaper
