// The way from counters to time left: speed, blind phases, stalls, curve, band.
#include "core/track/progress.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace query_shaper {

namespace {

constexpr double kNominalLogSd = 0.35;      // of the work model's speed on an unknown server
constexpr double kLearnedLogSd = 0.053;     // of a learned pace
constexpr double kPlannedWorkLogSd = 10.0;  // of planned work: so large that a predicted time says nothing of the speed
constexpr double kLearnedWorkLogSd = 1.1;   // the same with learned rows
constexpr double kSlowest = 0.3;            // bounds of the filter's speed against the average
constexpr double kFastest = 3;
constexpr double kStallMs = 150;     // a shorter wait is part of ordinary running
constexpr double kAliveShare = 0.1;  // of the wall time on the processor: a waiting process has only its ticks
constexpr double kCommonExcess = 2;  // planned work over what can be or is likely: this much of it is in any prediction
constexpr double kBandFloorMs = 10;  // the band's resolution near the end

// Found on recorded runs of some sixty statements; in pairs: first run, repeated run.
constexpr double kSpeedPriorMs[] = {21.0, 20.0};      // the prior of the average speed is worth this much of the run,
constexpr double kSpeedPriorShare[] = {0.063, 0.16};  // and this share of the predicted time
constexpr double kSpeedCarries[] = {0.9, 0.2};  // share of a pipeline's (log) speed deviation expected of the others
constexpr double kSpeedNoise[] = {0.15, 0.2};   // of one measured speed, relative
constexpr double kShade[] = {0.88, 0.13};       // of the log variance: from median (0) to mode (1) of the belief
constexpr double kWorkNoise = 0.0057;           // of measured remaining work, relative to the whole
constexpr double kUncertainScale = 2.3;         // rows' doubt in the band, over the work model's own sum
constexpr double kTrackedLogSd2 = 0.06;         // log variance of a tracked total at its beginning, beside its own
constexpr double kOverrun = 0.5;                // growth of the prediction's standard deviation once its time is over
constexpr double kPredictionDecay = 0.097;      // and with the share of the run that is over
constexpr double kCurveScale = 1.0;             // standard deviation of the curve's time share per mean absolute error,
constexpr double kCurveFloor = 0.017;           // and what is added to that error

// JIT compiles before the first row, the longer the more expressions; it optimises and inlines beyond the second cost.
constexpr double kCompiledWork = 1;  // expected ms of work that is not done before compilation
constexpr double kJitMs = 8;
constexpr double kJitOptimisedMs = 40;
constexpr double kJitOptimiseCost = 500000;

double Precision(double sd) { return 1 / (sd * sd + 1e-6); }

}  // namespace

void Progress::Begin(const PlanTree& plan, const Estimate& estimate, const Pace* pace, const BandScale* band) {
  std::memset(static_cast<void*>(this), 0, sizeof(*this));
  work_ratio_ = speed_ratio_ = 1;
  band_ = band != nullptr ? *band : BandScale{};
  pace_ = Pace{};
  Cut(plan);
  repeated_ = pace != nullptr && pace->weight > 0 && pace->pipelines == pipelines_;
  if (repeated_) pace_ = *pace;
  PlanRows(plan, repeated_ ? &pace_ : nullptr);
  for (int p = 0; p < pipelines_; ++p) {
    double rate = repeated_ ? PaceRate(pace_, p) : 0;
    pipes_[p].rate = rate > 0 ? rate : 1;
  }
  for (int i = 0; i < count_; ++i) states_[i].started = false;
  Account(plan, nullptr);
  for (int p = 0; p < pipelines_; ++p) planned_work_ += pipes_[p].rate * pipes_[p].total;
  if (plan.uses_jit && count_ > 0) {
    bool optimised = plan.nodes[0].total_cost >= kJitOptimiseCost;
    startup_ms_ = count_ * (optimised ? kJitOptimisedMs : kJitMs);
  }
  planned_work_ = std::max(planned_work_ + startup_ms_, 1e-3);

  // The prediction rests on planned rows, also where keys tell that there cannot be as many.
  double excess = 1;
  if (!repeated_) excess = std::max(1.0, PlannedWork(plan) / (kCommonExcess * (planned_work_ - startup_ms_)));
  predicted_ms_ =
      std::isfinite(estimate.targets[kTimeMs].value) ? std::max(0.1, estimate.targets[kTimeMs].value) : planned_work_;
  predicted_ms_ /= excess;
  predicted_log_sd_ = std::isfinite(estimate.log_sd) ? std::clamp(estimate.log_sd, 0.05, 3.0) : 1;
  double model_sd = repeated_ ? kLearnedLogSd : kNominalLogSd;
  double work_sd = repeated_ ? kLearnedWorkLogSd : kPlannedWorkLogSd;
  double implied_sd = std::sqrt(predicted_log_sd_ * predicted_log_sd_ + work_sd * work_sd);
  double implied = std::clamp(std::log(planned_work_ / predicted_ms_), -4.0, 4.0);
  double precision = Precision(model_sd) + Precision(implied_sd);
  double log_speed = implied * Precision(implied_sd) / precision;
  prior_speed_ = std::exp(log_speed);
  prior_speed_sd_ = std::sqrt(1 / precision);
  filter_.Seed(planned_work_, planned_work_ * std::min(2.0, work_sd), prior_speed_, prior_speed_ * prior_speed_sd_);
  eta_ms_ = predicted_ms_;
  eta_log_sd_ = predicted_log_sd_;
}

