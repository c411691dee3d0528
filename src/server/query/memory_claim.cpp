#include "pg/pg.h"

#include "server/query/memory_claim.h"

#include <algorithm>

#include "pg/fault_point.h"
#include "server/pool/waiting_turn.h"
#include "server/query/shape_memory.h"
#include "server/query/shape_workers.h"
#include "server/settings.h"
#include "server/store/knowledge.h"
extern "C" {
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace query_shaper {
namespace {

// Of a claim what can ever be had at once.
int64 WaitedForKb(const Tracker* tracker) { return Min(tracker->claim.want_kb, PoolClaimMostKb()); }

bool PredictedShort(const Tracker* tracker) {
  return tracker->estimate.targets[kTimeMs].value < settings::admission_min_time_ms;
}

bool MayWait(const Tracker* tracker) {
  return tracker->nest_level == 0 && !tracker->worker && !tracker->late && !PredictedShort(tracker);
}

void Reserve(Tracker* tracker, const PoolClaim& claim) { tracker->reservation = PoolReserve(claim, &tracker->grant); }

void GiveUpReservation(Tracker* tracker) {
  PoolRelease(tracker->reservation);
  tracker->reservation = kNoReservation;
  tracker->grant = PoolGrant{};
}

void Tell(const Tracker* tracker, const char* verdict, const char* reason, double waited_ms) {
  char details[kEventTextBytes];
  std::snprintf(details, sizeof details,
                "{\"wanted_kb\": " INT64_FORMAT ", \"granted_kb\": " INT64_FORMAT
                ", \"waited_ms\": %.0f, \"priority\": %.0f, \"predicted_ms\": %.1f}",
                tracker->claim.want_kb, tracker->grant.memory_kb, waited_ms, tracker->claim.priority,
                tracker->estimate.targets[kTimeMs].value);
  RecordEvent("queue", verdict, tracker->plan.query_id, -1, reason, details);
}

// Why a statement that finds too little memory goes on at once; null: it may wait.
const char* WhyNotWait(const Tracker* tracker) {
  if (PoolHoldsOther(tracker->reservation)) return "the session has an open cursor that holds memory";
  if (OthersWaitForMyLocks()) return "others wait for locks of its transaction";
  return nullptr;
}

enum class Turn { kCame, kTimeOver, kWaitedFor };

bool TakeTurn(Tracker* tracker) {
  int64 want_kb = WaitedForKb(tracker);
  if (!FirstInLine() || PoolFreeKb() < want_kb) return false;
  Reserve(tracker, tracker->claim);
  if (tracker->grant.memory_kb >= want_kb) return true;
  GiveUpReservation(tracker);  // somebody who need not wait came between
  return false;
}

Turn AwaitTurn(Tracker* tracker, TimestampTz since) {
  for (;;) {
    pg::FaultPoint("waiting-in-line");
    if (TakeTurn(tracker)) return Turn::kCame;
    if (OthersWaitForMyLocks()) return Turn::kWaitedFor;
    long waited_ms = TimestampDifferenceMilliseconds(since, GetCurrentTimestamp());
    if (waited_ms >= settings::admission_timeout_ms) return Turn::kTimeOver;
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
              Min(kLookMs, settings::admission_timeout_ms - waited_ms), PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
}

Turn StandInLine(Tracker* tracker, TimestampTz since) {
  volatile Turn turn = Turn::kTimeOver;
  int64_t since_ns = NowNs();
  // A waiter holds nothing (waiting_turn.h).
  GiveUpReservation(tracker);
  PublishState(tracker, StatementState::kQueued);
  // Its ticks have nothing to look at.
  tracker->busy = 1;
  JoinLine(tracker->claim.priority, WaitedForKb(tracker));
  PG_TRY();
  { turn = AwaitTurn(tracker, since); }
  PG_FINALLY();
  {
    LeaveLine();
    tracker->busy = 0;
    AddPausedTime(NowNs() - since_ns);
    PublishState(tracker, StatementState::kRunning);
  }
  PG_END_TRY();
  return turn;
}

void Refuse(const Tracker* tracker, double waited_ms) {
  Tell(tracker, "failed", "the memory that it needs was not free in time", waited_ms);
  ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("statement has waited for memory for too long"),
                  errdetail("It is predicted to need " INT64_FORMAT " kB; " INT64_FORMAT
                            " kB of query_shaper.memory_pool are free after %.0f ms.",
                            tracker->claim.want_kb, PoolFreeKb(), waited_ms),
                  errhint("Try again later, or have an administrator raise query_shaper.memory_pool or "
                          "query_shaper.admission_timeout, or turn query_shaper.admission_refuse off.")));
}

// Requests for blocks are held by the statement's reservation, too.
bool AsksAhead(const PlanTree& plan) {
  if (!Does(settings::prefetch)) return false;
  return std::any_of(plan.nodes, plan.nodes + plan.count, [](const PlanNode& node) {
    return node.op == Operator::kIndexScan || node.op == Operator::kIndexOnlyScan ||
           node.op == Operator::kBitmapHeapScan;
  });
}

}  // namespace

void BuildClaim(Tracker* tracker, PoolClaim* claim) {
  ReadNeeds(tracker, claim);
  ReadWorkers(tracker, claim);
  claim->confidence = 0.8;  // of each node, where nothing is remembered
}

void ClaimMemory(Tracker* tracker) {
  PoolClaim* claim = &tracker->claim;
  *claim = PoolClaim{};
  claim->source = PoolSource::kQuery;
  claim->query_id = tracker->plan.query_id;
  claim->priority = settings::admission_priority;
  claim->confidence = -1;
  BuildClaim(tracker, claim);
  if (!LimitsAct()) return;
  if (!Does(settings::memory)) claim->want_kb = claim->least_kb;
  if (claim->want_kb <= 0 && claim->workers <= 0 && !AsksAhead(tracker->plan)) return;
  PoolClaim now = *claim;
  // Those in line come first.
  if (settings::admission == kSwitchOn && LineLength() > 0 && MayWait(tracker)) now.want_kb = now.least_kb;
  Reserve(tracker, now);
}

void WaitForMemory(Tracker* tracker) {
  if (settings::admission == kSwitchOff || tracker->reservation == kNoReservation || !MayWait(tracker)) return;
  if (tracker->grant.memory_kb >= WaitedForKb(tracker)) return;
  if (settings::admission == kSwitchAdvise) {
    Tell(tracker, "advised", "the memory that it needs is not free", 0);
    return;
  }
  const char* reason = WhyNotWait(tracker);
  if (reason != nullptr) {
    Tell(tracker, "declined", reason, 0);
    return;
  }
  TimestampTz since = GetCurrentTimestamp();
  Count(kMetricQueued);
  Turn turn = StandInLine(tracker, since);
  double waited_ms = static_cast<double>(TimestampDifferenceMilliseconds(since, GetCurrentTimestamp()));
  if (turn == Turn::kTimeOver) Count(kMetricQueueTimeouts);
  if (turn == Turn::kTimeOver && settings::admission_refuse) Refuse(tracker, waited_ms);
  if (turn != Turn::kCame) Reserve(tracker, tracker->claim);
  Tell(tracker, "done",
       turn == Turn::kCame       ? "the memory that it needs became free"
       : turn == Turn::kTimeOver ? "it runs with what is free: its time of waiting is over"
                                 : "it runs with what is free: others wait for locks of its transaction",
       waited_ms);
}

}  // namespace query_shaper
