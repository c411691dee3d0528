#include "pg/pg.h"

#include "server/settings.h"
#include "server/shared_hash.h"
#include "server/shared_rows.h"

namespace query_shaper {

SharedRows* shared_rows = nullptr;

static HTAB* row_table;
static HTAB* plans_table;

Size SharedRowsSize() {
  Size size = MAXALIGN(sizeof(SharedRows));
  size = add_size(size, SharedHashSize(settings::row_estimates_max, sizeof(RowEntry)));
  return add_size(size, SharedHashSize(settings::history_max, sizeof(PlansEntry)));
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
  row_table =
      AttachSharedHash("query_shaper learned rows", settings::row_estimates_max, sizeof(RowKey), sizeof(RowEntry));
  plans_table =
      AttachSharedHash("query_shaper known plans", settings::history_max, sizeof(PlansKey), sizeof(PlansEntry));
}

HTAB* RowTable() { return row_table; }
HTAB* PlansTable() { return plans_table; }

}  // namespace query_shaper
