#include "core/prefetch/look_ahead.h"

#include <algorithm>

namespace query_shaper {

namespace {

constexpr int kCalmBeforeDecay = 8;
constexpr int kCalmBeforeWarm = 32;
constexpr int kCalmBeforeClockRests = 64;
constexpr int kCalmUntilTimed = 512;
constexpr float kLooksPerUs = 2;       // looks at cached blocks that cost as much as a microsecond's wait
constexpr float kUnknownSlowUs = 100;  // until a read was timed
constexpr float kGapWeight = 0.25F, kSlowWeight = 0.1F;
constexpr int kBridgingDistance = 8;  // as far as it falls where the gap is bridged
constexpr float kBlocksPerDistance = 8;
constexpr int kProbesFastAreWarm = 3;
constexpr int kProbeIntervalLeast = 8;
constexpr int kProbeIntervalMost = 1024;

// The gap between misses that the walk should bridge: 1 where it would cost more than the waits.
float GapBridged(const LookAhead& state) {
  const float slow_us = state.slow_us > 0 ? state.slow_us : kUnknownSlowUs;
  return state.gap <= slow_us * kLooksPerUs ? state.gap : 1;
}

void NoteCalm(LookAhead* state) {
  ++state->calm;
  const auto gap = static_cast<int>(GapBridged(*state));
  const int bridging = state->distance > kBridgingDistance ? 1 : 2 * gap;
  if (state->calm >= std::max(bridging, kCalmBeforeDecay) && state->distance > 1)
    state->distance = std::max(state->distance - std::max(state->distance / 8, 1), 1);
  else if (state->calm >= std::max(4 * gap, kCalmBeforeWarm))
    state->distance = 0;
}

void NoteMiss(LookAhead* state) {
  state->gap += kGapWeight * (static_cast<float>(state->since_miss) - state->gap);
  state->since_miss = 0;
}

void Lengthen(LookAhead* state) {
  state->calm = 0;
  state->distance = std::min(std::max(state->distance * 2, 1), state->max_distance);
  state->highest = std::max(state->highest, state->distance);
}

void NoteProbe(LookAhead* state, bool slow) {
  if (slow) {
    state->probes_fast = 0;
    state->probe_interval = std::min(state->probe_interval * 2, kProbeIntervalMost);
    return;
  }
  ++state->probes_fast;
  state->probe_interval = std::max(state->probe_interval / 2, kProbeIntervalLeast);
  state->distance = state->probes_fast >= kProbesFastAreWarm ? 1 : std::max(state->distance / 2, 1);
  state->until_probe = std::min(state->until_probe, state->probe_interval);
}

}  // namespace

LookAhead MakeLookAhead(int max_distance) {
  LookAhead state;
  state.max_distance = std::clamp(max_distance, 0, kLookAheadMax);
  state.distance = std::min(state.distance, state.max_distance);
  state.highest = state.distance;
  return state;
}

void NoteVisit(LookAhead* state, const BlockVisit& visit) {
  ++state->visited;
  state->since_miss += state->since_miss < INT32_MAX;
  state->asked += visit.asked;
  if (!visit.read) {
    ++state->cached;
    state->since_read += state->since_read < INT32_MAX;
    NoteCalm(state);
    return;
  }
  // Nobody looked at the clock because all was calm: the read took what others took.
  const bool timed = visit.read_us >= 0;
  const float read_us = timed ? visit.read_us : state->last_fast ? 0 : state->slow_us;
  const bool slow = read_us >= kSlowReadUs;
  state->since_read = 0;
  if (timed && !visit.asked) state->last_fast = !slow;
  if (slow) ++state->waited;
  if (slow && timed) state->slow_us += (state->slow_us > 0 ? kSlowWeight : 1) * (read_us - state->slow_us);
  if (slow || visit.asked || !timed) NoteMiss(state);
  if (!timed && !slow) {
    state->calm = 0;
  } else if (visit.asked) {
    // Read at once: the distance suffices, or the page cache had it, which only a probe can tell.
    state->calm = 0;
    if (slow) {
      ++state->late;
      Lengthen(state);
    }
  } else if (visit.probe) {
    NoteProbe(state, slow);
  } else if (slow) {
    Lengthen(state);
  } else {
    NoteCalm(state);
  }
}

bool ProbeNext(LookAhead* state) {
  if (--state->until_probe > 0) return false;
  state->until_probe = state->probe_interval;
  return true;
}

int BlocksAhead(const LookAhead& state) {
  return static_cast<int>(static_cast<float>(state.distance) * std::max(kBlocksPerDistance, 2 * GapBridged(state)));
}

bool AllCached(const LookAhead& state) {
  const auto gap = static_cast<int>(std::min<float>(GapBridged(state), kCalmUntilTimed / 4.0F));
  return state.distance == 0 && state.since_read >= std::max(4 * gap, kCalmBeforeWarm);
}

bool TimeNextRead(const LookAhead& state) {
  return state.calm < (state.last_fast ? kCalmUntilTimed : kCalmBeforeClockRests);
}

}  // namespace query_shaper
