#include <boost/test/unit_test.hpp>

#include <cmath>
#include <string>

#include "core/base/error.h"
#include "core/decide/plan_bytes.h"
#include "core/plan/plan_tree.h"

using namespace query_shaper;

namespace {

bool IsCorrupt(const Error& error) { return error.fault == Fault::kCorruptModel; }

std::string Stored(const KnownPlans& plans) {
  std::string bytes(WriteKnownPlans(plans, nullptr, 0), '\0');
  BOOST_REQUIRE_EQUAL(WriteKnownPlans(plans, bytes.data(), static_cast<uint32_t>(bytes.size())), bytes.size());
  return bytes;
}

void Read(const std::string& bytes, KnownPlans* plans) {
  ReadKnownPlans(bytes.data(), static_cast<uint32_t>(bytes.size()), plans);
}

struct Run {
  KnownPlans plans{};
  GuardLimits limits;
  Run() {
    limits.now_s = 1.7e9;
    LearnPlanTime(&plans, 11, PlanOrigin::kStock, 500, limits);
    LearnPlanTime(&plans, 22, PlanOrigin::kLearned, 90, limits);
    LearnPlanGivenUp(&plans, 33, PlanOrigin::kReplanned, 9000, true, limits);
    CountInterruption(&plans, limits);
    plans.best_steps[0] = {77, 78, 3493, static_cast<uint8_t>(Operator::kNestLoop),
                           static_cast<uint8_t>(Operator::kMemoize)};
    plans.best_step_count = 1;
    plans.best_fingerprint = 22;
    plans.runaway = 1;
    plans.runaway_fingerprint = 33;
    plans.runaway_ms = 12345;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(stored_plans, Run)

BOOST_AUTO_TEST_CASE(what_is_stored_chooses_the_same) {
  KnownPlans other{};
  Read(Stored(plans), &other);
  BOOST_TEST((Stored(other) == Stored(plans)));
  for (const uint64_t fingerprint : {11, 22, 33, 44}) {
    const PlanChoice a = ChoosePlan(plans, fingerprint, PlanOrigin::kLearned, true, limits);
    const PlanChoice b = ChoosePlan(other, fingerprint, PlanOrigin::kLearned, true, limits);
    BOOST_TEST((a.verdict == b.verdict));
    BOOST_TEST(a.preferred == b.preferred);
    BOOST_TEST(a.known_ms == b.known_ms);
  }
  BOOST_TEST(other.best_steps[0].key == 77);
  BOOST_TEST(other.best_steps[0].input == 78);
  BOOST_TEST(other.best_steps[0].rows == 3493);
  BOOST_TEST(other.best_steps[0].op == static_cast<uint8_t>(Operator::kNestLoop));
  BOOST_TEST(other.best_steps[0].inner == static_cast<uint8_t>(Operator::kMemoize));
  BOOST_TEST(other.runaway == 1);
  BOOST_TEST(other.runaway_ms == 12345);
  BOOST_TEST(other.interruptions == plans.interruptions);
  BOOST_TEST(other.failed_tries == plans.failed_tries);
}

// Places beyond the count may hold anything.
BOOST_AUTO_TEST_CASE(only_counted_steps_are_stored) {
  const std::string before = Stored(plans);
  plans.best_steps[5] = {1, 2, std::nanf(""), 255, 255};
  BOOST_TEST((Stored(plans) == before));
}

BOOST_AUTO_TEST_CASE(damage_is_noticed_and_leaves_the_plans_as_they_were) {
  const std::string whole = Stored(plans);
  KnownPlans target{};
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    BOOST_CHECK_EXCEPTION(Read(damaged, &target), Error, IsCorrupt);
  }
  for (size_t length = 0; length < whole.size(); length += 7)
    BOOST_CHECK_EXCEPTION(Read(whole.substr(0, length), &target), Error, IsCorrupt);
  const auto refused = [&](auto change) {
    KnownPlans wrong = plans;
    change(wrong);
    BOOST_CHECK_EXCEPTION(Read(Stored(wrong), &target), Error, IsCorrupt);
  };
  refused([](KnownPlans& p) { p.plans[0].weight = -1; });
  refused([](KnownPlans& p) { p.plans[1].log_ms = std::nanf(""); });
  refused([](KnownPlans& p) { p.best_step_count = kPlanSteps + 1; });
  refused([](KnownPlans& p) { p.best_steps[0].op = static_cast<uint8_t>(Operator::kCount); });
  refused([](KnownPlans& p) { p.best_steps[0].rows = -2; });
  refused([](KnownPlans& p) { p.runs = -1; });
  BOOST_TEST((Stored(target) == Stored(KnownPlans{})));
}

BOOST_AUTO_TEST_SUITE_END()
