#include "core/predict/sequence_model.h"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>

#include "core/base/hash.h"
#include "core/predict/scale.h"

namespace query_shaper {

namespace {

constexpr int kHidden = kSequenceHidden;
constexpr int kGates = kSequenceGates;
constexpr int kInputs = step::kValues;
constexpr double kReach = 8;  // of a correction, on the log scale
constexpr double kHuber = 1.5;

using State = Eigen::Matrix<double, kHidden, 1>;
using Gates = Eigen::Matrix<double, kGates, 1>;
using Inputs = Eigen::Matrix<double, kInputs, 1>;
using Corrections = Eigen::Matrix<double, kTargets, 1>;
using InputWeights = Eigen::Matrix<double, kGates, kInputs>;
using StateWeights = Eigen::Matrix<double, kGates, kHidden>;
using HeadWeights = Eigen::Matrix<double, kTargets, kHidden>;

// Parameters as matrices; the arrays need no alignment.
template <typename Scalar>
struct View {
  template <typename M>
  using Map = Eigen::Map<std::conditional_t<std::is_const_v<Scalar>, const M, M>, Eigen::Unaligned>;
  explicit View(Scalar* p)
      : columns(p + kAtColumns),
        inputs(p + kAtInputs),
        state(p + kAtState),
        bias(p + kAtBias),
        heads(p + kAtHeads),
        offsets(p + kAtOffsets) {}
  Map<Gates> Column(int column) const { return Map<Gates>(columns + column * kGates); }
  Scalar* columns;
  Map<InputWeights> inputs;
  Map<StateWeights> state;
  Map<Gates> bias;
  Map<HeadWeights> heads;
  Map<Corrections> offsets;
};

// Brings every input to about 0..2.
double InputScale(int value) { return value <= step::kSpillKb ? 0.125 : value <= step::kDepth ? 0.25 : 1; }

struct Read {
  int columns[4];
  Inputs x;
  double base_log[kTargets];  // log of the operator's own expected amount
};

double LogAmount(double log1p_amount, double unit, double least) {
  return std::log(std::expm1(std::clamp(Finite(log1p_amount, 0), 0.0, kMaxLog)) * unit + least);
}

Read ReadStep(const SequenceStep& step) {
  Read read;
  const auto column = [](int first, int value, int count) { return first + std::clamp(value, 0, count - 1); };
  read.columns[0] = column(0, step.op, 43);
  read.columns[1] = column(43, step.join, 7);
  read.columns[2] = column(50, step.agg, 5);
  read.columns[3] = column(55, step.role, 6);
  for (int i = 0; i < kInputs; ++i) read.x[i] = std::clamp(Finite(step.values[i], 0), 0.0, kMaxLog) * InputScale(i);
  // The least amounts: what an operator takes that was expected to do nothing.
  read.base_log[kTimeMs] = read.base_log[kCpuMs] = LogAmount(step.values[step::kNominalUs], 1e-3, 1e-3);
  read.base_log[kMemoryKb] = LogAmount(step.values[step::kMemoryKb], 1, 12);
  read.base_log[kTempKb] = LogAmount(step.values[step::kSpillKb], 1, 0.01);
  read.base_log[kBlocks] = LogAmount(step.values[step::kPages], 1, 0.5);
  read.base_log[kBlocksRead] = LogAmount(step.values[step::kUncachedPages], 1, 0.02);
  read.base_log[kRows] = std::clamp(Finite(step.values[step::kOutputRows], 0), 0.0, kMaxLog);
  return read;
}

bool AddsUp(int target) { return target != kRows; }
double Floor(int target) { return target == kTimeMs || target == kCpuMs ? kMinTimeMs : 1; }

struct Step {
  Read read;
  State before, z, r, n, after;
  Corrections soft;  // tanh((v h + c) / kReach)
};

void Advance(const View<const double>& p, const State& h, Step* out) {
  Gates a = p.bias;
  a.noalias() += p.inputs * out->read.x;
  for (const int column : out->read.columns) a += p.Column(column);
  const auto squash = [](double v) { return 1 / (1 + std::exp(-v)); };
  a.head<2 * kHidden>().noalias() += p.state.template topRows<2 * kHidden>() * h;
  out->before = h;
  out->z = a.head<kHidden>().unaryExpr(squash);
  out->r = a.segment<kHidden>(kHidden).unaryExpr(squash);
  const State gated = out->r.cwiseProduct(h);
  State m = a.tail<kHidden>();
  m.noalias() += p.state.template bottomRows<kHidden>() * gated;
  out->n = m.unaryExpr([](double v) { return std::tanh(v); });
  out->after = out->n + out->z.cwiseProduct(h - out->n);
  Corrections o = p.offsets;
  o.noalias() += p.heads * out->after;
  out->soft = (o / kReach).unaryExpr([](double v) { return std::tanh(v); });
}

double Contribution(const Step& step, int target) {
  return std::exp(std::clamp(step.read.base_log[target] + kReach * step.soft[target], -40.0, kMaxLog));
}

// Sums of contributions to the answers, and of the last step's for rows.
void Answer(const Step& last, const double* sums, double* log) {
  for (int t = 0; t < kTargets; ++t) {
    const double answer = AddsUp(t) ? std::log(Floor(t) + sums[t]) : last.read.base_log[t] + kReach * last.soft[t];
    log[t] = std::clamp(Finite(answer, 0), t == kTimeMs || t == kCpuMs ? std::log(kMinTimeMs) : 0.0, kMaxLog);
  }
}

}  // namespace

void InitSequence(uint64_t seed, double* params) {
  std::fill(params, params + kSequenceParams, 0.0);
  const auto uniform = [&seed](int i) {
    const uint64_t bits = MixBits(CombineHash(seed, static_cast<uint64_t>(i)));
    return static_cast<double>(bits >> 11) * 0x1p-52 - 1;
  };
  for (int i = kAtColumns; i < kAtInputs; ++i) params[i] = 0.1 * uniform(i);
  for (int i = kAtInputs; i < kAtState; ++i) params[i] = 0.3 * uniform(i);
  for (int i = kAtState; i < kAtBias; ++i) params[i] = 0.25 * uniform(i);
}

void RunSequence(const double* params, const PlanSequence& sequence, double* log) {
  const View<const double> p(params);
  double sums[kTargets] = {};
  Step step;
  State h = State::Zero();
  for (int i = 0; i < std::min(sequence.count, kSequenceSteps); ++i) {
    step.read = ReadStep(sequence.steps[i]);
    Advance(p, h, &step);
    h = step.after;
    for (int t = 0; t < kTargets; ++t)
      if (AddsUp(t)) sums[t] += Contribution(step, t);
  }
  Answer(step, sums, log);
}

double SequenceGradient(const double* params, const PlanSequence& sequence, const double* actual_log,
                        const double* target_weight, double* gradient) {
  const View<const double> p(params);
  View<double> g(gradient);
  const int count = std::clamp(sequence.count, 1, kSequenceSteps);
  Step steps[kSequenceSteps];
  double contribution[kSequenceSteps][kTargets] = {};
  double sums[kTargets] = {};
  State h = State::Zero();
  for (int i = 0; i < count; ++i) {
    steps[i].read = ReadStep(sequence.steps[i]);
    Advance(p, h, &steps[i]);
    h = steps[i].after;
    for (int t = 0; t < kTargets; ++t)
      if (AddsUp(t)) sums[t] += contribution[i][t] = Contribution(steps[i], t);
  }
  double log[kTargets];
  Answer(steps[count - 1], sums, log);
  double loss = 0;
  double slope[kTargets];  // of the loss by the answer
  for (int t = 0; t < kTargets; ++t) {
    const double error = log[t] - actual_log[t];
    const double size = std::fabs(error);
    loss += target_weight[t] * (size <= kHuber ? 0.5 * error * error : kHuber * (size - 0.5 * kHuber));
    slope[t] = target_weight[t] * std::clamp(error, -kHuber, kHuber);
  }

  State back = State::Zero();  // slope of the loss by the state after step i
  for (int i = count - 1; i >= 0; --i) {
    const Step& step = steps[i];
    Corrections by_head;
    for (int t = 0; t < kTargets; ++t) {
      const double share = AddsUp(t) ? contribution[i][t] / (Floor(t) + sums[t]) : (i == count - 1 ? 1.0 : 0.0);
      by_head[t] = slope[t] * share * (1 - step.soft[t] * step.soft[t]);
    }
    g.heads.noalias() += by_head * step.after.transpose();
    g.offsets += by_head;
    back.noalias() += p.heads.transpose() * by_head;

    Gates by_gate;
    const State by_n = back.cwiseProduct(State::Ones() - step.z);
    const State by_m = by_n.cwiseProduct(State::Ones() - step.n.cwiseProduct(step.n));
    const State gated = step.r.cwiseProduct(step.before);
    const State by_gated = p.state.template bottomRows<kHidden>().transpose() * by_m;
    const State by_z = back.cwiseProduct(step.before - step.n);
    by_gate.head<kHidden>() = by_z.cwiseProduct(step.z).cwiseProduct(State::Ones() - step.z);
    by_gate.segment<kHidden>(kHidden) =
        by_gated.cwiseProduct(step.before).cwiseProduct(step.r).cwiseProduct(State::Ones() - step.r);
    by_gate.tail<kHidden>() = by_m;

    g.inputs.noalias() += by_gate * step.read.x.transpose();
    g.bias += by_gate;
    for (const int column : step.read.columns) g.Column(column) += by_gate;
    g.state.template topRows<2 * kHidden>().noalias() += by_gate.head<2 * kHidden>() * step.before.transpose();
    g.state.template bottomRows<kHidden>().noalias() += by_m * gated.transpose();

    State next = back.cwiseProduct(step.z) + by_gated.cwiseProduct(step.r);
    next.noalias() += p.state.template topRows<2 * kHidden>().transpose() * by_gate.head<2 * kHidden>();
    back = next;
  }
  return loss;
}

bool AnswerSequence(const SequenceModel& model, const PlanSequence& sequence, SequenceAnswer* answer) {
  answer->answers = false;
  if (model.version == 0 || sequence.count <= 0) return false;
  RunSequence(model.params, sequence, answer->log);
  for (int t = 0; t < kTargets; ++t) answer->sd[t] = std::sqrt(std::clamp(Finite(model.noise[t], 1), 1e-3, 25.0));
  answer->answers = true;
  return true;
}

}  // namespace query_shaper
