#include "pg/pg.h"

#include "server/settings.h"
#include "server/shared_rows.h"

namespace query_shaper {

SharedRows* shared_rows = nullptr;

static HTAB* row_table;
static HTAB* plans_table;

Size SharedRowsSize() {
  Size size = MAXALIGN(sizeof(SharedRows));
  size = add_size(size, hash_estimate_size(settings::row_estimates_max, sizeof(RowEntry)));
  return add_size(size, hash_estimate_size(settings::history_max, sizeof(PlansEntry)));
}

static HTAB* AttachHash(const char* name, int capacity, Size key_bytes, Size entry_bytes) {
  HASHCTL control{};
  control.keysize = key_bytes;
  control.entrysize = entry_bytes;
  return ShmemInitHash(name, capacity, capacity, &control, HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
}

void AttachSharedRows(LWLock* lock) {
  bool found = false;
  shared_rows = static_cast<SharedRows*>(ShmemInitStruct("query_shaper rows", sizeof(SharedRows), &found));
  if (!found) {
    shared_rows->lock = lock;
    shared_rows->row_capacity = settings::row_estimates_max;
    shared_rows->plans_capacity = settings::history_max;
    pg_atomic_init_u32(&shared_rows->half, 0);
    for (auto& half : shared_rows->known)
      for (pg_atomic_uint32& word : half) pg_atomic_init_u32(&word, 0);
  }
  row_table = AttachHash("query_shaper learned rows", settings::row_estimates_max, sizeof(RowKey), sizeof(RowEntry));
  plans_table = AttachHash("query_shaper known plans", settings::history_max, sizeof(PlansKey), sizeof(PlansEntry));
}

HTAB* RowTable() { return row_table; }
HTAB* PlansTable() { return plans_table; }

}  // namespace query_shaper
