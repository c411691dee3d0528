#include "pg/pg.h"

#include "server/store/need_tables.h"
#include "server/store/stored_entries.h"

namespace query_shaper {
namespace {

bool ReadNeed(HeapTuple row, TupleDesc shape, Oid database, NeedEntry* entry, bool* sound) {
  bool null = false;
  entry->database = database;
  entry->name = static_cast<uint64_t>(DatumGetInt64(SPI_getbinval(row, shape, 1, &null)));
  entry->learned_at = DatumGetTimestampTz(SPI_getbinval(row, shape, 2, &null));
  const bytea* const bytes = DatumGetByteaP(SPI_getbinval(row, shape, 3, &null));
  *sound = entry->name != 0 && ReadStored<ReadNeedHistory>(bytes, &entry->history);
  return *sound;
}

bool SetNeed(const NeedEntry& entry, TableCall* call) {
  call->Integer(static_cast<int64>(entry.name)).Time(entry.learned_at);
  call->Bytes(StoredBytes<WriteNeedHistory>(entry.history));
  return true;
}

const StoredTable<NeedEntry> kStoredNeeds = {
    "SELECT name, last_seen, state FROM query_shaper.memory_need_data ORDER BY last_seen DESC LIMIT $1",
    "DELETE FROM query_shaper.memory_need_data WHERE name = $1", 500, ReadNeed, PublishNeed};

}  // namespace

void LoadNeedTable(DatabaseSlot* slot) {
  int64 corrupt = 0;
  LoadEntries(kStoredNeeds, slot->database, NeedCapacity(), &corrupt);
  ReportDamaged(corrupt, "memory needs", "table query_shaper.memory_need_data", slot->database);
}

NeedBatch WriteNeedTable(DatabaseSlot* slot, MemoryContext context) {
  NeedBatch batch{};
  const int dirty = CopyDirtyNeeds(slot->database, nullptr, 0);
  if (dirty == 0) return batch;
  batch.entries =
      static_cast<NeedEntry*>(MemoryContextAllocHuge(context, sizeof(NeedEntry) * static_cast<Size>(dirty)));
  batch.count = Min(dirty, CopyDirtyNeeds(slot->database, batch.entries, dirty));
  WriteEntries(batch, "UPDATE query_shaper.memory_need_data SET last_seen = $2, state = $3 WHERE name = $1",
               "INSERT INTO query_shaper.memory_need_data (name, last_seen, state) VALUES ($1, $2, $3)", SetNeed);
  return batch;
}

void SettleNeedTable(const NeedBatch& batch) {
  if (batch.count > 0) SettleNeeds(batch.entries, batch.count);
}

void TrimNeedTable() { TrimStored("memory_need_data", NeedCapacity()); }

}  // namespace query_shaper
