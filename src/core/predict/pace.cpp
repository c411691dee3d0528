#include "core/predict/pace.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {

namespace {

// Nominal work whose measured rate counts as much as the plan's overall rate: a pipeline of a tick or two says little.
constexpr double kShrinkWork = 20;

constexpr double kCoverage = 0.8;
constexpr double kBandStep = 0.04;  // relative step of the quantile: some 25 samples to move it by its own size
constexpr float kBandLow = 0.15f;
constexpr float kBandHigh = 12;

bool Sane(float value) { return std::isfinite(value); }

}  // namespace

void LearnPace(const PaceSample& sample, double decay, Pace* pace) {
  if (sample.pipelines <= 0 || sample.pipelines > kMaxPipelines) return;
  float keep = static_cast<float>(std::clamp(decay, 0.0, 1.0));
  if (pace->weight > 0 && pace->pipelines != sample.pipelines) *pace = Pace{};
  float old_weight = pace->weight * keep;
  float share = 1 / (old_weight + 1);
  pace->pipelines = sample.pipelines;
  for (int p = 0; p < sample.pipelines; ++p) {
    if (!Sane(sample.pipeline_ms[p]) || !Sane(sample.pipeline_work[p])) continue;
    pace->ms[p] = pace->ms[p] * keep + std::max(0.0f, sample.pipeline_ms[p]);
    pace->work[p] = pace->work[p] * keep + std::max(0.0f, sample.pipeline_work[p]);
  }
  for (int i = 0; i < std::min<int>(sample.nodes, kPaceNodes); ++i) {
    pace->row_weight[i] *= keep;
    if (!((sample.row_known >> i) & 1) || !Sane(sample.row_factor[i])) continue;
    float step = 1 / (pace->row_weight[i] + 1);
    float deviation = sample.row_factor[i] - pace->row_factor[i];
    if (pace->row_weight[i] > 0) pace->row_spread[i] += step * (std::fabs(deviation) - pace->row_spread[i]);
    pace->row_factor[i] += step * deviation;
    pace->row_weight[i] += 1;
  }
  float deviation = 0;
  bool curve_known = sample.curve[kCurvePoints - 1] > 0;
  for (int i = 0; i < kCurvePoints; ++i) curve_known = curve_known && Sane(sample.curve[i]);
  if (curve_known) {
    if (old_weight > 0) {
      for (int i = 0; i < kCurvePoints; ++i) {
        double truth = (i + 1.0) / (kCurvePoints + 1);
        deviation += static_cast<float>(std::fabs(CurveTimeShare(*pace, sample.curve[i]) - truth)) / kCurvePoints;
      }
      pace->curve_spread += share * (deviation - pace->curve_spread);
    }
    for (int i = 0; i < kCurvePoints; ++i) pace->curve[i] += share * (sample.curve[i] - pace->curve[i]);
  }
  pace->weight = old_weight + 1;
}

double PaceRate(const Pace& pace, int pipeline) {
  double all_ms = 0, all_work = 0;
  for (int p = 0; p < pace.pipelines; ++p) {
    all_ms += pace.ms[p];
    all_work += pace.work[p];
  }
  if (pace.weight <= 0 || all_ms <= 0 || all_work <= 0) return 0;
  // A run of a few ticks is mostly start-up: its pace says little, and nominal work is near enough to milliseconds.
  double overall = (all_ms + kShrinkWork) / (all_work + kShrinkWork);
  if (pipeline < 0 || pipeline >= pace.pipelines) return overall;
  double rate = (pace.ms[pipeline] + kShrinkWork * overall) / (pace.work[pipeline] + kShrinkWork);
  return std::clamp(rate, overall / 50, overall * 50);
}

double CurveTimeShare(const Pace& pace, double progress) {
  double before = 0, share_before = 0;
  for (int i = 0; i <= kCurvePoints; ++i) {
    double here = i < kCurvePoints ? std::max<double>(before, pace.curve[i]) : 1;
    double share = (i + 1.0) / (kCurvePoints + 1);
    if (progress <= here || i == kCurvePoints) {
      double width = here - before;
      double part = width > 1e-9 ? std::clamp((progress - before) / width, 0.0, 1.0) : 1;
      return share_before + part * (share - share_before);
    }
    before = here;
    share_before = share;
  }
  return 1;
}

void LearnBand(const PaceSample& sample, bool repeated, BandScale* band) {
  for (int quarter = 0; quarter < 4; ++quarter) {
    float z = sample.band_z[quarter];
    if (!(z >= 0) || !Sane(z)) continue;
    float* scale = &band->z80[repeated ? 1 : 0][quarter];
    double step = z > *scale ? kCoverage : -(1 - kCoverage);
    *scale = std::clamp(static_cast<float>(*scale * std::exp(kBandStep * 2 * step)), kBandLow, kBandHigh);
  }
}

}  // namespace query_shaper
