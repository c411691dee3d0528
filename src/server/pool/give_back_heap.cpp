#include "pg/pg.h"

#include "server/pool/give_back_heap.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdio>

#include "core/pool/heap_trim.h"
#include "server/pool/shared_pool.h"
#include "server/settings.h"
#include "server/shared_state.h"
extern "C" {
#include "access/parallel.h"
}

namespace query_shaper {
namespace {

int64 owed_kb = 0;
double owed_ran_ms = 0;

double ReservedByOthers(int reservation) {
  const PoolAccount& memory = shared_pool->accounts[kPoolMemory];
  const int64 capacity = CapacityOf(memory);
  const int64 others = ReservedOf(memory) - PoolHeldKb(reservation);
  return capacity > 0 ? static_cast<double>(others) / static_cast<double>(capacity) : 1;
}

// Private resident memory; 0: unknown.
int64 ResidentKb() {
  char text[128];
  const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return 0;
  text[length] = '\0';
  long long pages = 0, resident = 0, shared_pages = 0;
  if (std::sscanf(text, "%lld %lld %lld", &pages, &resident, &shared_pages) != 3) return 0;
  return (resident - shared_pages) * (sysconf(_SC_PAGESIZE) / 1024);
}

}  // namespace

void GiveBackHeap(int64 freed_kb, double ran_ms, int reservation) {
  if (!Does(settings::memory) || IsParallelWorker() || shared_pool == nullptr ||
      !TrimPays(freed_kb, ran_ms, ReservedByOthers(reservation)))
    return;
#ifdef __GLIBC__
  const int64 before = ResidentKb();
  malloc_trim(0);
  const int64 given = before - ResidentKb();
  if (given > 0) Count(kMetricHeapGivenBackKb, static_cast<uint64_t>(given));
#endif
}

void OweHeap(int64 freed_kb, double ran_ms) {
  owed_kb += freed_kb;
  owed_ran_ms += ran_ms;
}

void GiveBackOwedHeap() {
  if (owed_kb == 0) return;
  GiveBackHeap(owed_kb, owed_ran_ms, kNoReservation);
  owed_kb = 0;
  owed_ran_ms = 0;
}

}  // namespace query_shaper
