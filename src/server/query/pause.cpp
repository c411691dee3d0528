#include "pg/pg.h"

#include "server/query/pause.h"

#include <csignal>

#include "server/query/carry_out.h"
#include "server/query/tracker.h"
extern "C" {
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/wait_event.h"
}

namespace query_shaper {

static volatile sig_atomic_t wanted = 0;
static volatile sig_atomic_t held = 0;

void ArmPause() {
  wanted = 1;
  ArmAllNodes();
}

bool PauseWanted() { return wanted != 0; }
bool Held() { return held != 0; }

static void PublishAll(StatementState state) {
  for (Frame* frame = innermost_frame; frame != nullptr; frame = frame->outer)
    if (frame->tracker != nullptr) PublishState(frame->tracker, state);
}

// Of a parallel worker: none where it is no worker.
static BackendSlot* LeadersSlot() {
  PGPROC* leader = MyProc->lockGroupLeader;
  if (leader == nullptr || leader == MyProc || leader->pgprocno >= shared->backends) return nullptr;
  return BackendAt(leader->pgprocno);
}

// A worker is held while its leader is asked to be: two that ask at once, or a statement that ends while it is asked,
// may leave a request with a worker alone, of which nobody would know.
static bool PauseAsked(BackendSlot* slot, BackendSlot* leader) {
  if (pg_atomic_read_u32(&slot->request) != kRequestPause) return false;
  if (leader == nullptr || pg_atomic_read_u32(&leader->request) == kRequestPause) return true;
  uint32 asked = kRequestPause;
  pg_atomic_compare_exchange_u32(&slot->request, &asked, kRequestNone);
  return false;
}

// Workers that were not there yet when the statement was asked follow their leader.
bool AskedToPause(BackendSlot* slot) {
  if (pg_atomic_read_u32(&slot->request) == kRequestPause) return true;
  BackendSlot* leader = slot->leader_pid != 0 ? LeadersSlot() : nullptr;
  if (leader == nullptr || pg_atomic_read_u32(&leader->request) != kRequestPause) return false;
  uint32 none = kRequestNone;
  return pg_atomic_compare_exchange_u32(&slot->request, &none, kRequestPause);
}

void HoldHere() {
  BackendSlot* slot = MyBackendSlot();
  // `wanted` is cleared last: a tick in between would arm the nodes again.
  DisarmNodes();
  wanted = 0;
  for (Frame* frame = innermost_frame; frame != nullptr; frame = frame->outer)
    if (frame->tracker != nullptr) CarryOutRunaway(frame->tracker);
  BackendSlot* leader = LeadersSlot();
  if (!PauseAsked(slot, leader)) return;
  int64_t since = NowNs();
  held = 1;
  slot->held = true;
  PublishAll(StatementState::kPaused);
  Count(kMetricPauses);
  PG_TRY();
  {
    while (PauseAsked(slot, leader)) {
      (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1000L, PG_WAIT_EXTENSION);
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    }
  }
  PG_FINALLY();
  {
    uint32 resume = kRequestResume;
    pg_atomic_compare_exchange_u32(&slot->request, &resume, kRequestNone);
    held = 0;
    slot->held = false;
    AddPausedTime(NowNs() - since);
    PublishAll(StatementState::kRunning);
  }
  PG_END_TRY();
  Count(kMetricResumes);
}

EVERY_STATEMENT void DropPause() {
  BackendSlot* slot = MyBackendSlot();
  wanted = 0;
  if (slot != nullptr && pg_atomic_read_u32(&slot->request) != kRequestNone)
    pg_atomic_write_u32(&slot->request, kRequestNone);
}

}  // namespace query_shaper
