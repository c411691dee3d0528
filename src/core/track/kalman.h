// Kalman filter of a running statement: remaining work, speed and drift of speed, of fixed size and async-signal-safe.
//
// State x = [R, v, a]: work left (expected ms), work per ms of wall time, change of v per ms.
//   R' = R - v dt - a dt^2 / 2,  v' = v + a dt,  a' = 0.98^(dt / 10 ms) a     (R. E. Kalman 1960)
// Measured: R with a standard deviation that the caller knows from its refined cardinalities, and v over the last tick.
// The measured R is refined from tick to tick: its errors are no white noise that averages out, so what it is in doubt
// by enters as process noise (R may jump) and not as measurement noise.
#pragma once
#include <type_traits>

namespace query_shaper {

class KalmanFilter {
 public:
  // sd are standard deviations of the seeds.
  void Seed(double remaining, double remaining_sd, double speed, double speed_sd);

  // One step of dt_ms. doubt: standard deviation by which remaining may yet be refined. floor_speed..ceiling_speed
  // bound the speed after it.
  void Step(double dt_ms, double remaining, double remaining_sd, double doubt, double speed, double speed_sd,
            double floor_speed, double ceiling_speed);

  // Time passes with nothing measured: remaining shrinks by the believed speed, uncertainty grows.
  void Coast(double dt_ms);

  // The speed may be another one from here on (a new pipeline began).
  void Unsettle(double speed_sd);

  double remaining() const { return state_[0]; }
  double speed() const { return state_[1]; }
  // Time left and its standard deviation, ms (first-order propagation through R / v).
  double EtaMs() const;
  double EtaSdMs() const;

 private:
  void Propagate(double dt_ms);
  void Correct(int axis, double measured, double variance);

  double state_[3] = {};
  double cov_[3][3] = {};
};
static_assert(std::is_trivially_copyable_v<KalmanFilter>);

}  // namespace query_shaper
