#include "core/plan/fingerprint.h"

#include <algorithm>

#include "core/base/hash.h"

namespace query_shaper {

uint64_t PlanFingerprint(const PlanTree& plan) {
  // Depth together with depth-first order fixes the tree; the role tells outer from inner and subplan.
  uint64_t hash = CombineHash(0x7175657279736870ULL, static_cast<uint64_t>(plan.command));
  const int count = std::clamp(plan.count, 0, kMaxPlanNodes);
  for (int i = 0; i < count; ++i) {
    const PlanNode& node = plan.nodes[i];
    const uint64_t kind = static_cast<uint64_t>(node.op) | static_cast<uint64_t>(node.join) << 8 |
                          static_cast<uint64_t>(node.agg) << 16 | static_cast<uint64_t>(node.role) << 24 |
                          static_cast<uint64_t>(static_cast<uint16_t>(node.depth)) << 32 |
                          static_cast<uint64_t>(node.parallel_aware) << 48 | static_cast<uint64_t>(node.backward) << 49;
    hash = CombineHash(hash, kind);
    if (node.relation_name != 0) hash = CombineHash(hash, node.relation_name);
    if (node.index_name != 0) hash = CombineHash(hash ^ 1, node.index_name);
  }
  hash = CombineHash(hash, static_cast<uint64_t>(std::max(plan.left_out, 0)));
  return hash == 0 ? 1 : hash;
}

}  // namespace query_shaper
