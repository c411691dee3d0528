#include "pg/pg.h"

#include "core/pool/holding.h"
#include "core/pool/memory_limit.h"
#include "pg/fault_point.h"
#include "server/pool/pool_capacity.h"
#include "server/settings.h"

#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

extern "C" {
#include "miscadmin.h"
#include "postmaster/bgworker_internals.h"
#include "storage/bufmgr.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
}

namespace query_shaper {
namespace {

constexpr int64 kLookUs = 1000000;
constexpr int64 kKeptAuto = 4;  // shares of the capacity that are kept for floors: what is left beside the server's own
constexpr int64 kKeptSet = 8;   // needs is known in one case and guessed in the other

volatile sig_atomic_t looking = 0;
char text[64 * 1024];  // of one file at a time; under `looking`

std::string_view ReadFile(const char* path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  size_t length = 0;
  ssize_t got;
  while (length < sizeof text && (got = read(file, text + length, sizeof text - length)) > 0)
    length += static_cast<size_t>(got);
  close(file);
  return {text, length};
}

std::string_view ReadIn(const MemoryGroup& group, const char* name) {
  static char path[kGroupPathBytes + 64];
  strlcpy(path, group.path, sizeof path);
  strlcat(path, "/", sizeof path);
  strlcat(path, name, sizeof path);
  return ReadFile(path);
}

// snprintf may allocate: not in signal context.
const char* ProcFile(const char* name) {
  static char path[64];
  char digits[16];
  int at = sizeof digits - 1;
  digits[at] = '\0';
  for (int pid = PostmasterPid; pid > 0; pid /= 10) digits[--at] = static_cast<char>('0' + pid % 10);
  strlcpy(path, "/proc/", sizeof path);
  strlcat(path, PostmasterPid > 0 ? digits + at : "self", sizeof path);
  strlcat(path, "/", sizeof path);
  strlcat(path, name, sizeof path);
  return path;
}

struct Room {
  int64 limit_kb;   // kNoMemoryLimit: none
  int64 spare_kb;   // of the group that binds, page cache not counted as used; kNoMemoryLimit: unknown
  int64 unused_kb;  // the same, page cache counted
};

// The group with the lowest limit, of all from the server's own up.
void LookAtGroups(MemoryGroup group, bool v2, Room* room) {
  if (group.path[0] == '\0') return;
  do {
    int64 limit_kb = ParseLimitKb(ReadIn(group, v2 ? "memory.max" : "memory.limit_in_bytes"));
    if (v2) limit_kb = LowerLimit(limit_kb, ParseLimitKb(ReadIn(group, "memory.high")));
    if (limit_kb < 0 || (room->limit_kb >= 0 && limit_kb >= room->limit_kb)) continue;
    const int64 used_kb = ParseLimitKb(ReadIn(group, v2 ? "memory.current" : "memory.usage_in_bytes"));
    const std::string_view stat = ReadIn(group, "memory.stat");
    const int64 cache = Max(0, NumberAfter(stat, v2 ? "inactive_file" : "total_inactive_file")) +
                        Max(0, NumberAfter(stat, v2 ? "active_file" : "total_active_file"));
    room->limit_kb = limit_kb;
    room->unused_kb = used_kb < 0 ? kNoMemoryLimit : Max(0, limit_kb - used_kb);
    room->spare_kb = used_kb < 0 ? kNoMemoryLimit : Max(0, limit_kb - Max(0, used_kb - cache / 1024));
  } while (GoUp(&group));
}

MemoryGroups groups;

// The postmaster's groups: every process of the server begins there.
void FindGroups() {
  static char mounts[sizeof text];
  const std::string_view read = ReadFile(ProcFile("mountinfo"));
  memcpy(mounts, read.data(), read.size());
  groups = FindMemoryGroups({mounts, read.size()}, ReadFile(ProcFile("cgroup")));
#ifdef QUERY_SHAPER_FAULT_POINTS
  // Tests without rights on control groups have folders of the same form.
  if (settings::fake_group != nullptr && settings::fake_group[0] != '\0') {
    const size_t length = strlen(settings::fake_group);
    const bool v2 = length >= 3 && strcmp(settings::fake_group + length - 3, "/v2") == 0;
    MemoryGroup* const fake = v2 ? &groups.v2 : &groups.v1;
    groups = MemoryGroups{};
    strlcpy(fake->path, settings::fake_group, sizeof fake->path);
    fake->mount_length = static_cast<int>(strlen(fake->path));
  }
#endif
}

int64 SharedBuffersKb() { return static_cast<int64>(NBuffers) * (BLCKSZ / 1024); }

int64 Statements() {
  int64 count = 0;
  for (int i = 0; i < shared_pool->processes * kReservationsPerProcess; ++i)
    if (HoldingGeneration(ReservationAt(i)->held[kPoolMemory]) >= 0) ++count;
  return count;
}

void Look() {
  Room room = {kNoMemoryLimit, kNoMemoryLimit, kNoMemoryLimit};
  FindGroups();
  LookAtGroups(groups.v1, false, &room);
  LookAtGroups(groups.v2, true, &room);
  const std::string_view machine = ReadFile("/proc/meminfo");
  const int64 machine_kb = NumberAfter(machine, "MemTotal:");
  const int64 spare_kb = LowerLimit(NumberAfter(machine, "MemAvailable:"), room.spare_kb);
  const int64 unused_kb = LowerLimit(NumberAfter(machine, "MemFree:"), room.unused_kb);
  const bool automatic = shared_pool->set_memory_kb < 0;
  const int64 capacity_kb =
      automatic ? AutomaticCapacityKb(machine_kb, room.limit_kb, SharedBuffersKb()) : shared_pool->set_memory_kb;
  PoolAccount* const memory = &shared_pool->accounts[kPoolMemory];
  const bool raised = capacity_kb > CapacityOf(*memory);
  SetCapacity(memory, capacity_kb, capacity_kb / (automatic ? kKeptAuto : kKeptSet));
  SetCapacity(&shared_pool->accounts[kPoolWorkers], shared_pool->set_workers, 0);
  SetCapacity(&shared_pool->accounts[kPoolIo], shared_pool->set_io, 0);
  pg_atomic_write_u64(&shared_pool->spare_kb, static_cast<uint64>(spare_kb < 0 ? capacity_kb : spare_kb));
  pg_atomic_write_u64(&shared_pool->unused_kb, static_cast<uint64>(Max(0, unused_kb)));
  const int64 cache_kb =
      CacheShareKb(LowerLimit(machine_kb, room.limit_kb), ReservedOf(*memory), SharedBuffersKb(), Statements() + 1);
  pg_atomic_write_u64(&shared_pool->cache_kb, static_cast<uint64>(cache_kb));
  if (raised) WakeHeadOfLine();
}

}  // namespace

void FollowPoolCapacity() {
  if (looking) return;
  const auto now = static_cast<uint64>(GetCurrentTimestamp());
  uint64 last = pg_atomic_read_u64(&shared_pool->checked_at);
  // A clock that was set back must not stop it.
  if (now - last < kLookUs) return;
  if (!pg_atomic_compare_exchange_u64(&shared_pool->checked_at, &last, now)) return;
  looking = 1;
  const int saved = errno;
  Look();
  errno = saved;
  looking = 0;
}

bool TempFilesStayCached(double kb) {
  constexpr double kShare = 0.1;  // of unused memory: there the kernel begins to write back
  if (shared_pool == nullptr || (temp_file_limit >= 0 && kb > temp_file_limit)) return false;
  FollowPoolCapacity();
  return kb <= kShare * static_cast<double>(pg_atomic_read_u64(&shared_pool->unused_kb));
}

int CachedPagesAtMost() {
  if (shared_pool == nullptr) return INT_MAX;
  FollowPoolCapacity();
  const uint64 pages = pg_atomic_read_u64(&shared_pool->cache_kb) / (BLCKSZ / 1024);
  return pages == 0 ? INT_MAX : static_cast<int>(Min(pages, static_cast<uint64>(INT_MAX)));
}

void PublishPoolSettings() {
  if (shared_pool == nullptr) return;
  shared_pool->set_memory_kb = MemoryPoolKb();
  shared_pool->set_workers = Min(max_parallel_workers, max_worker_processes);
  shared_pool->set_io = settings::io_pool;
  pg_atomic_write_u64(&shared_pool->checked_at, 0);
  FollowPoolCapacity();
}

}  // namespace query_shaper
