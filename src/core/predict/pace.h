// What repeated runs of one plan teach about its pace: stored in the profile, read at the next start, all plain data.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

constexpr int kMaxPipelines = 24;
constexpr int kCurvePoints = 20;

// One run's own figures, gathered by the tracker and sent to the learner.
struct PaceSample {
  int32_t pipelines = 0;
  float pipeline_ms[kMaxPipelines] = {};    // wall time while the pipeline was the running one
  float pipeline_work[kMaxPipelines] = {};  // planner cost units of it with the rows that really came
  float curve[kCurvePoints] = {};           // raw progress (before the curve) at time fraction (i + 1) / (kCurvePoints + 1)
  float row_factor[kMaxPipelines] = {};     // actual over planned driver rows
  // |true - shown| / shown standard deviation at quarters of the run, to calibrate the band; negative: not sampled
  float band_z[4] = {-1, -1, -1, -1};
};
static_assert(std::is_trivially_copyable_v<PaceSample>);

// Time-decayed knowledge over runs of one plan shape.
struct Pace {
  float weight = 0;  // decayed number of runs; 0: nothing known
  int32_t pipelines = 0;
  float log_ms_per_work[kMaxPipelines] = {};  // mean of log(ms per cost unit)
  float share[kMaxPipelines] = {};            // mean share of the total time
  float log_row_factor[kMaxPipelines] = {};   // mean of log(actual / planned driver rows)
  float curve[kCurvePoints] = {};             // mean raw progress at time fractions
  float curve_spread = 0.3f;                  // mean absolute deviation of raw progress from the curve
};
static_assert(std::is_trivially_copyable_v<Pace>);

// Database-wide scale of the 80 % band: quantile of |z| by context (0 first run, 1 repeated) and quarter of the run.
struct BandScale {
  float z80[2][4] = {{1.28f, 1.28f, 1.28f, 1.28f}, {1.28f, 1.28f, 1.28f, 1.28f}};
};
static_assert(std::is_trivially_copyable_v<BandScale>);

// Folds a run's sample into the decayed pace (called by Learn()). decay: weight left of the old, 0..1.
void LearnPace(const PaceSample& sample, double decay, Pace* pace);

// Moves the band's quantiles towards 80 % coverage with this sample (stochastic approximation of a quantile,
// Robbins and Monro 1951). repeated: the statement had been seen before.
void LearnBand(const PaceSample& sample, bool repeated, BandScale* band);

}  // namespace query_shaper
