// Whether the memory that a statement has freed is worth being handed back to the system at once.
//
// free() keeps it in the process: what the allocator cannot cut off at the end of the heap, and up to tens of MB that
// it could, stays until the session ends. Whoever is granted the same memory next gets it on top. Handing it back costs
// time, most of it when the next statement touches new pages.
#pragma once
#include <cstdint>

namespace query_shaper {

// Per MB that is handed back and faulted in again (measured on a virtual machine: 0.6 to 0.9).
constexpr double kTrimMsPerMb = 0.8;

// ran_ms: the statement's time; others: share of the pool's memory that is reserved by others, 0..1.
bool TrimPays(int64_t freed_kb, double ran_ms, double others);

}  // namespace query_shaper
