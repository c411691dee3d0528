// Kinds of slices of a server that work is cut to, and what the pool would want more of.
//
// A claim asks for the kind of which it takes the larger share: 20 % of the memory and 5 % of the workers is a
// memory-rich one. What claims of a kind wanted and did not get is what a scaler, or a job that looks for a place to
// run, goes by. The accounts of this server are one node's; other nodes will have accounts of the same form.
#pragma once
#include <cstdint>

#include "core/pool/pool_account.h"

namespace query_shaper {

enum class SliceKind : uint8_t { kMemoryRich = 0, kCpuRich = 1 };
constexpr int kSliceKinds = 2;
const char* SliceKindName(int kind);  // memory_rich, cpu_rich

// By amounts and capacities per resource (PoolResource); a process of its own counts as one worker.
SliceKind KindOfSlice(const int64_t* amounts, const int64_t* capacities);

struct SliceDemand {
  int64_t claims;
  int64_t held[kPoolResources];
  int64_t unmet[kPoolResources];  // wanted and not held
};

void AddDemand(SliceDemand* demand, const int64_t* wanted, const int64_t* held);

}  // namespace query_shaper
