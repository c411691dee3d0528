// How a prefetch scan is known in a plan: what reads plans takes it for the index scan that it stands over.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/extensible.h"
#include "nodes/plannodes.h"
}

namespace query_shaper {

constexpr char kPrefetchScan[] = "Prefetch";

// The index scan below a prefetch scan; null for every other node.
inline const struct Plan* ScanBelowPrefetch(const struct Plan* plan) {
  if (!IsA(plan, CustomScan)) return nullptr;
  const auto* custom = reinterpret_cast<const CustomScan*>(plan);
  if (strcmp(custom->methods->CustomName, kPrefetchScan) != 0) return nullptr;
  return static_cast<const struct Plan*>(linitial(custom->custom_plans));
}

}  // namespace query_shaper
