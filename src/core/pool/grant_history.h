// What a node really needed in its last runs, and what it is given because of it.
//
// The next grant is the 90th percentile of the needs remembered, and a margin: a grant that was too small is larger at
// once, one that was too large shrinks when the large needs have left the window, and parameters that alternate leave
// it where the larger one put it. The prediction speaks where nothing is remembered, and where even the lower end of
// its interval lies far beyond all that was seen, and beyond all predictions that came to no more than that.
#pragma once
#include <cstdint>

#include "core/pool/node_need.h"

namespace query_shaper {

constexpr int kRememberedNeeds = 12;

struct NeedHistory {  // plain: lies in shared memory
  uint8_t count = 0;
  uint8_t next = 0;
  float kb[kRememberedNeeds] = {};
  float predicted_kb[kRememberedNeeds] = {};  // before these runs
};

void LearnNeed(NeedHistory* history, double kb, double predicted_kb);

// Checksummed bytes, as much as fits in capacity; returns the length needed.
uint32_t WriteNeedHistory(const NeedHistory& history, char* out, uint32_t capacity);
// Throws Error(kCorruptModel); *history stays as it was then.
void ReadNeedHistory(const char* bytes, uint32_t length, NeedHistory* history);

// Limit to ask for. 0: the node needs nothing.
double WantedKb(const NeedHistory& history, const NodeNeed& predicted);
// The limit that has been enough until now, if only just: no more than WantedKb(), and the same where nothing is known.
double KnownEnoughKb(const NeedHistory& history, const NodeNeed& predicted);

}  // namespace query_shaper
