#include "pg/pg.h"

#include "server/store/access_knowledge.h"
#include "server/store/access_tables.h"
#include "server/store/learned_rows.h"

extern "C" {
#include "catalog/namespace.h"
#include "utils/lsyscache.h"
}

namespace query_shaper {

namespace {

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

bool SetAccess(const AccessEntry& entry, TableCall* call) {
  const char *schema, *name, *index_schema = nullptr, *index_name = nullptr;
  if (!NameOf(entry.relation, &schema, &name)) return false;
  if (OidIsValid(entry.index) && !NameOf(entry.index, &index_schema, &index_name)) return false;
  const AccessModel& model = entry.model;
  call->Integer(static_cast<int64>(entry.key.name)).Text(schema).Text(name);
  call->Add(TEXTOID, index_name == nullptr ? 0 : CStringGetTextDatum(index_name), index_name == nullptr);
  call->Text(PatternName(ModelPattern(model)));
  call->Add(INT4OID, Int32GetDatum(static_cast<int32>(ModelExtentBlocks(model))));
  call->Number(model.seen).Number(model.issued).Number(model.used).Number(model.wasted);
  call->Add(INT4OID, Int32GetDatum(ModelTransitions(model))).Time(TimeOfEpoch(entry.last_seen_s));
  call->Bytes(StoredBytes<WriteAccessModel>(model));
  return true;
}

bool ReadAccess(HeapTuple row, TupleDesc shape, Oid database, AccessEntry* entry, bool* sound) {
  bool null = false;
  const auto column = [&](int number) { return SPI_getbinval(row, shape, number, &null); };
  entry->key.database = database;
  entry->key.name = static_cast<uint64_t>(DatumGetInt64(column(1)));
  const char* const schema = TextDatumGetCString(column(2));
  entry->relation = RelationNamed(schema, TextDatumGetCString(column(3)));
  const Datum index = column(4);
  const bool has_index = !null;
  if (has_index) entry->index = RelationNamed(schema, TextDatumGetCString(index));
  entry->last_seen_s = EpochSeconds(DatumGetTimestampTz(column(5)));
  *sound = ReadStored<ReadAccessModel>(DatumGetByteaP(column(6)), &entry->model);
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

const StoredTable<AccessEntry> kStoredAccess = {
    "SELECT key, schema, name, index_name, last_seen, state FROM query_shaper.access_pattern_data"
    " ORDER BY last_seen DESC LIMIT $1",
    "DELETE FROM query_shaper.access_pattern_data WHERE key = $1", 20, ReadAccess, Publish};

}  // namespace

int64 LoadAccessTable(DatabaseSlot* slot) {
  int64 corrupt = 0;
  const int64 stored = LoadEntries(kStoredAccess, slot->database, shared_access->capacity, &corrupt);
  ReportDamaged(corrupt, "access patterns", "table query_shaper.access_pattern_data", slot->database);
  return stored;
}

int64 CleanAccessEntries(Oid database) {
  LWLockAcquire(shared_access->lock, LW_SHARED);
  const int64 clean = CountClean<AccessEntry>(AccessTable(), database);
  LWLockRelease(shared_access->lock);
  return clean;
}

AccessBatch WriteAccessTable(DatabaseSlot* slot, MemoryContext context) {
  const AccessBatch batch = CopyDirty<AccessEntry>(AccessTable(), shared_access->lock, slot->database, context);
  WriteEntries(batch,
               "UPDATE query_shaper.access_pattern_data SET schema = $2, name = $3, index_name = $4, pattern = $5,"
               " extent_blocks = $6, seen = $7, issued = $8, used = $9, wasted = $10, transitions = $11,"
               " last_seen = $12, state = $13 WHERE key = $1",
               "INSERT INTO query_shaper.access_pattern_data (key, schema, name, index_name, pattern, extent_blocks,"
               " seen, issued, used, wasted, transitions, last_seen, state)"
               " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
               SetAccess);
  return batch;
}

void SettleAccessTable(const AccessBatch& batch) {
  LWLockAcquire(shared_access->lock, LW_EXCLUSIVE);
  SettleEntries(AccessTable(), batch);
  LWLockRelease(shared_access->lock);
}

void MergeAccessDuplicates() { MergeStored("access_pattern_data", "key"); }

void TrimAccessTable() {
  TrimStored("access_pattern_data", shared_access->capacity);
  // A hint of a relation that was dropped must not be another's once its OID is used again.
  TableCall(
      "DELETE FROM query_shaper.partition_hint_data h"
      " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = h.relation)")
      .Run();
}

}  // namespace query_shaper
