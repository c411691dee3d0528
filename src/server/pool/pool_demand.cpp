#include "pg/pg.h"

#include "server/pool/pool_capacity.h"
#include "server/pool/pool_demand.h"

namespace query_shaper {

void ReadPoolDemand(PoolDemand* demand) {
  *demand = PoolDemand{};
  FollowPoolCapacity();
  for (int i = 0; i < shared_pool->processes * kReservationsPerProcess; ++i) {
    PoolReservation reservation;
    int64 held[kPoolResources];
    if (!ReadReservation(i, &reservation, held)) continue;
    AddDemand(&demand->running[static_cast<int>(reservation.slice)], reservation.wanted, held);
  }
  LWLockAcquire(shared_pool->lock, LW_SHARED);
  for (int i = 0; i < shared_pool->processes; ++i) {
    const Waiter& waiter = *WaiterAt(i);
    if (waiter.owner < 0) continue;
    // It is memory that they wait for.
    const int64 wanted[kPoolResources] = {waiter.want, 0, 0};
    constexpr int64 kNothing[kPoolResources] = {0, 0, 0};
    AddDemand(&demand->waiting[static_cast<int>(SliceKind::kMemoryRich)], wanted, kNothing);
  }
  LWLockRelease(shared_pool->lock);
}

}  // namespace query_shaper
