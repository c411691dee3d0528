#include "core/pool/worker_number.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {
namespace {

constexpr double kStartMs = 3;      // of one worker: fork, catalogs, its parameters and the way back
constexpr double kSureLogSd = 0.7;  // beyond which a prediction moves nothing
constexpr double kLeastGain = 0.1;  // of the time, for more than planned

double TimeWith(double serial_ms, double parallel_ms, int workers) {
  return serial_ms + parallel_ms / (1 + workers) + kStartMs * workers;
}

}  // namespace

int WorkersWorth(const WorkerQuestion& question) {
  int planned = std::max(0, question.planned), most = std::max(0, question.most);
  int within = std::min(planned, most);
  if (!std::isfinite(question.predicted_ms) || question.predicted_ms <= 0 || !(question.log_sd <= kSureLogSd))
    return within;
  double share = std::clamp(question.parallel_share, 0.0, 1.0);
  double run_ms = std::max(0.0, question.predicted_ms - kStartMs * planned);
  double serial_ms = (1 - share) * run_ms;
  double parallel_ms = share * run_ms * (1 + planned);
  int best = 0;
  for (int n = 1; n <= most; ++n)
    if (TimeWith(serial_ms, parallel_ms, n) < TimeWith(serial_ms, parallel_ms, best)) best = n;
  if (best > within &&
      TimeWith(serial_ms, parallel_ms, best) > (1 - kLeastGain) * TimeWith(serial_ms, parallel_ms, within))
    return within;
  return best;
}

}  // namespace query_shaper
