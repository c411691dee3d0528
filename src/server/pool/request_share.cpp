#include "pg/pg.h"

#include "server/pool/priority_watch.h"
#include "server/pool/request_share.h"
#include "server/pool/shared_pool.h"
extern "C" {
#include "storage/bufmgr.h"
}

namespace query_shaper {
namespace {

constexpr int kAskAgainAfter = 64;  // calls, when not all was to be had

int OfPool(int wanted) {
  static int patience = 0;
  if (shared_pool == nullptr) return wanted;
  int newest;
  int held = static_cast<int>(PoolHeldRequests(&newest));
  if (held < wanted && --patience < 0) {
    const auto free = static_cast<int>(Min(FreeForWishes(shared_pool->accounts[kPoolIo]), INT_MAX / 2));
    const int most = Min(wanted, (free + held) / 2);
    if (newest == kNoReservation)
      held = most;
    else if (most > held)
      held += PoolTakeRequests(newest, most - held);
    if (held < wanted && newest != kNoReservation) patience = kAskAgainAfter;
  }
  return Min(wanted, Max(held, Max(1, effective_io_concurrency)));
}

}  // namespace

int RequestsAllowed(int wanted) {
  if (wanted <= 1) return wanted;
  int allowed = OfPool(wanted);
  if (MyWay().share < 1) allowed = Max(1, static_cast<int>(allowed * MyWay().share));
  return allowed;
}

}  // namespace query_shaper
