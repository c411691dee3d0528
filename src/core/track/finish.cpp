// Finish(): what a run that came to its end teaches about its plan's pace and about the band.
#include "core/track/progress.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {

namespace {

constexpr double kBandFloorMs = 10;  // as in progress.cpp: nearer to the end than this nobody asks for a band

}  // namespace

void Progress::Finish(const PlanTree& plan, const NodeCounters* counters, double total_ms, PaceSample* sample) const {
  *sample = PaceSample{};
  if (count_ <= 0 || !(total_ms > 0)) return;
  Progress last = *this;
  last.states_[0].finished = true;
  last.Refine(plan, counters);
  last.Account(plan, counters);

  sample->nodes = std::min(count_, kPaceNodes);
  for (int i = 0; i < sample->nodes; ++i) {
    const NodeState& state = last.states_[i];
    bool counted = counters[i].rows >= 0 || plan.nodes[i].op == Operator::kHash;
    Operator op = plan.nodes[i].op;
    if (op == Operator::kBitmapIndexScan || op == Operator::kBitmapAnd || op == Operator::kBitmapOr) continue;
    if (!counted) continue;
    // Only what the node itself adds to the error of its inputs: that varies far less between constants.
    double through = state.planned * last.InputRatio(plan.nodes[i], links_[i], &NodeState::rows, &NodeState::planned);
    double factor = std::log((std::max(0.0, state.rows) + 0.5) / (std::max(0.0, through) + 0.5));
    sample->row_factor[i] = static_cast<float>(std::clamp(factor, -20.0, 20.0));
    sample->row_known |= uint64_t{1} << i;
  }
  // A statement that ended before any tick has no pace, but its rows are worth knowing.
  sample->pipelines = pipelines_;
  double traced = 0;
  for (int p = 0; p < pipelines_; ++p) traced += pipes_[p].ms;
  double rest = std::max(0.0, total_ms - traced - stall_ms_);
  for (int p = 0; p < pipelines_; ++p) {
    sample->pipeline_work[p] = static_cast<float>(last.pipes_[p].done);
    double ms = pipes_[p].ms + (p == current_ ? rest : 0);
    sample->pipeline_ms[p] = static_cast<float>(ms);
  }
  if (trace_count_ < 4) return;
  int at = 0;
  for (int i = 0; i < kCurvePoints; ++i) {
    double when = total_ms * (i + 1) / (kCurvePoints + 1);
    while (at + 1 < trace_count_ && trace_[at + 1].elapsed_ms <= when) ++at;
    double from = trace_[at].elapsed_ms, raw = trace_[at].raw_progress;
    if (from > when) {
      raw *= when / std::max(from, 1e-3);
    } else {
      bool more = at + 1 < trace_count_;
      double to = more ? trace_[at + 1].elapsed_ms : total_ms;
      double raw_to = more ? trace_[at + 1].raw_progress : 1;
      if (to > from) raw += (raw_to - raw) * (when - from) / (to - from);
    }
    sample->curve[i] = static_cast<float>(std::clamp(raw, 0.0, 1.0));
  }
  for (int quarter = 0; quarter < 4; ++quarter) {
    double when = total_ms * (quarter + 0.5) / 4;
    int best = -1;
    for (int i = 0; i < trace_count_; ++i) {
      if (trace_[i].elapsed_ms <= when) best = i;
    }
    if (best < 0 || trace_log_sd_[best] <= 0) continue;
    double truth = std::max(0.0, total_ms - trace_[best].elapsed_ms);
    double error = std::log((truth + kBandFloorMs) / (trace_[best].eta_ms + kBandFloorMs));
    sample->band_z[quarter] = static_cast<float>(std::fabs(error) / trace_log_sd_[best]);
  }
}

}  // namespace query_shaper
