#include "core/pool/slice.h"

#include <algorithm>

namespace query_shaper {

const char* SliceKindName(int kind) {
  static const char* const kNames[kSliceKinds] = {"memory_rich", "cpu_rich"};
  return kNames[kind];
}

SliceKind KindOfSlice(const int64_t* amounts, const int64_t* capacities) {
  // The leader computes as well, whether or not there are workers.
  const double memory =
      static_cast<double>(amounts[kPoolMemory]) / static_cast<double>(std::max<int64_t>(capacities[kPoolMemory], 1));
  const double processors = static_cast<double>(amounts[kPoolWorkers] + 1) /
                            static_cast<double>(std::max<int64_t>(capacities[kPoolWorkers], 0) + 1);
  return memory >= processors ? SliceKind::kMemoryRich : SliceKind::kCpuRich;
}

void AddDemand(SliceDemand* demand, const int64_t* wanted, const int64_t* held) {
  ++demand->claims;
  for (int r = 0; r < kPoolResources; ++r) {
    demand->held[r] += held[r];
    demand->unmet[r] += std::max<int64_t>(0, wanted[r] - held[r]);
  }
}

}  // namespace query_shaper
