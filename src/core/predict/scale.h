// The log scales on which targets are learned, guarded: no outcome and no state can leave the finite numbers.
#pragma once
#include <algorithm>
#include <cmath>

#include "core/predict/predict.h"

namespace query_shaper {

constexpr double kMinTimeMs = 1e-3;
constexpr double kMaxLog = 34;  // e^34 ms is 18 million years; e^34 kB and rows are beyond any server

inline double ToLog(Target target, double value) {
  if (!(value > 0)) value = 0;
  const double log = target == kTimeMs || target == kCpuMs ? std::log(std::max(value, kMinTimeMs)) : std::log1p(value);
  return std::min(log, kMaxLog);
}

inline double FromLog(Target target, double log) {
  if (!(log > -kMaxLog)) log = -kMaxLog;  // NaN too
  const double value = std::exp(std::min(log, kMaxLog));
  return target == kTimeMs || target == kCpuMs ? value : std::max(value - 1, 0.0);
}

inline double Finite(double value, double otherwise) { return std::isfinite(value) ? value : otherwise; }

// Context of the interval: 0, 1, 2-4, more earlier runs.
inline int SeenBucket(double seen) { return seen < 0.5 ? 0 : seen < 1.5 ? 1 : seen < 4.5 ? 2 : 3; }

}  // namespace query_shaper
