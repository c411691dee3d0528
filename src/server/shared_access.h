// Layout of access models in shared memory: one per relation and index, in a hash of fixed size under a lock of its
// own. What uses them stands in server/store.
#pragma once
#include "core/prefetch/access_model.h"
#include "pg/pg.h"
extern "C" {
#include "utils/hsearch.h"
}

namespace query_shaper {

struct AccessKey {  // zeroed before use: hashed as bytes
  Oid database;
  uint32_t padding;
  uint64_t name;  // of relation and index
};

struct AccessEntry {
  AccessKey key;
  bool dirty;       // not yet written to the table
  uint32_t change;  // grows with every change: what was written may be older than what is here
  Oid relation;     // when learned last, to be named in the table
  Oid index;        // InvalidOid: none
  double last_seen_s;
  AccessModel model;
};

struct SharedAccess {
  LWLock* lock;  // shared to recall, exclusive to learn, load, evict; no other is taken under it
  int capacity;
};

extern SharedAccess* shared_access;

HTAB* AccessTable();

// Called by shared_state.cpp from the hooks for request and startup of shared memory.
Size SharedAccessSize();
void AttachSharedAccess(LWLock* lock);

}  // namespace query_shaper
