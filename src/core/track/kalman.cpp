#include "core/track/kalman.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {

namespace {

constexpr double kTickMs = 10;           // the noise figures below are per tick of this length
constexpr double kDriftDecay = 0.98;     // per tick
constexpr double kWorkNoise = 0.19;      // of remaining work, per tick
constexpr double kSpeedNoise = 0.033;    // of speed, per tick
constexpr double kDriftNoise = 0.00018;  // of speed per ms, per tick
constexpr double kDoubtShare = 0.17;     // of the variance of doubt, per tick
constexpr double kLeastSpeed = 1e-6;

}  // namespace

void KalmanFilter::Seed(double remaining, double remaining_sd, double speed, double speed_sd) {
  state_[0] = std::max(0.0, remaining);
  state_[1] = std::max(kLeastSpeed, speed);
  state_[2] = 0;
  for (auto& row : cov_) std::fill(row, row + 3, 0.0);
  cov_[0][0] = remaining_sd * remaining_sd;
  cov_[1][1] = speed_sd * speed_sd;
  double drift_sd = kDriftNoise * state_[1];
  cov_[2][2] = drift_sd * drift_sd;
}

void KalmanFilter::Propagate(double dt_ms) {
  double dt = std::clamp(dt_ms, 0.0, 60000.0);
  double decay = std::pow(kDriftDecay, dt / kTickMs);
  double transition[3][3] = {{1, -dt, -0.5 * dt * dt}, {0, 1, dt}, {0, 0, decay}};
  double next[3];
  double half[3][3];
  for (int i = 0; i < 3; ++i) {
    next[i] = 0;
    for (int j = 0; j < 3; ++j) {
      next[i] += transition[i][j] * state_[j];
      half[i][j] = 0;
      for (int k = 0; k < 3; ++k) half[i][j] += transition[i][k] * cov_[k][j];
    }
  }
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      cov_[i][j] = 0;
      for (int k = 0; k < 3; ++k) cov_[i][j] += half[i][k] * transition[j][k];
    }
  }
  double before = state_[1];
  std::copy(next, next + 3, state_);
  // A drift carried over a long gap would drive the speed anywhere.
  state_[1] = std::clamp(state_[1], before * 0.5, before * 2);
  state_[0] = std::max(0.0, state_[0]);
  double ticks = dt / kTickMs;
  auto grow = [ticks](double sd) { return sd * sd * ticks; };
  cov_[0][0] += grow(kWorkNoise * (state_[0] + 1));
  cov_[1][1] += grow(kSpeedNoise * state_[1]);
  cov_[2][2] += grow(kDriftNoise * state_[1]);
}

void KalmanFilter::Correct(int axis, double measured, double variance) {
  double innovation_variance = cov_[axis][axis] + variance;
  if (!(innovation_variance > 0) || !std::isfinite(measured)) return;
  double gain[3];
  for (int i = 0; i < 3; ++i) gain[i] = cov_[i][axis] / innovation_variance;
  double innovation = measured - state_[axis];
  for (int i = 0; i < 3; ++i) state_[i] += gain[i] * innovation;
  double row[3] = {cov_[axis][0], cov_[axis][1], cov_[axis][2]};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) cov_[i][j] -= gain[i] * row[j];
  }
  // Rounding must not make a variance negative nor the matrix lopsided.
  for (int i = 0; i < 3; ++i) {
    cov_[i][i] = std::max(cov_[i][i], 0.0);
    for (int j = 0; j < i; ++j) cov_[i][j] = cov_[j][i] = 0.5 * (cov_[i][j] + cov_[j][i]);
  }
}

void KalmanFilter::Step(double dt_ms, double remaining, double remaining_sd, double doubt, double speed,
                        double speed_sd, double floor_speed, double ceiling_speed) {
  Propagate(dt_ms);
  cov_[0][0] += kDoubtShare * doubt * doubt * std::min(dt_ms / kTickMs, 10.0);
  Correct(0, remaining, remaining_sd * remaining_sd + 1e-9);
  Correct(1, speed, speed_sd * speed_sd + 1e-9);
  state_[0] = std::max(0.0, state_[0]);
  state_[1] = std::max(kLeastSpeed, std::clamp(state_[1], floor_speed, std::max(floor_speed, ceiling_speed)));
}

void KalmanFilter::Coast(double dt_ms) { Propagate(dt_ms); }

void KalmanFilter::Unsettle(double speed_sd) {
  cov_[1][1] = std::max(cov_[1][1], speed_sd * speed_sd);
  cov_[0][1] = cov_[1][0] = 0;
  state_[2] = 0;
}

double KalmanFilter::EtaMs() const { return state_[0] / state_[1]; }

double KalmanFilter::EtaSdMs() const {
  double per_work = 1 / state_[1];
  double per_speed = -state_[0] / (state_[1] * state_[1]);
  double variance =
      per_work * per_work * cov_[0][0] + per_speed * per_speed * cov_[1][1] + 2 * per_work * per_speed * cov_[0][1];
  return std::sqrt(std::max(0.0, variance));
}

}  // namespace query_shaper
