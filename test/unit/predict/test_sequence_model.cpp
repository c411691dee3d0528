#include <boost/test/unit_test.hpp>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/predict/scale.h"
#include "core/predict/sequence_model.h"
#include "predict/made_plans.h"

using namespace query_shaper;

namespace {

std::vector<double> RandomParams(uint64_t seed) {
  std::vector<double> params(kSequenceParams);
  InitSequence(seed, params.data());
  std::mt19937 random(static_cast<unsigned>(seed));
  std::normal_distribution<double> normal(0, 0.2);
  for (int i = kAtBias; i < kSequenceParams; ++i) params[i] = normal(random);
  return params;
}

void ActualLog(const Actual& actual, double* log) {
  for (int t = 0; t < kTargets; ++t) log[t] = ToLog(static_cast<Target>(t), actual.targets[t]);
}

const double kEven[kTargets] = {1, 1, 1, 1, 1, 1, 1};

}  // namespace

BOOST_AUTO_TEST_SUITE(sequence_model)

// Central differences against backpropagation, in every kind of parameter.
BOOST_AUTO_TEST_CASE(the_gradient_is_exact) {
  std::mt19937 random(11);
  for (int kind = 0; kind < 6; ++kind) {
    const MadeRun run = MakeRun(kind, 0.7, 0.5, 0.3, &random);
    std::vector<double> params = RandomParams(3 + static_cast<uint64_t>(kind));
    double actual[kTargets];
    ActualLog(run.actual, actual);
    std::vector<double> gradient(kSequenceParams);
    SequenceGradient(params.data(), run.sequence, actual, kEven, gradient.data());
    std::vector<double> unused(kSequenceParams);
    double largest = 0;
    int moved = 0;
    for (int i = 0; i < kSequenceParams; i += i < kAtInputs ? 29 : 3) {
      const double step = 1e-5;
      const double kept = params[i];
      params[i] = kept + step;
      const double up = SequenceGradient(params.data(), run.sequence, actual, kEven, unused.data());
      params[i] = kept - step;
      const double down = SequenceGradient(params.data(), run.sequence, actual, kEven, unused.data());
      params[i] = kept;
      const double slope = (up - down) / (2 * step);
      largest = std::max(largest, std::fabs(slope - gradient[i]) / (1e-4 + std::fabs(slope)));
      moved += std::fabs(slope) > 1e-6;
    }
    BOOST_TEST(largest < 1e-3, "kind " << kind << ": " << largest);
    BOOST_TEST(moved > 100);
  }
}

BOOST_AUTO_TEST_CASE(an_untrained_network_says_what_the_plan_says) {
  std::mt19937 random(2);
  const MadeRun run = MakeRun(1, 1, 1, 0, &random);
  std::vector<double> params(kSequenceParams);
  InitSequence(5, params.data());
  double log[kTargets];
  RunSequence(params.data(), run.sequence, log);
  BOOST_CHECK_CLOSE(FromLog(kRows, log[kRows]), 50000, 1);
  BOOST_TEST(QError(FromLog(kTimeMs, log[kTimeMs]), run.actual.targets[kTimeMs]) < 5);
  SequenceAnswer answer;
  SequenceModel model;
  BOOST_TEST(!AnswerSequence(model, run.sequence, &answer));
  model.version = 1;
  BOOST_TEST(AnswerSequence(model, run.sequence, &answer));
  BOOST_TEST(!AnswerSequence(model, PlanSequence{}, &answer));
}

