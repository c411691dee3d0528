// Hash tables of bounded size in shared memory, for advice: one that is full takes no more, nobody waits or fails.
//
// They are reserved whole at the start and take their memory as they fill: tables whose every element lies ready would
// be written through at the start of the server, tens of megabytes that a new or a small one never uses.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "utils/hsearch.h"
}

namespace query_shaper {

Size SharedHashSize(int capacity, Size entry_bytes);

// The key is the first key_bytes of an entry. At the server's start, under AddinShmemInitLock.
HTAB* AttachSharedHash(const char* name, int capacity, Size key_bytes, Size entry_bytes);

// Null: it is full. Under the table's lock, exclusively.
void* EnterSharedHash(HTAB* table, const void* key, int capacity, bool* found);

}  // namespace query_shaper
