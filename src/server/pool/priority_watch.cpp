#include "pg/pg.h"

#include "server/pool/priority_watch.h"

#include <ctime>

#include <sched.h>
#include <unistd.h>

#include "server/settings.h"
#include "server/shared_state.h"
extern "C" {
#include "storage/proc.h"
#include "utils/wait_event.h"
}

namespace query_shaper {
namespace {

GivingWay way;
int64 looked_ns = 0;

int64 ClockNs() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

// That this process may run on.
double Processors() {
  static double processors = 0;
  if (processors > 0) return processors;
  cpu_set_t set;
  const int bound = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
  processors = static_cast<double>(bound > 0 ? bound : Max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  return processors;
}

// On a processor or waiting for the disk or a short lock; not for a client, a lock, a timer or another process.
bool WantsToRun(const PGPROC* proc) {
  if (proc->pid == 0 || !OidIsValid(proc->databaseId) || proc->lxid == InvalidLocalTransactionId) return false;
  const uint32 wait = proc->wait_event_info & 0xFF000000U;
  return wait == 0 || wait == PG_WAIT_IO || wait == PG_WAIT_LWLOCK;
}

// Parallel workers count for their leaders; what else runs in the background has no priority.
const PGPROC* ClientOf(const PGPROC* proc) {
  if (!proc->isBackgroundWorker) return (proc->statusFlags & PROC_IS_AUTOVACUUM) != 0 ? nullptr : proc;
  return proc->lockGroupLeader != proc ? proc->lockGroupLeader : nullptr;
}

int OthersAbove(int priority) {
  int others = 0;
  const PGPROC* const own = MyProc->lockGroupLeader != nullptr ? MyProc->lockGroupLeader : MyProc;
  for (int i = 0; i < shared->backends; ++i) {
    const PGPROC* const proc = &ProcGlobal->allProcs[i];
    if (!WantsToRun(proc)) continue;
    const PGPROC* const client = ClientOf(proc);
    if (client != nullptr && client != own && BackendAt(client->pgprocno)->priority > priority) ++others;
  }
  return others;
}

}  // namespace

bool OfLowPriority() { return settings::admission_priority < 0 && settings::give_way != kSwitchOff; }

void WatchPriority() {
  const int64 now_ns = ClockNs();
  const double since_ms = looked_ns == 0 ? settings::tick_interval_ms : static_cast<double>(now_ns - looked_ns) / 1e6;
  looked_ns = now_ns;
  LookAround(&way, OthersAbove(settings::admission_priority) / Processors(), since_ms, settings::admission_priority);
}

const GivingWay& MyWay() { return way; }

}  // namespace query_shaper
