#include "core/prefetch/look_ahead.h"

#include <algorithm>

namespace query_shaper {

namespace {

constexpr int kCalmBeforeDecay = 8;
constexpr int kCalmBeforeWarm = 32;
constexpr int kCalmBeforeClockRests = 64;
constexpr int kProbesFastAreWarm = 3;
constexpr int kProbeIntervalLeast = 8;
constexpr int kProbeIntervalMost = 1024;

void NoteCalm(LookAhead* state) {
  ++state->calm;
  if (state->calm >= kCalmBeforeDecay && state->distance > 1)
    state->distance = std::max(state->distance - std::max(state->distance / 8, 1), 1);
  else if (state->calm >= kCalmBeforeWarm)
    state->distance = 0;
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
  state->asked += visit.asked;
  if (!visit.read) {
    ++state->cached;
    NoteCalm(state);
    return;
  }
  const bool slow = visit.read_us >= kSlowReadUs;
  if (slow) ++state->waited;
  if (visit.read_us < 0) {
    // Nobody looked at the clock because all was calm; now it is looked at again.
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

bool TimeNextRead(const LookAhead& state) { return state.calm < kCalmBeforeClockRests; }

}  // namespace query_shaper
