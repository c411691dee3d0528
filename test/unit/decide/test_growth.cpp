// Growing hash tables: in time, as far as needed, never beyond the bound.
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <random>

#include "core/decide/growth.h"

namespace query_shaper {

namespace {

// Half full of the rows that were planned, with more to come.
GrowthQuestion HalfFull() {
  GrowthQuestion question;
  question.used_kb = 2100;
  question.used_before_kb = 2000;
  question.allowed_kb = 4096;
  question.held_rows = 21000;
  question.planned_rows = 100;
  question.expected_rows = 80000;
  question.spare_kb = 16384;
  return question;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(growth)

BOOST_AUTO_TEST_CASE(what_is_expected_decides_how_far) {
  GrowthAnswer answer = JudgeGrowth(HalfFull());
  BOOST_TEST((answer.verdict == GrowthVerdict::kGrow));
  BOOST_TEST(std::fabs(answer.needed_kb - 8000) < 1e-6);
  BOOST_TEST(answer.allowed_kb >= answer.needed_kb);
  BOOST_TEST(answer.allowed_kb <= 1.5 * answer.needed_kb);
  GrowthQuestion fits = HalfFull();
  fits.expected_rows = 15000;
  fits.held_rows = 15000;
  fits.planned_rows = 20000;
  fits.used_kb = 1500;
  fits.used_before_kb = 1400;
  BOOST_TEST((JudgeGrowth(fits).verdict == GrowthVerdict::kWait));
}

BOOST_AUTO_TEST_CASE(a_table_that_cannot_be_held_is_left_alone) {
  GrowthQuestion question = HalfFull();
  question.expected_rows = 1e7;
  BOOST_TEST((JudgeGrowth(question).verdict == GrowthVerdict::kDecline));
  question = HalfFull();
  question.spare_kb = 0;
  BOOST_TEST((JudgeGrowth(question).verdict == GrowthVerdict::kDecline));
}

BOOST_AUTO_TEST_CASE(who_must_not_spill_grows_only_when_sure) {
  GrowthQuestion question = HalfFull();
  question.only_if_sure = true;
  BOOST_TEST((JudgeGrowth(question).verdict == GrowthVerdict::kDecline));
  question.most_rows = 90000;
  GrowthAnswer answer = JudgeGrowth(question);
  BOOST_TEST((answer.verdict == GrowthVerdict::kGrow));
  BOOST_TEST(answer.allowed_kb > 2 * 9000);
  question.most_rows = 200000;
  BOOST_TEST((JudgeGrowth(question).verdict == GrowthVerdict::kDecline));
}

// A table filled at a steady rate is asked often enough never to spill while it fits, and never passes its bound.
BOOST_AUTO_TEST_CASE(it_is_asked_in_time) {
  std::mt19937 random(1);
  int grown = 0, held = 0, runs = 0;
  for (int run = 0; run < 5000; ++run) {
    GrowthQuestion question;
    question.allowed_kb = 4096;
    double bound_kb = question.allowed_kb + 16384;
    double row_kb = std::uniform_real_distribution<double>(0.05, 0.2)(random);
    double rows = std::exp(std::uniform_real_distribution<double>(7, 13)(random));
    double step = std::exp(std::uniform_real_distribution<double>(4, 8.5)(random));
    question.planned_rows = std::exp(std::uniform_real_distribution<double>(0, 9)(random));
    double error = std::uniform_real_distribution<double>(0.7, 1.3)(random);
    bool spilled = false;
    for (double now = 0; now < rows && !spilled; now += step) {
      question.used_before_kb = question.used_kb;
      question.held_rows = now;
      question.used_kb = now * row_kb;
      question.expected_rows = rows * error;
      spilled = question.used_kb > question.allowed_kb;
      question.spare_kb = bound_kb - question.allowed_kb;
      GrowthAnswer answer = JudgeGrowth(question);
      if (answer.verdict == GrowthVerdict::kGrow) {
        ++grown;
        question.allowed_kb = answer.allowed_kb;
      }
      BOOST_REQUIRE_LE(question.allowed_kb, bound_kb + 1e-6);
    }
    if (rows * row_kb * 1.35 > bound_kb || step * row_kb > 1000) continue;
    ++runs;
    held += !spilled;
  }
  BOOST_TEST(grown > 500);
  BOOST_TEST(held == runs);
}

BOOST_AUTO_TEST_CASE(nonsense_changes_nothing) {
  const double odd[] = {NAN, INFINITY, -1};
  for (double value : odd) {
    for (double GrowthQuestion::*figure :
         {&GrowthQuestion::used_kb, &GrowthQuestion::used_before_kb, &GrowthQuestion::allowed_kb,
          &GrowthQuestion::held_rows, &GrowthQuestion::planned_rows, &GrowthQuestion::expected_rows,
          &GrowthQuestion::spare_kb}) {
      GrowthQuestion question = HalfFull();
      question.*figure = value;
      BOOST_TEST((JudgeGrowth(question).verdict == GrowthVerdict::kWait));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