double Progress::PlannedWork(const PlanTree& plan) {
  for (int i = 0; i < count_; ++i) states_[i].total = states_[i].planned;
  Account(plan, nullptr);
  double work = 0;
  for (int p = 0; p < pipelines_; ++p) work += pipes_[p].rate * pipes_[p].total;
  for (int i = 0; i < count_; ++i) states_[i].total = states_[i].prior;
  Account(plan, nullptr);
  return work;
}

// Work believed done since the last counter moved: time goes on at the expected speed towards the end of the blind
// phase, or half of what the pipeline has left where none is known, without ever reaching it.
double Progress::SilentWork(double stuck_ms) const {
  const PipelineState& pipe = pipes_[current_];
  double room = 0;
  for (int p = 0; p < pipelines_; ++p) room = std::max(room, pipes_[p].blind * pipes_[p].rate);
  if (!compiled_) room = std::max(room, startup_ms_);
  if (room <= 0) room = 0.5 * std::max(0.0, pipe.total - pipe.done) * pipe.rate;
  if (room <= 0) return 0;
  return room * -std::expm1(-filter_.speed() * stuck_ms / room);
}

TimeLeft Progress::Update(const PlanTree& plan, const NodeCounters* counters, const Tick& tick) {
  double now = std::isfinite(tick.elapsed_ms) ? std::max(tick.elapsed_ms, last_ms_) : last_ms_;
  double dt = now - last_ms_;
  last_ms_ = now;
  TimeLeft left;
  Refine(plan, counters);
  Account(plan, counters);

  double done = 0, open_now = 0, open_later = 0, uncertain = 0, nominal_done = 0, nominal_total = 0;
  double most = 0;
  for (int p = 0; p < pipelines_; ++p) {
    PipelineState& pipe = pipes_[p];
    double step = (pipe.done - pipe.last_done) * pipe.rate;
    if (step > most) {
      most = step;
      current_ = static_cast<int16_t>(p);
    }
    pipe.last_done = pipe.done;
  }
  if (most <= 0) {
    for (int p = 0; p < pipelines_; ++p) {
      if (pipes_[p].blind > 0) current_ = static_cast<int16_t>(p);
    }
  }
  for (int p = 0; p < pipelines_; ++p) {
    const PipelineState& pipe = pipes_[p];
    done += pipe.done * pipe.rate;
    (p == current_ ? open_now : open_later) += std::max(0.0, pipe.total - pipe.done) * pipe.rate;
    uncertain += pipe.uncertain * pipe.rate;
    nominal_done += pipe.done;
    nominal_total += pipe.total;
  }
  pipes_[current_].ms += dt;
  // Expressions are compiled when the first of them is evaluated, by which time a scan has already begun to move.
  compiled_ = compiled_ || done >= kCompiledWork;
  if (compiled_) {
    done += startup_ms_;
  } else {
    open_now += startup_ms_;
  }
  bool moved = std::fabs(done - done_) > 1e-7 * (1 + done_);
  // What a function takes before its first row is nobody's guess, and says nothing of how fast the rest goes.
  int functions = 0;
  for (int i = 0; i < count_; ++i) functions += plan.nodes[i].op == Operator::kFunctionScan && counters[i].rows > 0;
  bool opaque = !repeated_ && moved && functions > functions_;
  if (opaque) opaque_ms_ += now - measured_ms_;
  functions_ = functions;
  double step = done - done_;
  done_ = done;
  if (moved) moved_ms_ = now;
  // A sort that spills moves no row for long, but blocks and the processor tell that it works.
  // One that was found waiting for the same twice in a row has spent it on ticks.
  bool held = tick.wait == wait_ && (tick.wait == Wait::kLock || tick.wait == Wait::kClient);
  bool alive = moved || tick.temp_blocks > temp_blocks_ || tick.read_blocks > read_blocks_ ||
               (!held && tick.cpu_ms - cpu_ms_ > kAliveShare * dt);
  wait_ = tick.wait;
  temp_blocks_ = tick.temp_blocks;
  read_blocks_ = tick.read_blocks;
  cpu_ms_ = tick.cpu_ms;
  if (alive) alive_ms_ = now;
  bool stalled = tick.wait != Wait::kNone && now - alive_ms_ >= kStallMs;
  double total = std::max(done + open_now + open_later, 1e-6);

  if (stalled) {
    // Whatever holds the statement says nothing of when it lets go: what was left is still left, and as much
    // again is to be feared as was waited already.
    double waited = now - alive_ms_;
    stall_ms_ += stalled_ ? dt : waited;
    stalled_ = true;
    measured_ms_ = now;
    left.stalled = true;
    left.eta_ms = eta_ms_ + waited;
    left.progress = now > 0 ? now / (now + left.eta_ms) : 0;
    double spread = std::exp(1.28 * eta_log_sd_);
    left.low_ms = eta_ms_ / spread;
    left.high_ms = eta_ms_ * spread + 4 * waited;
    left.discrepancy = (std::log(now + left.eta_ms) - std::log(predicted_ms_)) / predicted_log_sd_;
    return left;
  }
  stalled_ = false;
  double running = std::max(0.0, now - stall_ms_);
  // While nothing moves, time beyond the silent work believed done says nothing of the speed.
  double active = std::max(0.0, (moved ? now : moved_ms_) - stall_ms_ - opaque_ms_);

  double silent = moved ? 0 : SilentWork(now - moved_ms_);
  double gap = moved ? now - measured_ms_ : 0;
  open_now = std::max(0.0, open_now - silent);

  // Average speed, the prior worth the first moments of the run.
  double worth = kSpeedPriorMs[repeated_] + kSpeedPriorShare[repeated_] * std::min(predicted_ms_, 10000.0);
  // Blended on the log scale: a prior that is wrong by a large factor must not weigh by that factor.
  double seen = std::max(done / std::max(active, 1e-3), prior_speed_ * 0.02);
  double weight_seen = active / (active + worth);
  double average = std::exp(weight_seen * std::log(seen) + (1 - weight_seen) * std::log(prior_speed_));
  average = std::max(average, 1e-6);
  // A pipeline's speed says something about the others, more of it when nothing was learned of them.
  double other_speed = std::exp(kSpeedCarries[repeated_] * std::log(average / prior_speed_)) * prior_speed_;
  bool silent_phase = !moved && pipes_[current_].blind > 0;
  double later = open_later * filter_.speed() / other_speed;
  if (silent_phase) {
    later += open_now * (filter_.speed() / other_speed);
    open_now = 0;
  }
  double tracked_ms = (open_now + later) / std::max(filter_.speed(), 1e-6);
  if (opaque) {
    measured_ms_ = now;
  } else if (moved && gap > 0) {
    // The gap since the last movement is measured as one step, blind phases included.
    double speed = step / gap;
    double speed_sd = average * (kSpeedNoise[repeated_] + (speed > 2 * average ? 0.5 : 0));
    filter_.Step(gap, open_now + later, kWorkNoise * total, uncertain, speed, speed_sd, kSlowest * average,
                 kFastest * average);
    measured_ms_ = now;
    tracked_ms = filter_.EtaMs();
  }
  double doubt_ms = std::hypot(filter_.EtaSdMs(), kUncertainScale * uncertain / std::max(filter_.speed(), 1e-6));
  double tracked_sd = std::clamp(doubt_ms / std::max(running + tracked_ms, 1.0), 0.02, 2.0);

  // The prediction still has a say while little was seen; once its time is over, it has none.
  double share = running / std::max(running + tracked_ms, 1e-3);
  double tracked_log_sd = std::sqrt(tracked_sd * tracked_sd + kTrackedLogSd2 * (1 - share) * (1 - share));
  double over = running / predicted_ms_;
  double prediction_sd = predicted_log_sd_ * (1 + kOverrun * over * over) + kPredictionDecay * share;
  double weight = Precision(tracked_log_sd), log_total = weight * std::log(running + tracked_ms + 1e-3);
  double prediction_weight = Precision(prediction_sd);
  log_total += prediction_weight * std::log(std::max(predicted_ms_, running * 1.02) + 1e-3);
  weight += prediction_weight;
  double drivers = DriverProgress();
  if (repeated_ && pace_.curve[kCurvePoints - 1] > 0.0f && drivers > 0.002) {
    double time_share = std::max(CurveTimeShare(pace_, drivers), 1e-3);
    double believed_share = running / std::max(std::exp(log_total / weight), 1e-3);
    double curve_sd =
        0.02 + kCurveScale * (pace_.curve_spread + kCurveFloor) / std::clamp(believed_share, 0.01, time_share);
    double curve_weight = Precision(curve_sd);
    log_total += curve_weight * std::log(std::max(running, 1.0) / time_share);
    weight += curve_weight;
  }
  double total_ms = std::exp(log_total / weight);
  // The error that hurts is the long one: shown is a point towards the mode of the log-normal belief, not its median.
  double shade = std::exp(-kShade[repeated_] * std::min(1.0, 1 / weight));
  left.eta_ms = std::max(0.0, total_ms - running) * shade;
  double log_sd = std::sqrt(1 / weight);
  eta_log_sd_ = std::clamp(log_sd * (running + left.eta_ms) / std::max(left.eta_ms, 1.0), 0.02, 3.0);
  eta_ms_ = left.eta_ms;

  double whole = now + left.eta_ms;
  left.progress = whole > 0 ? std::clamp(now / whole, 0.0, 1.0) : 0;
  int quarter = std::clamp(static_cast<int>(4 * left.progress), 0, 3);
  double spread = std::exp(std::min(5.0, band_.z80[repeated_ ? 1 : 0][quarter] * eta_log_sd_));
  left.low_ms = std::max(0.0, (left.eta_ms + kBandFloorMs) / spread - kBandFloorMs);
  left.high_ms = (left.eta_ms + kBandFloorMs) * spread - kBandFloorMs;
  left.discrepancy = (std::log(std::max(whole, 0.1)) - std::log(predicted_ms_)) / predicted_log_sd_;

  work_ratio_ = std::clamp(total / planned_work_, 1e-6, 1e6);
  speed_ratio_ = std::clamp(average / prior_speed_, 1e-4, 1e4);
  work_share_ = nominal_total > 0 ? std::clamp(nominal_done / nominal_total, 0.0, 1.0) : 0;
  Remember(left, now, drivers);
  return left;
}

