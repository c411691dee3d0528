#include "pg/pg.h"

#include "server/store/need_tables.h"
#include "server/store/table_call.h"

extern "C" {
#include "access/xlog.h"
}

namespace query_shaper {
namespace {

constexpr int kFetchNeeds = 500;

bool ReadNeedQuietly(const bytea* bytes, NeedHistory* history) noexcept {
  try {
    ReadNeedHistory(VARDATA(bytes), static_cast<uint32_t>(VARSIZE(bytes) - VARHDRSZ), history);
    return true;
  } catch (...) {
    return false;
  }
}

bytea* NeedBytes(const NeedHistory& history) {
  const uint32_t needed = WriteNeedHistory(history, nullptr, 0);
  auto* const bytes = static_cast<bytea*>(palloc(VARHDRSZ + needed));
  WriteNeedHistory(history, VARDATA(bytes), needed);
  SET_VARSIZE(bytes, VARHDRSZ + needed);
  return bytes;
}

// Returns the number of damaged rows, which are removed.
int64 LoadRows(Oid database, const SPITupleTable* table, uint64 rows, TableCall* remove) {
  int64 corrupt = 0;
  for (uint64 i = 0; i < rows; ++i) {
    bool null = false;
    HeapTuple const row = table->vals[i];
    NeedEntry entry = {};
    entry.database = database;
    entry.name = static_cast<uint64_t>(DatumGetInt64(SPI_getbinval(row, table->tupdesc, 1, &null)));
    entry.learned_at = DatumGetTimestampTz(SPI_getbinval(row, table->tupdesc, 2, &null));
    const bytea* const bytes = DatumGetByteaP(SPI_getbinval(row, table->tupdesc, 3, &null));
    if (entry.name != 0 && ReadNeedQuietly(bytes, &entry.history)) {
      PublishNeed(entry);
      continue;
    }
    ++corrupt;
    if (!RecoveryInProgress()) remove->Integer(static_cast<int64>(entry.name)).Run();
  }
  return corrupt;
}

}  // namespace

void LoadNeedTable(DatabaseSlot* slot) {
  int64 corrupt = 0;
  TableCall remove("DELETE FROM query_shaper.memory_need_data WHERE name = $1");
  Oid types[] = {INT8OID};
  Datum values[] = {Int64GetDatum(NeedCapacity())};
  Portal const portal = SPI_cursor_open_with_args(
      nullptr, "SELECT name, last_seen, state FROM query_shaper.memory_need_data ORDER BY last_seen DESC LIMIT $1", 1,
      types, values, nullptr, true, 0);
  for (;;) {
    SPI_cursor_fetch(portal, true, kFetchNeeds);
    if (SPI_processed == 0) break;
    // Removing a row changes SPI's own variables.
    SPITupleTable* const table = SPI_tuptable;
    corrupt += LoadRows(slot->database, table, SPI_processed, &remove);
    SPI_freetuptable(table);
    CHECK_FOR_INTERRUPTS();
  }
  SPI_cursor_close(portal);
  if (corrupt == 0) return;
  Count(kMetricModelsCorrupt, static_cast<uint64_t>(corrupt));
  ereport(LOG,
          (errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored memory needs are corrupt, they are learned anew"),
           errdetail(INT64_FORMAT " rows in table query_shaper.memory_need_data of database with OID %u are damaged.",
                     corrupt, slot->database)));
}

NeedBatch WriteNeedTable(DatabaseSlot* slot, MemoryContext context) {
  NeedBatch batch{};
  const int dirty = CopyDirtyNeeds(slot->database, nullptr, 0);
  if (dirty == 0) return batch;
  batch.entries =
      static_cast<NeedEntry*>(MemoryContextAllocHuge(context, sizeof(NeedEntry) * static_cast<Size>(dirty)));
  batch.count = Min(dirty, CopyDirtyNeeds(slot->database, batch.entries, dirty));
  TableCall update("UPDATE query_shaper.memory_need_data SET last_seen = $2, state = $3 WHERE name = $1");
  TableCall insert("INSERT INTO query_shaper.memory_need_data (name, last_seen, state) VALUES ($1, $2, $3)");
  for (int i = 0; i < batch.count; ++i) {
    const NeedEntry& entry = batch.entries[i];
    bytea* const bytes = NeedBytes(entry.history);
    for (TableCall* call : {&update, &insert}) {
      call->Integer(static_cast<int64>(entry.name)).Time(entry.learned_at).Bytes(bytes);
      if (call->Run() > 0) break;
    }
    pfree(bytes);
  }
  return batch;
}

void SettleNeedTable(const NeedBatch& batch) {
  if (batch.count > 0) SettleNeeds(batch.entries, batch.count);
}

void TrimNeedTable() {
  TableCall(
      "DELETE FROM query_shaper.memory_need_data WHERE ctid = ANY (ARRAY(SELECT ctid FROM query_shaper.memory_need_data"
      " ORDER BY last_seen DESC OFFSET $1))")
      .Integer(NeedCapacity())
      .Run();
}

}  // namespace query_shaper
