#include "pg/pg.h"

#include "pg/guard.h"
#include "server/settings.h"
#include "server/store/knowledge_tables.h"
#include "server/store/access_tables.h"
#include "server/store/need_tables.h"
#include "server/store/row_tables.h"
#include "server/store/shared_profiles.h"
#include "server/store/sequence_knowledge.h"
#include "server/store/stored_entries.h"
#include "server/store/table_call.h"
#include "server/store/learned_rows.h"

#include <exception>

extern "C" {
#include "access/xact.h"
#include "access/xlog.h"
#include "commands/extension.h"
#include "storage/itemptr.h"
#include "utils/snapmgr.h"
}

namespace query_shaper {

namespace {

constexpr int kFetchRows = 200;

bool ReadModelsQuietly(const bytea* bytes, Models* models, char* failure, Size failure_bytes) noexcept {
  return pg::Quietly(failure, failure_bytes,
                     [&] { ReadModels(VARDATA(bytes), static_cast<uint32_t>(VARSIZE(bytes) - VARHDRSZ), models); });
}

void LoadModels(DatabaseSlot* slot, bool all) {
  char failure[256] = "";
  uint32_t version = 0;
  const bytea* const bytes = NewestState("models", all ? nullptr : &slot->loaded_version, &version);
  if (bytes == nullptr) return;
  auto* const models = static_cast<Models*>(palloc0(sizeof(Models)));
  slot->loaded_version = version;
  if (!ReadModelsQuietly(bytes, models, failure, sizeof failure)) {
    Count(kMetricModelsCorrupt);
    LWLockAcquire(shared->knowledge_lock, LW_EXCLUSIVE);
    slot->models_dirty = true;
    LWLockRelease(shared->knowledge_lock);
    ereport(LOG, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored models are corrupt, learning starts anew"),
                  errdetail("%s in table query_shaper.model_data of database with OID %u.", failure, slot->database)));
    return;
  }
  LWLockAcquire(shared->knowledge_lock, LW_EXCLUSIVE);
  slot->models = *models;
  slot->models_dirty = false;
  LWLockRelease(shared->knowledge_lock);
}

// False when shared memory knows this profile as well already.
bool Newer(Oid database, int64 query_id, int64 fingerprint, TimestampTz last_seen) {
  LWLockAcquire(shared->knowledge_lock, LW_SHARED);
  const ProfileEntry* const entry = FindProfile(database, query_id, static_cast<uint64_t>(fingerprint));
  const double seen_s = entry != nullptr ? entry->profile.last_seen_s : -1;
  LWLockRelease(shared->knowledge_lock);
  const double row_s = EpochSeconds(last_seen);
  // The column has microseconds, the profile a double's precision of seconds.
  return seen_s < 0 || row_s > seen_s + 1e-5;
}

void Publish(Oid database, int64 query_id, int64 fingerprint, const Profile& profile) {
  LWLockAcquire(shared->knowledge_lock, LW_EXCLUSIVE);
  MakeRoomForProfiles(1);
  ProfileEntry* const entry = EnterProfile(database, query_id, static_cast<uint64_t>(fingerprint));
  if (entry != nullptr) {
    entry->profile = profile;
    entry->dirty = false;
  }
  LWLockRelease(shared->knowledge_lock);
}

// Returns the number of profiles in the table.
int64 LoadProfiles(DatabaseSlot* slot) {
  int64 corrupt = 0;
  int64 stored_profiles = 0;
  TableCall remove("DELETE FROM query_shaper.profile_data WHERE query_id = $1 AND fingerprint = $2");
  Oid types[] = {INT8OID};
  Datum values[] = {Int64GetDatum(shared->profile_capacity)};
  Portal const portal = SPI_cursor_open_with_args(
      nullptr,
      "SELECT query_id, fingerprint, last_seen, state FROM query_shaper.profile_data ORDER BY last_seen DESC LIMIT $1",
      1, types, values, nullptr, true, 0);
  auto* const profile = static_cast<Profile*>(palloc(sizeof(Profile)));
  for (;;) {
    SPI_cursor_fetch(portal, true, kFetchRows);
    if (SPI_processed == 0) break;
    // Removing a damaged row below changes SPI's own variables.
    SPITupleTable* const table = SPI_tuptable;
    const uint64 rows = SPI_processed;
    stored_profiles += static_cast<int64>(rows);
    for (uint64 i = 0; i < rows; ++i) {
      bool null = false;
      HeapTuple const row = table->vals[i];
      TupleDesc const shape = table->tupdesc;
      const int64 query_id = DatumGetInt64(SPI_getbinval(row, shape, 1, &null));
      const int64 fingerprint = DatumGetInt64(SPI_getbinval(row, shape, 2, &null));
      const TimestampTz last_seen = DatumGetTimestampTz(SPI_getbinval(row, shape, 3, &null));
      if (!Newer(slot->database, query_id, fingerprint, last_seen)) continue;
      struct varlena* const stored =
          reinterpret_cast<struct varlena*>(DatumGetPointer(SPI_getbinval(row, shape, 4, &null)));
      bytea* const bytes = pg_detoast_datum(stored);
      if (ReadStored<ReadProfile>(bytes, profile)) {
        Publish(slot->database, query_id, fingerprint, *profile);
      } else {
        ++corrupt;
        if (!RecoveryInProgress()) remove.Integer(query_id).Integer(fingerprint).Run();
      }
      if (bytes != stored) pfree(bytes);
    }
    SPI_freetuptable(table);
    CHECK_FOR_INTERRUPTS();
  }
  SPI_cursor_close(portal);
  if (corrupt == 0) return stored_profiles;
  Count(kMetricModelsCorrupt, static_cast<uint64_t>(corrupt));
  ereport(LOG,
          (errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored profiles are corrupt, these statements are learned anew"),
           errdetail(INT64_FORMAT " rows in table query_shaper.profile_data of database with OID %u are damaged.",
                     corrupt, slot->database)));
  return stored_profiles;
}

int64 CleanProfiles(Oid database) {
  int64 clean = 0;
  HASH_SEQ_STATUS scan;
  LWLockAcquire(shared->knowledge_lock, LW_SHARED);
  hash_seq_init(&scan, Profiles());
  while (const auto* entry = static_cast<const ProfileEntry*>(hash_seq_search(&scan)))
    if (entry->key.database == database && !entry->dirty) ++clean;
  LWLockRelease(shared->knowledge_lock);
  return clean;
}

// What a primary has forgotten its standby has to forget: profiles or rows that came from the table are no longer
// there.
void LoadNewer(DatabaseSlot* slot) {
  const uint32_t version = slot->loaded_version;
  LoadModels(slot, false);
  LoadSequence(slot, false);
  const int64 stored_profiles = LoadProfiles(slot);
  const int64 stored_rows = LoadRowTables(slot);
  const int64 stored_access = LoadAccessTable(slot);
  LoadNeedTable(slot);
  if (!RecoveryInProgress() ||
      (slot->loaded_version >= version && CleanProfiles(slot->database) <= stored_profiles &&
       CleanRowEntries(slot->database) <= stored_rows && CleanAccessEntries(slot->database) <= stored_access))
    return;
  ForgetKnowledge(slot, Forget::kAll);
  LoadModels(slot, true);
  LoadSequence(slot, true);
  LoadProfiles(slot);
  LoadRowTables(slot);
  LoadAccessTable(slot);
  LoadNeedTable(slot);
}

}  // namespace