// Keeps the trace evenly spread without knowing how long the run will be: when it is full every other point goes.
void Progress::Remember(const TimeLeft& left, double elapsed_ms, double raw) {
  if (trace_count_ > 0 && elapsed_ms - trace_[trace_count_ - 1].elapsed_ms < trace_step_ms_) return;
  if (trace_count_ == kTracePoints) {
    for (int i = 0; i < kTracePoints / 2; ++i) {
      trace_[i] = trace_[2 * i];
      trace_log_sd_[i] = trace_log_sd_[2 * i];
    }
    trace_count_ = kTracePoints / 2;
    double span = trace_[trace_count_ - 1].elapsed_ms - trace_[0].elapsed_ms;
    trace_step_ms_ = span / (trace_count_ - 1);
    if (elapsed_ms - trace_[trace_count_ - 1].elapsed_ms < trace_step_ms_) return;
  }
  auto narrow = [](double x) { return static_cast<float>(std::min(x, 1e30)); };
  trace_[trace_count_] = {narrow(elapsed_ms),  narrow(left.progress), narrow(left.eta_ms),
                          narrow(left.low_ms), narrow(left.high_ms),  narrow(raw)};
  trace_log_sd_[trace_count_] = narrow(eta_log_sd_);
  ++trace_count_;
}

}  // namespace query_shaper
