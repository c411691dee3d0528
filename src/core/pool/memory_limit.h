// How much memory the server may use, out of the texts in which Linux tells it: limits of control groups (v1 and v2),
// where a process's groups are, and the machine's own memory.
//
// Allocates nothing and calls nothing, so that signal handlers may use it. Sources: cgroups(7), proc(5), kernel
// documentation cgroup-v1/memory and cgroup-v2. Sizes in kB.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace query_shaper {

constexpr int64_t kNoMemoryLimit = -1;
constexpr int kGroupPathBytes = 1024;

// Of a process in one hierarchy that rules memory. Every group above it up to the mount point binds as well.
struct MemoryGroup {
  char path[kGroupPathBytes];  // empty: none
  int mount_length;            // of path, the mount point
};

struct MemoryGroups {
  MemoryGroup v1, v2;
};

// /proc/<pid>/mountinfo and /proc/<pid>/cgroup.
MemoryGroups FindMemoryGroups(std::string_view mounts, std::string_view groups);

// Goes to the group above; false at the mount point.
bool GoUp(MemoryGroup* group);

// memory.limit_in_bytes (v1), memory.max and memory.high (v2): bytes or "max". v1 says no limit by the largest multiple
// of a page. What cannot be read is no limit.
int64_t ParseLimitKb(std::string_view text);

// The lower of two limits.
int64_t LowerLimit(int64_t a, int64_t b);

// The number behind a word at the start of a line, as in "MemTotal:       24684092 kB" or "inactive_file 4096"; -1:
// not there.
int64_t NumberAfter(std::string_view text, std::string_view word);

// What of memory may be given to statements: the limit or the machine's memory, whichever is less, less shared buffers.
int64_t AutomaticCapacityKb(int64_t machine_kb, int64_t limit_kb, int64_t shared_buffers_kb);

// What shared buffers and the page cache can hold for each of so many statements beside what these have reserved; not
// less than an even share of shared buffers.
int64_t CacheShareKb(int64_t all_kb, int64_t reserved_kb, int64_t shared_buffers_kb, int64_t statements);

}  // namespace query_shaper
