#include "pg/pg.h"

#include "server/query/memo_table.h"

extern "C" {
#include "access/detoast.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "port/pg_bitutils.h"
}

namespace query_shaper {
namespace {

constexpr uint32 kFirstBuckets = 64;
constexpr int kLargestShare = 8;  // a result may take this part of the memory

// What stands before each value in a key.
enum ImageKind : char { kNull = 0, kPlain = 1, kPointer = 2, kCompressed = 3 };

void Append(MemoKey* key, const void* bytes, Size count) {
  if (key->length + count > key->room) {
    key->room = Max(key->room * 2, key->length + count + 64);
    key->bytes = static_cast<char*>(repalloc(key->bytes, key->room));
  }
  memcpy(key->bytes + key->length, bytes, count);
  key->length += count;
}

void AppendSized(MemoKey* key, ImageKind kind, const void* bytes, Size count) {
  Append(key, &kind, 1);
  uint32 size = static_cast<uint32>(count);
  Append(key, &size, sizeof size);
  Append(key, bytes, count);
}

// A value out of line is named by its pointer and a compressed one by its compressed bytes: within one statement the
// same pointer is the same value, and nothing is read or inflated only to be compared.
void AppendVarlena(MemoKey* key, Datum value) {
  auto* image = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
  if (VARATT_IS_EXTERNAL_ONDISK(image)) {
    AppendSized(key, kPointer, VARDATA_EXTERNAL(image), VARSIZE_EXTERNAL(image) - VARHDRSZ_EXTERNAL);
  } else if (VARATT_IS_EXTERNAL(image)) {
    struct varlena* flat = detoast_attr(image);
    AppendSized(key, kPlain, VARDATA_ANY(flat), VARSIZE_ANY_EXHDR(flat));
    pfree(flat);
  } else if (VARATT_IS_COMPRESSED(image)) {
    AppendSized(key, kCompressed, VARDATA(image), VARSIZE(image) - VARHDRSZ);
  } else {
    AppendSized(key, kPlain, VARDATA_ANY(image), VARSIZE_ANY_EXHDR(image));
  }
}

bool SameKey(const MemoEntry* entry, const MemoKey* key) {
  return entry->hash == key->hash && entry->key_bytes == key->length &&
         memcmp(entry->key, key->bytes, key->length) == 0;
}

void UseContext(MemoTable* table) {
  if (table->context == nullptr)
    table->context = AllocSetContextCreate(table->parent, "query_shaper subplan results", ALLOCSET_DEFAULT_SIZES);
}

void Grow(MemoTable* table) {
  uint32 count = table->buckets ? table->bucket_count * 2 : kFirstBuckets;
  auto* buckets = static_cast<MemoEntry**>(
      MemoryContextAllocExtended(table->context, count * sizeof(MemoEntry*), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
  for (uint32 i = 0; table->buckets != nullptr && i < table->bucket_count; ++i) {
    for (MemoEntry* entry = table->buckets[i]; entry != nullptr;) {
      MemoEntry* next = entry->next;
      entry->next = buckets[entry->hash & (count - 1)];
      buckets[entry->hash & (count - 1)] = entry;
      entry = next;
    }
  }
  if (table->buckets != nullptr) pfree(table->buckets);
  table->buckets = buckets;
  table->bucket_count = count;
}

void NotePeak(MemoTable* table) { table->peak_bytes = Max(table->peak_bytes, MemoTableBytes(table)); }

}  // namespace

void BuildMemoKey(MemoKey* key, const MemoKeyPart* parts, int count, const ParamExecData* parameters) {
  key->length = 0;
  for (int i = 0; i < count; ++i) {
    const MemoKeyPart& part = parts[i];
    const ParamExecData& parameter = parameters[part.parameter];
    constexpr char null_mark = kNull, plain_mark = kPlain;
    if (parameter.isnull) {
      Append(key, &null_mark, 1);
    } else if (part.typbyval) {
      Append(key, &plain_mark, 1);
      Append(key, &parameter.value, sizeof(Datum));
    } else if (part.typlen == -1) {
      AppendVarlena(key, parameter.value);
    } else if (part.typlen == -2) {
      const char* text = DatumGetCString(parameter.value);
      AppendSized(key, kPlain, text, strlen(text));
    } else {
      Append(key, &plain_mark, 1);
      Append(key, DatumGetPointer(parameter.value), static_cast<Size>(part.typlen));
    }
  }
  key->hash = hash_bytes(reinterpret_cast<const unsigned char*>(key->bytes), static_cast<int>(key->length));
}

MemoEntry* FindMemo(const MemoTable* table, const MemoKey* key) {
  if (table->buckets == nullptr) return nullptr;
  MemoEntry* entry = table->buckets[key->hash & (table->bucket_count - 1)];
  while (entry != nullptr && !SameKey(entry, key)) entry = entry->next;
  return entry;
}

MemoEntry* AddMemo(MemoTable* table, const MemoKey* key) {
  UseContext(table);
  if (table->buckets == nullptr || table->entry_count >= table->bucket_count) Grow(table);
  auto* entry = static_cast<MemoEntry*>(MemoryContextAlloc(table->context, offsetof(MemoEntry, key) + key->length));
  memset(static_cast<void*>(entry), 0, offsetof(MemoEntry, key));
  entry->hash = key->hash;
  entry->key_bytes = static_cast<uint32>(key->length);
  memcpy(entry->key, key->bytes, key->length);
  MemoEntry** bucket = &table->buckets[key->hash & (table->bucket_count - 1)];
  entry->next = *bucket;
  *bucket = entry;
  ++table->entry_count;
  return entry;
}

bool AddMemoRow(MemoTable* table, MemoEntry* entry, TupleTableSlot* slot, bool only_fact) {
  MemoryContext caller = MemoryContextSwitchTo(table->context);
  if (entry->row_count >= entry->row_room) {
    int room = entry->row_room ? entry->row_room * 2 : 1;
    Size bytes = static_cast<Size>(room) * sizeof(MinimalTuple);
    entry->rows = static_cast<MinimalTuple*>(entry->rows ? repalloc_huge(entry->rows, bytes) : palloc(bytes));
    entry->row_room = room;
  }
  MinimalTuple row = only_fact ? nullptr : ExecCopySlotMinimalTuple(slot);
  MemoryContextSwitchTo(caller);
  entry->rows[entry->row_count++] = row;
  entry->row_bytes += sizeof(MinimalTuple) + (row ? row->t_len : 0);
  bool too_large = entry->row_bytes > table->limit_bytes / kLargestShare;
  if (!too_large && !MemoTableFull(table)) return true;
  NotePeak(table);
  // The last row of a result may fill the memory: it stays, the next one finds no room.
  if (!too_large && entry->row_count == 1) return true;
  ForgetMemoRows(entry);
  entry->oversized = too_large;
  return false;
}

void ForgetMemoRows(MemoEntry* entry) {
  for (int i = 0; i < entry->row_count; ++i)
    if (entry->rows[i] != nullptr) pfree(entry->rows[i]);
  if (entry->rows != nullptr) pfree(entry->rows);
  entry->rows = nullptr;
  entry->row_count = entry->row_room = 0;
  entry->row_bytes = 0;
  entry->complete = false;
}

void BeginMemoSample(MemoSample* sample, MemoryContext context, uint32 draws) {
  uint32 size = pg_nextpower2_32(draws * 2);
  sample->seen = static_cast<uint32*>(MemoryContextAllocZero(context, size * sizeof(uint32)));
  sample->mask = size - 1;
  sample->draws = sample->distinct = 0;
}

void SampleMemo(MemoSample* sample, const MemoKey* key, uint32 epoch) {
  uint32 hash = (key->hash ^ (epoch * 0x9e3779b9U)) | 1;  // 0: free
  uint32 place = (hash >> 1) & sample->mask;
  if (++sample->draws > sample->mask) return;
  while (sample->seen[place] != 0 && sample->seen[place] != hash) place = (place + 1) & sample->mask;
  sample->distinct += sample->seen[place] == 0;
  sample->seen[place] = hash;
}

void EndMemoSample(MemoSample* sample) {
  if (sample->seen != nullptr) pfree(sample->seen);
  sample->seen = nullptr;
}

bool MemoTableFull(const MemoTable* table) { return MemoTableBytes(table) > table->limit_bytes; }

Size MemoTableBytes(const MemoTable* table) {
  return table->context ? MemoryContextMemAllocated(table->context, false) : 0;
}

void ClearMemoTable(MemoTable* table) {
  if (table->buckets == nullptr) return;
  NotePeak(table);
  MemoryContextReset(table->context);
  table->buckets = nullptr;
  table->bucket_count = table->entry_count = 0;
}

}  // namespace query_shaper
