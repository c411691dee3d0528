// What share of the time a statement of low priority runs while others want the machine, and how long it rests for it.
//
//   w = 1.25 ^ priority            as the kernel weighs its levels of niceness
//   share = w / (w + b)            b: others per processor that want to run, smoothed
//
// As long as a processor is free for it (b < 1) it runs all the time. Begun at b >= 1, it ends below kEnough, so that a
// load that hovers about 1 does not turn it on and off. The least share is kLeastShare: it always goes on.
#pragma once

namespace query_shaper {

constexpr double kLeastShare = 0.05;
constexpr double kLongestRestMs = 200;  // at once, so that it soon sees that the load has fallen

struct GivingWay {
  double others = 0;  // per processor, smoothed
  double share = 1;
};

// others: that want to run now, per processor; since_ms: since the last look; priority below 0.
void LookAround(GivingWay* way, double others, double since_ms, double priority);

// Rest after having run for so long, so that it has run for its share of both.
double RestMs(const GivingWay& way, double ran_ms);

}  // namespace query_shaper
