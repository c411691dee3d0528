// What repeated runs of one plan teach about its pace: stored in the profile, read at the next start, all plain data.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

constexpr int kMaxPipelines = 24;
constexpr int kCurvePoints = 20;
constexpr int kPaceNodes = 64;  // nodes whose row factors are kept, in depth-first order

// One run's own figures, gathered by the tracker and sent to the learner.
struct PaceSample {
  int32_t pipelines = 0;
  int32_t nodes = 0;
  float pipeline_ms[kMaxPipelines] = {};    // wall time while the pipeline was the running one
  float pipeline_work[kMaxPipelines] = {};  // nominal ms (core/track/work_model.h) of it with the rows that really came
  float curve[kCurvePoints] = {};           // progress of the drivers at time fraction (i + 1) / (kCurvePoints + 1)
  float row_factor[kPaceNodes] = {};        // log(actual / planned rows, all loops)
  uint64_t row_known = 0;                   // bit i: row_factor[i] was measured on a node that ran to its end
  // |true - shown| / shown standard deviation at quarters of the run, to calibrate the band; negative: not sampled
  float band_z[4] = {-1, -1, -1, -1};
};
static_assert(std::is_trivially_copyable_v<PaceSample>);

// Time-decayed knowledge over runs of one plan shape.
struct Pace {
  float weight = 0;  // decayed number of runs; 0: nothing known
  int32_t pipelines = 0;
  float ms[kMaxPipelines] = {};       // decayed sums: wall time ...
  float work[kMaxPipelines] = {};     // ... and nominal work of the pipelines
  float row_factor[kPaceNodes] = {};  // decayed mean of log(actual / planned rows)
  float row_spread[kPaceNodes] = {};  // decayed mean absolute deviation of it
  float row_weight[kPaceNodes] = {};  // decayed number of runs that measured it
  float curve[kCurvePoints] = {};     // mean progress of the drivers at time fractions
  float curve_spread = 0.15f;         // mean absolute error of the time fraction that the curve gave for a new run
};
static_assert(std::is_trivially_copyable_v<Pace>);

// Database-wide scale of the 80 % band: quantile of |z| by context (0 first run, 1 repeated) and quarter of the run.
struct BandScale {
  float z80[2][4] = {{1.2f, 0.75f, 0.65f, 0.8f}, {1.1f, 0.85f, 0.65f, 0.7f}};
};
static_assert(std::is_trivially_copyable_v<BandScale>);

// Folds a run's sample into the decayed pace (called by Learn()). decay: weight left of the old, 0..1.
// A sample with no pipelines (the run was not tracked) changes nothing.
void LearnPace(const PaceSample& sample, double decay, Pace* pace);

// Milliseconds per unit of nominal work in a pipeline, drawn towards the plan's overall pace where little was measured;
// 0: nothing known.
double PaceRate(const Pace& pace, int pipeline);

// Fraction of the time over when the drivers stand at `progress`, by the mean curve: monotone, linear between its
// points.
double CurveTimeShare(const Pace& pace, double progress);

// Moves the band's quantiles towards 80 % coverage with this sample (stochastic approximation of a quantile,
// Robbins and Monro 1951). repeated: the statement had been seen before.
void LearnBand(const PaceSample& sample, bool repeated, BandScale* band);

}  // namespace query_shaper
