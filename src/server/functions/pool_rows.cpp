// Rows of the views pool and reservations.
#include "pg/pg.h"

#include "pg/guard.h"
#include "server/functions/caller.h"
#include "server/pool/pool_capacity.h"
#include "server/pool/shared_pool.h"
#include "server/pool/waiting_turn.h"
#include "server/shared_state.h"

extern "C" {
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

namespace query_shaper {

// Of memory what running statements have published, of workers those at work; of requests nobody counts them.
static int64 UsedOf(int resource) {
  int64 used = 0;
  auto* const statement = static_cast<StatementSlot*>(palloc(sizeof(StatementSlot)));
  for (int i = 0; i < shared->backends; ++i) {
    BackendSlot* const backend = BackendAt(i);
    if (backend->pid == 0) continue;
    if (resource == kPoolWorkers) {
      used += backend->leader_pid != 0;
      continue;
    }
    for (int level = 0; level < kNestLevels; ++level)
      if (ReadStatement(backend, level, statement)) used += Max(statement->memory_kb, 0);
  }
  pfree(statement);
  return used;
}

QUERY_SHAPER_FUNCTION(query_shaper_pool) {
  RequireSharedState();
  InitMaterializedSRF(fcinfo, 0);
  auto* const sink = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  FollowPoolCapacity();
  for (int r = 0; r < kPoolResources; ++r) {
    const PoolAccount& account = shared_pool->accounts[r];
    const bool counted = r != kPoolIo;
    Datum values[] = {CStringGetTextDatum(PoolResourceName(r)),
                      Int64GetDatum(CapacityOf(account)),
                      Int64GetDatum(ReservedOf(account)),
                      Int64GetDatum(counted ? UsedOf(r) : 0),
                      Int32GetDatum(r == kPoolMemory ? LineLength() : 0),
                      Int64GetDatum(r == kPoolMemory ? PoolFreeKb() : FreeForWishes(account))};
    bool nulls[lengthof(values)] = {};
    nulls[3] = !counted;
    tuplestore_putvalues(sink->setResult, sink->setDesc, values, nulls);
  }
  return 0;
}

// The same for as long as it is open, and no other's: when and by whom it was made, and where it stands.
static Datum ReservationName(int index, const PoolReservation& reservation) {
  auto* const uuid = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
  uint64 high = static_cast<uint64>(reservation.since);
  uint64 low = static_cast<uint64>(static_cast<uint32>(reservation.pid)) << 32 | static_cast<uint32>(index);
  for (int i = 7; i >= 0; --i, high >>= 8, low >>= 8) {
    uuid->data[i] = static_cast<unsigned char>(high);
    uuid->data[8 + i] = static_cast<unsigned char>(low);
  }
  // Version 8, of our own making, in RFC 9562's variant.
  uuid->data[6] = static_cast<unsigned char>((uuid->data[6] & 0x0F) | 0x80);
  uuid->data[8] = static_cast<unsigned char>((uuid->data[8] & 0x3F) | 0x80);
  return UUIDPGetDatum(uuid);
}

QUERY_SHAPER_FUNCTION(query_shaper_reservations) {
  RequireSharedState();
  InitMaterializedSRF(fcinfo, 0);
  auto* const sink = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  for (int i = 0; i < shared_pool->processes * kReservationsPerProcess; ++i) {
    PoolReservation reservation;
    int64 held[kPoolResources];
    if (!ReadReservation(i, &reservation, held) || !MayReadStatementsOf(reservation.user)) continue;
    // As log_line_prefix shows a session by %c.
    char session[64];
    std::snprintf(session, sizeof session, "%lx.%x", static_cast<unsigned long>(reservation.session_start),
                  static_cast<unsigned>(reservation.pid));
    const char* const user = GetUserNameFromId(reservation.user, true);  // null: the role is gone
    Datum values[] = {ReservationName(i, reservation),
                      Int32GetDatum(reservation.pid),
                      CStringGetTextDatum(session),
                      CStringGetTextDatum(PoolSourceName(reservation.source)),
                      Int64GetDatum(held[kPoolMemory]),
                      Int32GetDatum(static_cast<int32>(held[kPoolWorkers])),
                      Float8GetDatum(reservation.confidence),
                      0,
                      Int64GetDatum(reservation.query_id),
                      user == nullptr ? 0 : CStringGetTextDatum(user),
                      Int64GetDatum(reservation.wanted[kPoolMemory]),
                      Int32GetDatum(static_cast<int32>(reservation.wanted[kPoolWorkers])),
                      Int32GetDatum(static_cast<int32>(held[kPoolIo])),
                      CStringGetTextDatum(SliceKindName(static_cast<int>(reservation.slice))),
                      TimestampTzGetDatum(reservation.since)};
    bool nulls[lengthof(values)] = {};
    nulls[6] = reservation.confidence < 0;
    nulls[9] = user == nullptr;
    nulls[7] = true;  // a statement's reservation ends with it
    tuplestore_putvalues(sink->setResult, sink->setDesc, values, nulls);
  }
  return 0;
}

}  // namespace query_shaper
