#include "pg/pg.h"

#include "server/query/rest_between_rows.h"

#include <csignal>

#include "server/pool/priority_watch.h"
#include "server/pool/waiting_turn.h"
#include "server/query/carry_out.h"
#include "server/query/replan.h"
#include "server/query/tracker.h"
#include "server/settings.h"
#include "server/store/knowledge.h"
extern "C" {
#include "access/parallel.h"
#include "commands/explain.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/wait_event.h"
}

namespace query_shaper {
namespace {

constexpr int kToldMost = 8;  // of one statement

volatile sig_atomic_t wanted = 0;
volatile sig_atomic_t resting = 0;

// Of the outermost statement.
struct Rests {
  bool gives_way;   // as told
  bool waited_for;  // for a lock, as told
  int told;
  int64_t ran_since_ns;  // 0: not known
  int64_t rested_ns;
  double least_share;
};
Rests rests;
Rests shown;

bool Acts() { return LimitsAct() && settings::give_way == kSwitchOn; }

const Tracker* AnyTracker() {
  for (const Frame* frame = innermost_frame; frame != nullptr; frame = frame->outer)
    if (frame->tracker != nullptr) return frame->tracker;
  return nullptr;
}

void Tell(const char* action, const char* verdict, const char* reason) {
  const Tracker* const tracker = AnyTracker();
  if (tracker == nullptr || IsParallelWorker() || ++rests.told > kToldMost) return;
  char details[kEventTextBytes];
  std::snprintf(details, sizeof details,
                "{\"priority\": %d, \"others_per_processor\": %.2f, \"share\": %.2f, \"rested_ms\": %.0f}",
                settings::admission_priority, MyWay().others, MyWay().share,
                static_cast<double>(rests.rested_ns) / 1e6);
  RecordEvent(action, verdict, tracker->plan.query_id, -1, reason, details);
}

// False: it goes on at full speed.
bool TellChange() {
  const bool gives_way = MyWay().share < 1;
  if (gives_way != rests.gives_way) {
    rests.gives_way = gives_way;
    if (gives_way && Acts()) Count(kMetricGivingWay);
    if (gives_way)
      Tell("slow", Acts() ? "done" : "advised", "statements of higher priority want the machine");
    else
      Tell("raise", Acts() ? "done" : "advised", "a processor is free for it again");
  }
  return gives_way && Acts();
}

void Rest(double rest_ms) {
  const int64_t since_ns = NowNs();
  resting = 1;
  PG_TRY();
  {
    for (;;) {
      const double left_ms = rest_ms - static_cast<double>(NowNs() - since_ns) / 1e6;
      if (left_ms < 1 || !(MyWay().share < 1) || OthersWaitForMyLocks()) break;
      (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(left_ms),
                      PG_WAIT_EXTENSION);
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    }
  }
  PG_FINALLY();
  {
    resting = 0;
    const int64_t rested_ns = NowNs() - since_ns;
    rests.rested_ns += rested_ns;
    rests.ran_since_ns = NowNs();
    AddPausedTime(rested_ns);
    Count(kMetricGivingWayMs, static_cast<uint64>(rested_ns / 1000000));
  }
  PG_END_TRY();
}

}  // namespace

void TickPriority() {
  if (!OfLowPriority() || (!LimitsAct() && !LimitsAdvise())) return;
  WatchPriority();
  const bool gives_way = MyWay().share < 1;
  if (!gives_way && !rests.gives_way) {
    rests.ran_since_ns = 0;
    return;
  }
  if (rests.ran_since_ns == 0) rests.ran_since_ns = NowNs();
  if (resting) return;
  wanted = 1;
  ArmAllNodes();
}

bool RestWanted() { return wanted != 0; }
bool Resting() { return resting != 0; }

void RestHere() {
  wanted = 0;
  // Where a cancel could not end it.
  if (InterruptHoldoffCount > 0 || QueryCancelHoldoffCount > 0 || CritSectionCount > 0) return;
  if (!TellChange()) return;
  if (rests.least_share <= 0 || MyWay().share < rests.least_share) rests.least_share = MyWay().share;
  if (OthersWaitForMyLocks()) {
    if (!rests.waited_for) Tell("slow", "declined", "others wait for locks of its transaction");
    rests.waited_for = true;
    return;
  }
  const double ran_ms = static_cast<double>(NowNs() - rests.ran_since_ns) / 1e6;
  const double rest_ms = RestMs(MyWay(), ran_ms);
  if (rest_ms >= 1) Rest(rest_ms);
}

// What was seen of the others stays: a cursor's next call, or the next statement, goes on from there.
void BeginRests() { rests = Rests(); }

EVERY_STATEMENT void LeaveRests() {
  wanted = 0;
  rests.ran_since_ns = 0;
}

void NoteRests() {
  if (ExplainedHere()) shown = rests;
}

void ShowRests(ExplainState* explain) {
  if (shown.rested_ns <= 0) return;
  appendStringInfo(explain->str, "Gave Way: %.0f ms to statements of higher priority  Least Share: %.2f\n",
                   static_cast<double>(shown.rested_ns) / 1e6, shown.least_share);
}

void ForgetRestsShown() { shown = Rests(); }

}  // namespace query_shaper
