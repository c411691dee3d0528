#include "core/pool/giving_way.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {
namespace {

constexpr double kSmoothedOverMs = 150;
constexpr double kBusy = 1;
constexpr double kEnough = 0.75;
constexpr double kPerPoint = 1.25;

}  // namespace

void LookAround(GivingWay* way, double others, double since_ms, double priority) {
  if (!std::isfinite(others) || !(since_ms > 0)) return;
  way->others += (std::max(0.0, others) - way->others) * -std::expm1(-since_ms / kSmoothedOverMs);
  bool gives_way = way->share < 1;
  if (!(priority < 0) || way->others < (gives_way ? kEnough : kBusy)) {
    way->share = 1;
    return;
  }
  double weight = std::pow(kPerPoint, priority);
  way->share = std::max(kLeastShare, weight / (weight + way->others));
}

double RestMs(const GivingWay& way, double ran_ms) {
  if (!(way.share < 1) || !(ran_ms > 0)) return 0;
  return std::min(kLongestRestMs, ran_ms * (1 / way.share - 1));
}

}  // namespace query_shaper
