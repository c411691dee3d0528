// A plan as the sequence that the recurrent model reads: its nodes in the order in which they finish, children first.
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/plan/features.h"

namespace query_shaper {

constexpr int kSequenceSteps = 64;  // plans with more nodes are not read

// What one node is expected to do over the whole run. Stored with lessons: a change means a new version of them.
namespace step {
enum Value {
  kOutputRows = 0,  // log1p of amounts, from here ...
  kOuterRows,
  kInnerRows,
  kLoops,
  kWidth,
  kNominalUs,  // microseconds at the rates assumed a priori
  kPages,
  kUncachedPages,
  kRelationRows,
  kMemoryKb,
  kSpillKb,  // ... to here
  kQuals,
  kKeys,
  kAggregates,
  kDepth,
  kUnderGather,
  kWorkers,
  kBounded,  // sort below a LIMIT, or aggregate that sorts its input
  kValues,
};
}  // namespace step

struct SequenceStep {
  uint8_t op = 0, join = 0, agg = 0, role = 0;
  float values[step::kValues] = {};
};

struct PlanSequence {
  int32_t count = 0;  // 0: a plan that is too long, or none
  SequenceStep steps[kSequenceSteps];
};
static_assert(std::is_trivially_copyable_v<PlanSequence>);

// Inner sides of hash joins stand before outer ones, what runs once before what needs it. No allocation.
void ExtractSequence(const PlanTree& plan, const Moment& moment, PlanSequence* sequence);

}  // namespace query_shaper
