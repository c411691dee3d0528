// What a cluster has to give of one resource, and what of it is promised: reservations are taken from an account and
// given back.
//
// Plain memory of fixed size that processes share and change by compare-and-swap alone, also from signal handlers:
// nothing waits. What is reserved never passes the capacity at the moment of granting; a capacity that is lowered takes
// nothing back. Everything may be given to needs, all but the kept part to wishes.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

enum PoolResource { kPoolMemory = 0, kPoolWorkers = 1, kPoolIo = 2, kPoolResources = 3 };
const char* PoolResourceName(int resource);  // memory, workers, io

struct PoolAccount {
  int64_t capacity;
  int64_t kept;  // of the capacity, for needs alone
  int64_t reserved;
};
static_assert(std::is_trivially_copyable_v<PoolAccount>);

void SetCapacity(PoolAccount* account, int64_t capacity, int64_t kept);

// What was taken: as much of the amount as is free, perhaps 0.
int64_t TakeNeed(PoolAccount* account, int64_t amount);
int64_t TakeWish(PoolAccount* account, int64_t amount);
void GiveBack(PoolAccount* account, int64_t amount);

int64_t CapacityOf(const PoolAccount& account);
int64_t ReservedOf(const PoolAccount& account);
int64_t FreeForWishes(const PoolAccount& account);  // 0 where the capacity was lowered below what is reserved

}  // namespace query_shaper
