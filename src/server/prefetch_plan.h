// How nodes that read ahead are known in a plan: what reads plans takes them for what they stand over.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/extensible.h"
#include "nodes/plannodes.h"
}

namespace query_shaper {

constexpr char kPrefetchScan[] = "Prefetch";
constexpr char kBatchReader[] = "Batch";

inline bool IsCustomNamed(const struct Plan* plan, const char* name) {
  return IsA(plan, CustomScan) && strcmp(reinterpret_cast<const CustomScan*>(plan)->methods->CustomName, name) == 0;
}

// The index scan below a prefetch scan; null for every other node.
inline const struct Plan* ScanBelowPrefetch(const struct Plan* plan) {
  if (!IsCustomNamed(plan, kPrefetchScan)) return nullptr;
  return static_cast<const struct Plan*>(linitial(reinterpret_cast<const CustomScan*>(plan)->custom_plans));
}

// The outer plan of a nested loop whose rows a batch reader reads ahead; null for every other node. It returns the
// same rows in the same order.
inline const struct Plan* PlanBelowBatch(const struct Plan* plan) {
  if (!IsCustomNamed(plan, kBatchReader)) return nullptr;
  return static_cast<const struct Plan*>(linitial(reinterpret_cast<const CustomScan*>(plan)->custom_plans));
}

// What any node that reads ahead stands over; null for every other node.
inline const struct Plan* PlanReadAhead(const struct Plan* plan) {
  const struct Plan* below = ScanBelowPrefetch(plan);
  return below != nullptr ? below : PlanBelowBatch(plan);
}

}  // namespace query_shaper
