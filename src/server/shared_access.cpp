#include "pg/pg.h"

#include "server/settings.h"
#include "server/shared_hash.h"
#include "server/shared_access.h"

namespace query_shaper {

SharedAccess* shared_access = nullptr;

static HTAB* access_table;

Size SharedAccessSize() {
  return add_size(MAXALIGN(sizeof(SharedAccess)), SharedHashSize(settings::access_patterns_max, sizeof(AccessEntry)));
}

void AttachSharedAccess(LWLock* lock) {
  bool found = false;
  shared_access =
      static_cast<SharedAccess*>(ShmemInitStruct("query_shaper access patterns", sizeof(SharedAccess), &found));
  if (!found) {
    shared_access->lock = lock;
    shared_access->capacity = settings::access_patterns_max;
  }
  access_table = AttachSharedHash("query_shaper access models", settings::access_patterns_max, sizeof(AccessKey),
                                  sizeof(AccessEntry));
}

HTAB* AccessTable() { return access_table; }

}  // namespace query_shaper
