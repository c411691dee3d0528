// Runs as the ticks saw them, written raw to a file by a test build and replayed without a server by
// bench/core/eta_replay.cpp. A file is read only by programs of the same revision: every record carries its length.
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/plan/features.h"
#include "core/predict/predict.h"
#include "core/track/progress.h"

namespace query_shaper {

enum class RecordKind : uint32_t { kStart = 0x53517131, kTick = 0x53517132, kEnd = 0x53517133, kBelief = 0x53517134 };

struct RecordHead {
  RecordKind kind;
  uint32_t bytes;  // that follow the head
};

// Followed by plan_count PlanNodes.
struct RecordedStart {
  int64_t query_id = 0;
  uint64_t fingerprint = 0;
  double at_s = 0;  // seconds since the epoch
  uint32_t database = 0;
  int32_t plan_count = 0;
  bool uses_jit = false;
  bool to_client = false;
  CommandKind command = CommandKind::kSelect;
  char text[128] = {};  // beginning of the statement
  FeatureVector features;
};

// kBelief: what Believe() was told before the next tick: plan_count rows, then as many standard deviations.
// Ticks and ends are followed by plan_count NodeCounters.
struct RecordedTick {
  Tick tick;
  TimeLeft shown;
};
struct RecordedEnd {
  Actual actual;
  Tick tick;  // as of the end
};
static_assert(std::is_trivially_copyable_v<RecordedStart> && std::is_trivially_copyable_v<RecordedTick> &&
              std::is_trivially_copyable_v<RecordedEnd>);

}  // namespace query_shaper
