#include "pg/pg.h"

#include "server/shared_shadow.h"

namespace query_shaper {

ShadowBody shadow_body = nullptr;

namespace {

constexpr int kReadTries = 100;

struct SharedShadow {
  pg_atomic_uint32 tickets;  // source of numbers
  ShadowSlot slots[kShadowSlots];
};

SharedShadow* shared_shadow;

}  // namespace

Size SharedShadowSize() { return sizeof(SharedShadow); }

void AttachSharedShadow() {
  bool found = false;
  shared_shadow = static_cast<SharedShadow*>(ShmemInitStruct("query_shaper shadow", sizeof(SharedShadow), &found));
  if (found) return;
  memset(static_cast<void*>(shared_shadow), 0, sizeof(SharedShadow));
  pg_atomic_init_u32(&shared_shadow->tickets, 0);
  for (ShadowSlot& slot : shared_shadow->slots) {
    pg_atomic_init_u32(&slot.holders, 0);
    pg_atomic_init_u32(&slot.ticket, 0);
    pg_atomic_init_u32(&slot.cancel, 0);
    pg_atomic_init_u32(&slot.sequence, 0);
  }
}

ShadowSlot* ShadowSlotAt(int index) { return &shared_shadow->slots[index]; }

ShadowSlot* ClaimShadowSlot(uint32* ticket) {
  for (ShadowSlot& slot : shared_shadow->slots) {
    uint32 expected = 0;
    if (!pg_atomic_compare_exchange_u32(&slot.holders, &expected, kShadowOwner | kShadowWorker)) continue;
    do {
      *ticket = pg_atomic_add_fetch_u32(&shared_shadow->tickets, 1);
    } while (*ticket == 0);
    pg_atomic_write_u32(&slot.cancel, 0);
    // Nothing of the one before is to be seen by anybody who holds a pointer to it.
    pg_atomic_write_u32(&slot.sequence, (pg_atomic_read_u32(&slot.sequence) | 1) + 1);
    slot.database = InvalidOid;
    slot.worker_pid = 0;
    slot.state = ShadowState::kWaiting;
    slot.first_ms = slot.ended_ms = 0;
    slot.sqlstate = 0;
    slot.failure[0] = '\0';
    slot.row_count = 0;
    slot.owner_pid = MyProcPid;
    pg_atomic_write_u32(&slot.ticket, *ticket);
    return &slot;
  }
  return nullptr;
}

void LeaveShadowSlot(ShadowSlot* slot, uint32 ticket) {
  pg_atomic_write_u32(&slot->cancel, 1);
  uint32 expected = ticket;
  const bool called_off = pg_atomic_compare_exchange_u32(&slot->ticket, &expected, 0);
  pg_atomic_fetch_and_u32(&slot->holders, ~(kShadowOwner | (called_off ? kShadowWorker : 0u)));
}

bool EnterShadowSlot(ShadowSlot* slot, uint32 ticket) {
  uint32 expected = ticket;
  return pg_atomic_compare_exchange_u32(&slot->ticket, &expected, 0);
}

int CopyShadowRows(ShadowSlot* slot, ShadowRow* rows, int capacity) {
  for (int i = 0; i < kReadTries; ++i) {
    const uint32 before = pg_atomic_read_u32(&slot->sequence);
    if (before % 2 != 0) continue;
    pg_read_barrier();
    const int count = Min(slot->row_count, capacity);
    if (count > 0) memcpy(static_cast<void*>(rows), slot->rows, sizeof(ShadowRow) * static_cast<size_t>(count));
    pg_read_barrier();
    if (pg_atomic_read_u32(&slot->sequence) == before) return count;
  }
  return -1;
}

void PublishShadowRows(ShadowSlot* slot, const ShadowRow* rows, int count) {
  pg_atomic_fetch_add_u32(&slot->sequence, 1);
  pg_write_barrier();
  memcpy(static_cast<void*>(slot->rows), rows, sizeof(ShadowRow) * static_cast<size_t>(count));
  slot->row_count = count;
  pg_write_barrier();
  pg_atomic_fetch_add_u32(&slot->sequence, 1);
}

void CancelShadowsOf(Oid database) {
  for (ShadowSlot& slot : shared_shadow->slots)
    if (slot.worker_pid != 0 && slot.database == database) pg_atomic_write_u32(&slot.cancel, 1);
}

}  // namespace query_shaper
