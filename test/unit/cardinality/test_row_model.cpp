#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include "core/cardinality/row_model.h"

using namespace query_shaper;

namespace {

constexpr double kDay = 86400;
constexpr double kHalfLife = 14 * kDay;
constexpr double kNow = 1.7e9;
constexpr double kTable = 1e6;  // rows of the relations

RowConstants Constants(std::vector<double> values, uint64_t hash = 0) {
  RowConstants constants;
  constants.count = static_cast<int32_t>(values.size());
  constants.hash = hash;
  for (size_t i = 0; i < values.size(); ++i) {
    constants.values[i] = values[i];
    if (hash == 0) constants.hash = constants.hash * 31 + static_cast<uint64_t>(values[i] * 1000 + 7);
  }
  return constants;
}

RowConstants Text(uint64_t hash) { return Constants({std::nan("")}, hash); }

struct Learned {
  RowProfile profile;
  void Learn(const RowConstants& constants, double natural, double actual, double at = kNow, double table = kTable) {
    LearnRows(&profile, constants, natural, natural, actual, table, at, kHalfLife);
  }
  RowGuess Guess(const RowConstants& constants, double natural, double at = kNow, double table = kTable) const {
    return GuessRows(profile, constants, natural, table, at, kHalfLife);
  }
};

bool Is(const RowGuess& guess, RowSource source) { return guess.source == source; }

// How far a guess is off, as a factor of at least 1.
double QError(double a, double b) { return std::max((a + 1) / (b + 1), (b + 1) / (a + 1)); }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(row_model, Learned)

BOOST_AUTO_TEST_CASE(nothing_learned_nothing_said) {
  BOOST_TEST(Is(Guess(Constants({1}), 10), RowSource::kNone));
  BOOST_TEST(Guess(Constants({1}), 10).rows == -1);
}

BOOST_AUTO_TEST_CASE(equal_constants_give_what_was_seen) {
  for (const double rows : {0.0, 0.3, 1.0, 3493.0, 2.5e9}) {
    profile = RowProfile{};
    Learn(Constants({7}), 1, rows);
    // Natural rows do not matter then.
    for (const double natural : {1.0, 1e6}) {
      const RowGuess guess = Guess(Constants({7}), natural);
      BOOST_TEST(Is(guess, RowSource::kExact));
      BOOST_TEST(std::fabs(guess.rows - rows) <= 1e-5 * (rows + 1));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_runs_now_counts_most) {
  for (int i = 0; i < 50; ++i) Learn(Constants({7}), 100, 1000);
  for (int i = 0; i < 6; ++i) Learn(Constants({7}), 100, 1800);
  BOOST_TEST(QError(Guess(Constants({7}), 100).rows, 1800) < 1.02);
}

BOOST_AUTO_TEST_CASE(one_hidden_cause_gives_a_mean) {
  for (int i = 0; i < 40; ++i) Learn(Constants({}), 100, i % 2 == 0 ? 100 : 400);
  const double rows = Guess(Constants({}), 100).rows;
  BOOST_TEST(rows > 120);
  BOOST_TEST(rows < 340);
}

// A correlated pair of clauses: the planner is low by the same factor wherever it is asked.
BOOST_AUTO_TEST_CASE(similar_constants_share) {
  for (int i = 0; i < 5; ++i) Learn(Constants({10.0 + i}), 10 + i, 500.0 * (10 + i));
  const RowGuess guess = Guess(Constants({12.5}), 12);
  BOOST_TEST(Is(guess, RowSource::kSimilar));
  BOOST_TEST(QError(guess.rows, 6000) < 3);
  BOOST_TEST(QError(12, 6000) > 400);
  BOOST_TEST(guess.log_sd > Guess(Constants({12}), 12).log_sd);
  // Texts that differ tell nothing about how far apart they are: all of them share.
  profile = RowProfile{};
  for (uint64_t i = 1; i <= 5; ++i) Learn(Text(i), 5, 2000);
  BOOST_TEST(QError(Guess(Text(99), 5).rows, 2000) < 3);
}

BOOST_AUTO_TEST_CASE(one_neighbour_moves_less_than_many) {
  Learn(Constants({100}), 1, 3493);
  const double one = Guess(Constants({110}), 1).rows;
  for (int i = 0; i < 6; ++i) Learn(Constants({90.0 + 4 * i}), 1, 3493);
  const double many = Guess(Constants({101}), 1).rows;
  BOOST_TEST(one > 30);
  BOOST_TEST(one < 1500);
  BOOST_TEST(many > one);
  BOOST_TEST(many > 1000);
  BOOST_TEST(many < 3600);
}

BOOST_AUTO_TEST_CASE(near_constants_count_more_than_far_ones) {
  // The planner is right below 50 and low by a thousand above.
  for (int i = 0; i < 4; ++i) Learn(Constants({10.0 + i}), 100, 100);
  for (int i = 0; i < 4; ++i) Learn(Constants({90.0 + i}), 100, 100000);
  BOOST_TEST(Guess(Constants({11.5}), 100).rows < 300);
  BOOST_TEST(Guess(Constants({91.5}), 100).rows > 10000);
}

BOOST_AUTO_TEST_CASE(disagreeing_factors_do_not_mislead) {
  const double rows[] = {3, 90000, 5, 60000, 2, 40000};
  for (uint64_t i = 0; i < 6; ++i) Learn(Text(i + 1), 400, rows[i]);
  const RowGuess guess = Guess(Text(77), 400);
  if (!Is(guess, RowSource::kNone)) {
    BOOST_TEST(QError(guess.rows, 400) < 3);
    BOOST_TEST(guess.log_sd > 2);
  }
}

BOOST_AUTO_TEST_CASE(guesses_that_did_worse_than_the_planner_end) {
  // One hot constant; all others are as the planner says. It is guessed at first, and found out.
  Learn(Text(1), 50, 50000);
  BOOST_TEST(Is(Guess(Text(2), 50), RowSource::kSimilar));
  for (uint64_t i = 2; i <= 4; ++i) Learn(Text(i), 50, 50);
  BOOST_TEST(Is(Guess(Text(5), 50), RowSource::kNone));
  BOOST_TEST(Is(Guess(Text(1), 50), RowSource::kExact));
  // And they come back when they would have done better for a while.
  for (uint64_t i = 10; i <= 60; ++i) Learn(Text(i), 50, 50000);
  BOOST_TEST(Is(Guess(Text(99), 50), RowSource::kSimilar));
}

// Too few rows make worse plans than too many.
BOOST_AUTO_TEST_CASE(lowering_needs_more_evidence_than_raising) {
  Learn(Constants({1}), 10, 1000);
  const double raised = Guess(Constants({1.1}), 10).rows / 10;
  profile = RowProfile{};
  Learn(Constants({1}), 1000, 10);
  const double lowered = 1000 / Guess(Constants({1.1}), 1000).rows;
  BOOST_TEST(raised > lowered * 1.5);
}

BOOST_AUTO_TEST_CASE(old_samples_fade) {
  Learn(Constants({1}), 10, 1000);
  const double fresh = Guess(Constants({1.1}), 10).rows;
  const double stale = Guess(Constants({1.1}), 10, kNow + 3 * kHalfLife).rows;
  BOOST_TEST(stale < fresh);
  BOOST_TEST(stale >= 10);
  BOOST_TEST(Is(Guess(Constants({1}), 10, kNow + 3 * kHalfLife), RowSource::kExact));
  BOOST_TEST(Guess(Constants({1}), 10, kNow + 3 * kHalfLife).log_sd > Guess(Constants({1}), 10).log_sd);
  BOOST_TEST(Is(Guess(Constants({1}), 10, kNow + 7 * kHalfLife), RowSource::kNone));
  // A clock that was set back does no harm.
  BOOST_TEST(Is(Guess(Constants({1}), 10, kNow - 100 * kHalfLife), RowSource::kExact));
}

BOOST_AUTO_TEST_CASE(tables_that_change_much_invalidate) {
  Learn(Constants({1}), 10, 1000);
  BOOST_TEST(Is(Guess(Constants({1}), 10, kNow, kTable * 1.9), RowSource::kExact));
  BOOST_TEST(Is(Guess(Constants({1}), 10, kNow, kTable * 2.1), RowSource::kNone));
  BOOST_TEST(Is(Guess(Constants({1}), 10, kNow, kTable * 0.4), RowSource::kNone));
  // An empty table that was filled: the dangerous zero.
  profile = RowProfile{};
  Learn(Constants({1}), 1, 0, kNow, 0);
  BOOST_TEST(Is(Guess(Constants({1}), 1, kNow, 0), RowSource::kExact));
  BOOST_TEST(Is(Guess(Constants({1}), 1, kNow, 100000), RowSource::kNone));
  // What is learned of the changed table has nothing of the old one in it.
  Learn(Constants({1}), 50, 40000, kNow + 1, 100000);
  BOOST_TEST(profile.seen == 1);
  BOOST_TEST(QError(Guess(Constants({1}), 50, kNow + 1, 100000).rows, 40000) < 1.001);
  // Tables of a handful of rows do not flap.
  profile = RowProfile{};
  Learn(Constants({1}), 1, 3, kNow, 10);
  BOOST_TEST(Is(Guess(Constants({1}), 1, kNow, 30), RowSource::kExact));
}

BOOST_AUTO_TEST_CASE(samples_are_bounded_and_the_least_worthy_goes) {
  for (int i = 0; i < 20; ++i) Learn(Constants({1}), 10, 1000, kNow);
  for (int i = 0; i < 100; ++i) Learn(Constants({1000.0 + i}), 10, 20, kNow + i);
  BOOST_TEST(Is(Guess(Constants({1}), 10, kNow + 100), RowSource::kExact));
  BOOST_TEST(Is(Guess(Constants({1099}), 10, kNow + 100), RowSource::kExact));
  BOOST_TEST(!Is(Guess(Constants({1000}), 10, kNow + 100), RowSource::kExact));
  BOOST_TEST(profile.seen == 120);
}

BOOST_AUTO_TEST_CASE(figures_that_are_none_are_left_out) {
  const double none = std::nan("");
  const double endless = std::numeric_limits<double>::infinity();
  Learn(Constants({1}), 10, none);
  Learn(Constants({1}), 10, endless);
  Learn(Constants({1}), 10, -5);
  BOOST_TEST(profile.seen == 0);
  Learn(Constants({endless}, 5), none, 1000, kNow, 1000);
  Learn(Constants({1e308}, 6), endless, 1000, kNow, 1000);
  Learn(Constants({-1e308}, 7), -3, 1000, kNow, 1000);
  for (const double value : {0.0, 1e308, none, endless})
    for (const double natural : {0.0, none, endless, 1e300}) {
      const RowGuess guess = Guess(Constants({value}, 8), natural, kNow, 1000);
      BOOST_TEST((Is(guess, RowSource::kNone) || (std::isfinite(guess.rows) && guess.rows >= 0)));
      BOOST_TEST(std::isfinite(guess.log_sd));
    }
}

BOOST_AUTO_TEST_CASE(merging_counts_nothing_twice) {
  Learn(Constants({1}), 10, 1000);
  Learn(Constants({2}), 10, 2000);
  const RowProfile stored = profile;
  // One that grew out of the other.
  Learn(Constants({2}), 10, 2000);
  const RowProfile grown = profile;
  MergeRows(stored, &profile);
  BOOST_TEST(profile.seen == grown.seen);
  BOOST_TEST(profile.samples[1].weight == grown.samples[1].weight);
  // One that began beside it.
  profile = RowProfile{};
  Learn(Constants({3}), 10, 3000, kNow + 5);
  MergeRows(stored, &profile);
  BOOST_TEST(Is(Guess(Constants({1}), 10), RowSource::kExact));
  BOOST_TEST(Is(Guess(Constants({3}), 10), RowSource::kExact));
  BOOST_TEST(profile.last_seen_s == kNow + 5);
  BOOST_TEST(profile.actual_rows == 3000);
  // One of another table's size.
  profile = RowProfile{};
  Learn(Constants({3}), 10, 3000, kNow + 5, kTable * 10);
  MergeRows(stored, &profile);
  BOOST_TEST(!Is(Guess(Constants({1}), 10, kNow, kTable * 10), RowSource::kExact));
}

BOOST_AUTO_TEST_CASE(worth_prefers_the_late_the_frequent_and_the_surprising) {
  Learned often, late, surprising;
  Learn(Constants({1}), 10, 10);
  for (int i = 0; i < 10; ++i) often.Learn(Constants({1}), 10, 10);
  late.Learn(Constants({1}), 10, 10, kNow + kHalfLife);
  surprising.Learn(Constants({1}), 10, 10000);
  const double least = RowWorth(profile, kHalfLife);
  for (const Learned* other : {&often, &late, &surprising}) BOOST_TEST(RowWorth(other->profile, kHalfLife) > least);
}

BOOST_AUTO_TEST_SUITE_END()