const bytea* NewestState(const char* model, const uint32_t* known, uint32_t* version) {
  Oid types[] = {TEXTOID};
  Datum values[] = {CStringGetTextDatum(model)};
  SPI_execute_with_args(
      "SELECT version, state FROM query_shaper.model_data WHERE name = $1 AND state IS NOT NULL"
      " ORDER BY version DESC LIMIT 1",
      1, types, values, nullptr, true, 1);
  if (SPI_processed == 0) return nullptr;
  bool null = false;
  HeapTuple const row = SPI_tuptable->vals[0];
  *version = static_cast<uint32_t>(DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &null)));
  if (known != nullptr && *version == *known) return nullptr;
  return DatumGetByteaPP(PointerGetDatum(PG_DETOAST_DATUM(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &null))));
}

TableResult LoadKnowledge(DatabaseSlot* slot, bool all) {
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  SPI_connect();
  PushActiveSnapshot(GetTransactionSnapshot());
  const bool present = OidIsValid(get_extension_oid("query_shaper", true));
  if (present && all) {
    ForgetKnowledge(slot, Forget::kStored);
    slot->loaded_version = 0;
    if (!RecoveryInProgress()) {
      MergeDuplicates();
      CommandCounterIncrement();
      PopActiveSnapshot();
      PushActiveSnapshot(GetTransactionSnapshot());
    }
    LoadModels(slot, true);
    LoadSequence(slot, true);
    LoadProfiles(slot);
    LoadRowTables(slot);
    LoadAccessTable(slot);
    LoadNeedTable(slot);
  } else if (present) {
    LoadNewer(slot);
  }
  PopActiveSnapshot();
  SPI_finish();
  CommitTransactionCommand();
  return present ? TableResult::kDone : TableResult::kAbsent;
}

}  // namespace query_shaper
