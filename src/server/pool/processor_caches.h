// The processor's caches as the system tells of them, read once by each process that asks.
#pragma once
#include "core/pool/cache_worth.h"

namespace query_shaper {

const ProcessorCaches& Caches();

}  // namespace query_shaper