BOOST_AUTO_TEST_CASE(operators_stand_in_the_order_in_which_they_finish) {
  std::mt19937 random(2);
  const MadeRun join = MakeRun(4, 1, 1, 0, &random);
  BOOST_REQUIRE_EQUAL(join.sequence.count, 4);
  const Operator order[] = {Operator::kSeqScan, Operator::kHash, Operator::kSeqScan, Operator::kHashJoin};
  for (int i = 0; i < 4; ++i) BOOST_TEST(int{join.sequence.steps[i].op} == static_cast<int>(order[i]));
  // The smaller scan feeds the hash table.
  BOOST_TEST(join.sequence.steps[0].values[step::kOutputRows] < join.sequence.steps[2].values[step::kOutputRows]);
  auto plan = std::make_unique<PlanTree>();
  for (int i = 0; i <= kSequenceSteps; ++i) AddNode(plan.get(), i - 1, ChildRole::kOuter, Operator::kMaterial, 10, 10);
  PlanSequence sequence;
  ExtractSequence(*plan, Moment{}, &sequence);
  BOOST_TEST(sequence.count == 0);
  plan->count = kSequenceSteps;
  ExtractSequence(*plan, Moment{}, &sequence);
  BOOST_TEST(sequence.count == kSequenceSteps);
}

BOOST_AUTO_TEST_CASE(any_parameters_and_any_plan_give_finite_answers) {
  std::mt19937 random(9);
  const double wild[] = {0, -5, 1e30, -1e300, 1e300, std::numeric_limits<double>::infinity(), std::nan(""), 3};
  for (int round = 0; round < 300; ++round) {
    MadeRun run = MakeRun(round % 6, 1, 1, 0, &random);
    std::vector<double> params = RandomParams(static_cast<uint64_t>(round));
    for (int i = 0; i < round % 40; ++i) params[random() % kSequenceParams] = wild[random() % 8];
    for (int i = 0; i < 3; ++i) {
      SequenceStep& any = run.sequence.steps[random() % run.sequence.count];
      any.values[random() % step::kValues] = static_cast<float>(wild[random() % 8]);
      any.op = static_cast<uint8_t>(random());
      any.role = static_cast<uint8_t>(random());
    }
    double log[kTargets];
    RunSequence(params.data(), run.sequence, log);
    for (const double value : log) BOOST_REQUIRE(std::isfinite(value));
  }
}

BOOST_AUTO_TEST_CASE(stored_bytes_come_back_and_damage_is_noticed) {
  SequenceModel model;
  const std::vector<double> params = RandomParams(4);
  std::copy(params.begin(), params.end(), model.params);
  model.version = 7;
  model.trained_at_s = 1234567890;
  model.samples = 42;
  for (double& noise : model.noise) noise = 0.25;
  std::string bytes(WriteSequence(model, nullptr, 0), '\0');
  const auto length = static_cast<uint32_t>(bytes.size());
  BOOST_REQUIRE_EQUAL(WriteSequence(model, bytes.data(), length), length);
  BOOST_TEST(IsSequence(bytes.data(), length));
  BOOST_TEST(!IsSequence("abcdefgh", 8));
  SequenceModel read;
  ReadSequence(bytes.data(), length, &read);
  BOOST_TEST(read.version == 7U);
  BOOST_TEST(read.trained_at_s == 1234567890);
  std::mt19937 random(2);
  const MadeRun run = MakeRun(3, 1, 1, 0, &random);
  double a[kTargets], b[kTargets];
  RunSequence(model.params, run.sequence, a);
  RunSequence(read.params, run.sequence, b);
  for (int t = 0; t < kTargets; ++t) BOOST_TEST(std::fabs(a[t] - b[t]) < 1e-4);
  const auto corrupt = [](const Error& error) { return error.fault == Fault::kCorruptModel; };
  SequenceModel target;
  for (size_t at = 0; at < bytes.size(); at += at < 64 ? 1 : 97) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    BOOST_CHECK_EXCEPTION(ReadSequence(damaged.data(), length, &target), Error, corrupt);
  }
  BOOST_CHECK_EXCEPTION(ReadSequence(bytes.data(), length - 1, &target), Error, corrupt);
  BOOST_TEST(target.version == 0U);
  model.params[9] = std::nan("");
  WriteSequence(model, bytes.data(), length);
  BOOST_CHECK_EXCEPTION(ReadSequence(bytes.data(), length, &target), Error, corrupt);
}

BOOST_AUTO_TEST_SUITE_END()
