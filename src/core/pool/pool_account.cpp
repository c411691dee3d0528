#include "core/pool/pool_account.h"

#include <algorithm>
#include <atomic>

namespace query_shaper {

namespace {

static_assert(std::atomic_ref<int64_t>::is_always_lock_free);

int64_t Load(const int64_t& figure) { return std::atomic_ref<int64_t>(const_cast<int64_t&>(figure)).load(); }

int64_t Take(PoolAccount* account, int64_t amount, bool wish) {
  std::atomic_ref<int64_t> reserved(account->reserved);
  int64_t now = reserved.load();
  for (;;) {
    // Read anew each time: it may have been lowered meanwhile.
    const int64_t most = Load(account->capacity) - (wish ? Load(account->kept) : 0);
    const int64_t taken = std::min(amount, most - now);
    if (taken <= 0) return 0;
    if (reserved.compare_exchange_weak(now, now + taken)) return taken;
  }
}

}  // namespace

const char* PoolResourceName(int resource) {
  static const char* const kNames[kPoolResources] = {"memory", "workers", "io"};
  return kNames[resource];
}

void SetCapacity(PoolAccount* account, int64_t capacity, int64_t kept) {
  capacity = std::max<int64_t>(capacity, 0);
  std::atomic_ref<int64_t>(account->kept).store(std::clamp<int64_t>(kept, 0, capacity));
  std::atomic_ref<int64_t>(account->capacity).store(capacity);
}

int64_t TakeNeed(PoolAccount* account, int64_t amount) { return Take(account, amount, false); }
int64_t TakeWish(PoolAccount* account, int64_t amount) { return Take(account, amount, true); }

void GiveBack(PoolAccount* account, int64_t amount) {
  if (amount > 0) std::atomic_ref<int64_t>(account->reserved).fetch_sub(amount);
}

int64_t CapacityOf(const PoolAccount& account) { return Load(account.capacity); }
int64_t ReservedOf(const PoolAccount& account) { return Load(account.reserved); }

int64_t FreeForWishes(const PoolAccount& account) {
  return std::max<int64_t>(0, Load(account.capacity) - Load(account.kept) - Load(account.reserved));
}

}  // namespace query_shaper
