// Known plans as bytes: serialised, versioned, checksummed; as in core/base/bytes.h.
#pragma once
#include "core/decide/plan_guard.h"

namespace query_shaper {

// Returns the bytes needed; nothing is written past `capacity`.
uint32_t WriteKnownPlans(const KnownPlans& plans, char* out, uint32_t capacity);

// Throws Error(kCorruptModel) and leaves *plans as it was.
void ReadKnownPlans(const char* bytes, uint32_t length, KnownPlans* plans);

}  // namespace query_shaper
