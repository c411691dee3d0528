// Layout of learned row counts and known plans in shared memory: two hashes under one lock, and a bitmap that tells
// without a lock which relations rows are known of. What uses them stands in server/store.
#pragma once
#include "core/cardinality/row_model.h"
#include "core/decide/plan_guard.h"
#include "pg/pg.h"
extern "C" {
#include "port/atomics.h"
#include "utils/hsearch.h"
}

namespace query_shaper {

constexpr int kRowRelations = 8;
constexpr int kRowClauseBytes = 256;
constexpr int kKnownWords = 8192;  // 32 relations each

enum class RowKind : uint8_t { kScan = 0, kJoin = 1, kGroup = 2, kLookup = 3, kFunction = 4, kCte = 5, kSubquery = 6 };

struct RowKey {  // zeroed before use: hashed as bytes
  Oid database;
  uint32_t padding;
  uint64_t key;
};

struct RowEntry {
  RowKey key;
  RowKind kind;
  bool dirty;       // not yet written to the table
  uint32_t change;  // grows with every change: what was written may be older than what is here
  int32_t relation_count;
  Oid relations[kRowRelations];   // when learned last, to be named in the table
  uint64_t names[kRowRelations];  // RelationNameHash() of them, 0: no table
  char clauses[kRowClauseBytes];
  RowProfile profile;
};

struct PlansKey {  // zeroed before use: hashed as bytes
  Oid database;
  uint32_t padding;
  int64_t query_id;
};

struct PlansEntry {
  PlansKey key;
  bool dirty;
  uint32_t change;
  double changed_s;  // seconds since the epoch
  KnownPlans plans;
};

struct SharedRows {
  LWLock* lock;  // of both hashes: shared to recall, exclusive to learn, load, evict. The last in the lock order.
  int row_capacity;
  int plans_capacity;
  // Bits by hash of database and relation's name: a table that is created anew is the same. Only what is forgotten
  // clears bits: the other half is filled, then `half` is changed over.
  pg_atomic_uint32 half;
  pg_atomic_uint32 known[2][kKnownWords];
};

extern SharedRows* shared_rows;

HTAB* RowTable();
HTAB* PlansTable();

// Called by shared_state.cpp from the hooks for request and startup of shared memory.
Size SharedRowsSize();
void AttachSharedRows(LWLock* lock);

}  // namespace query_shaper
