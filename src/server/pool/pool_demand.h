// What reservations and waiting statements hold and want, by kind of slice: what the pool would want more of.
#pragma once
#include "server/pool/shared_pool.h"

namespace query_shaper {

struct PoolDemand {
  SliceDemand running[kSliceKinds];
  SliceDemand waiting[kSliceKinds];
};

// Brings the capacity up to date as well. Not in signal context.
void ReadPoolDemand(PoolDemand* demand);

}  // namespace query_shaper
