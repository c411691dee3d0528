// Slots of shadow workers in shared memory: what a statement asks for, and the rows that its shadow has found.
//
// A slot is held by the statement's backend (owner) and by the worker, and is free when neither holds it. Both are set
// when it is claimed. `ticket` decides once whether the worker ever starts: the worker takes it to begin, the owner to
// call it off. Rows are read under a seqlock: `sequence` is odd while the worker writes.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "port/atomics.h"
#include "utils/snapshot.h"
}

namespace query_shaper {

constexpr int kShadowSlots = 2;  // so many run at once in a cluster
constexpr int kShadowBytes = 256 * 1024;
constexpr int kShadowRows = 64;

enum ShadowHolder : uint32 { kShadowOwner = 1, kShadowWorker = 2 };

enum class ShadowState : uint8_t { kWaiting = 0, kRunning = 1, kDone = 2, kFailed = 3 };

struct ShadowRow {
  uint64_t key, constants;  // as RowOverride
  double rows, low, high;
  double planner_rows;
  bool join;
  bool exact;
};

struct ShadowSlot {
  pg_atomic_uint32 holders;  // ShadowHolder bits
  pg_atomic_uint32 ticket;   // 0: taken
  pg_atomic_uint32 cancel;   // the statement is over
  Oid database, session_user, user;
  int32_t security_context;
  int32_t owner_pid, owner_procno;
  volatile int worker_pid;  // 0: none yet
  bool generic;             // planned without the values of its parameters
  double fraction;
  int32_t budget_ms;
  TimestampTz asked;
  volatile ShadowState state;
  double first_ms, ended_ms;  // since asked; first: until the first rows, 0: none
  int32_t sqlstate;           // why it failed
  char failure[160];
  pg_atomic_uint32 sequence;
  int32_t row_count;
  ShadowRow rows[kShadowRows];
  // Where in `payload` what was handed over begins.
  uint32_t query_at, text_at, parameters_at, settings_at, snapshot_at;
  char payload[kShadowBytes];
};

ShadowSlot* ShadowSlotAt(int index);

// Owner: a free slot, claimed for both; null when all are in use. Sets *ticket.
ShadowSlot* ClaimShadowSlot(uint32* ticket);
// Owner: gives it back and has the worker stop.
void LeaveShadowSlot(ShadowSlot* slot, uint32 ticket);
// Worker: false when it was called off.
bool EnterShadowSlot(ShadowSlot* slot, uint32 ticket);

// A consistent copy, also in signal context; -1 while it keeps changing.
int CopyShadowRows(ShadowSlot* slot, ShadowRow* rows, int capacity);
// Worker.
void PublishShadowRows(ShadowSlot* slot, const ShadowRow* rows, int count);

void CancelShadowsOf(Oid database);

// What a worker runs once it stands in for its owner: in a transaction, with the snapshot active and the rights taken
// over. Set by the room that knows how.
using ShadowBody = void (*)(ShadowSlot* slot, Query* query, const char* text, ParamListInfo parameters,
                            Snapshot snapshot);
extern ShadowBody shadow_body;

// Called by shared_state.cpp from the hooks for request and startup of shared memory.
Size SharedShadowSize();
void AttachSharedShadow();

}  // namespace query_shaper
