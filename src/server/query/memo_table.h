// Results of a subquery by the image of its parameters, in a memory context of their own that is emptied as a whole.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "access/htup.h"
#include "executor/tuptable.h"
#include "nodes/params.h"
}

namespace query_shaper {

struct MemoEntry {
  MemoEntry* next;  // in its bucket
  uint32 hash;
  uint32 key_bytes;
  bool complete;   // `rows` is the whole result
  bool oversized;  // its result is too large to be kept
  int row_count;
  int row_room;
  MinimalTuple* rows;  // an element may be null where only the fact of a row counts
  Size row_bytes;
  char key[FLEXIBLE_ARRAY_MEMBER];
};

struct MemoTable {
  MemoryContext context;  // null until first used
  MemoryContext parent;
  Size limit_bytes;
  MemoEntry** buckets;  // null: empty
  uint32 bucket_count;
  uint32 entry_count;
  Size peak_bytes;
};

struct MemoKey {
  char* bytes;
  Size length, room;
  uint32 hash;
};

struct MemoKeyPart {
  int parameter;  // number of a PARAM_EXEC
  int16 typlen;
  bool typbyval;
};

// The key of the parameters' present values. Values with the same image are equal in every respect; equal values with
// different images (1.0 and 1.00, or a value stored once plain and once compressed) are kept apart.
void BuildMemoKey(MemoKey* key, const MemoKeyPart* parts, int count, const ParamExecData* parameters);

MemoEntry* FindMemo(const MemoTable* table, const MemoKey* key);
MemoEntry* AddMemo(MemoTable* table, const MemoKey* key);  // the key must not be there

// Appends the slot's row to a result, or the bare fact of it. False when the result is too large now: it is forgotten.
bool AddMemoRow(MemoTable* table, MemoEntry* entry, TupleTableSlot* slot, bool only_fact);
void ForgetMemoRows(MemoEntry* entry);

// A stretch of keys seen, without results: hashes alone, an unequal key in some millions is taken for equal.
struct MemoSample {
  uint32* seen;  // null: none going on
  uint32 mask;
  uint32 draws, distinct;
};
void BeginMemoSample(MemoSample* sample, MemoryContext context, uint32 draws);
void SampleMemo(MemoSample* sample, const MemoKey* key, uint32 epoch);  // keys of different epochs are never equal
void EndMemoSample(MemoSample* sample);

bool MemoTableFull(const MemoTable* table);
Size MemoTableBytes(const MemoTable* table);
void ClearMemoTable(MemoTable* table);

}  // namespace query_shaper
