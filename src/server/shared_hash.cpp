#include "pg/pg.h"

#include "server/shared_hash.h"
extern "C" {
#include "storage/shmem.h"
}

namespace query_shaper {

Size SharedHashSize(int capacity, Size entry_bytes) { return hash_estimate_size(capacity, entry_bytes); }

HTAB* AttachSharedHash(const char* name, int capacity, Size key_bytes, Size entry_bytes) {
  constexpr int kReady = 64;
  HASHCTL control{};
  control.keysize = key_bytes;
  control.entrysize = entry_bytes;
  return ShmemInitHash(name, Min(kReady, capacity), capacity, &control, HASH_ELEM | HASH_BLOBS);
}

void* EnterSharedHash(HTAB* table, const void* key, int capacity, bool* found) {
  void* entry = hash_search(table, key, HASH_FIND, found);
  // Such a table would grow beyond its size, into the memory that the server keeps for its own.
  if (entry != nullptr || hash_get_num_entries(table) >= capacity) return entry;
  return hash_search(table, key, HASH_ENTER_NULL, found);
}

}  // namespace query_shaper
