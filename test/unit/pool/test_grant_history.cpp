// What needs of the past do to the next grant.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <random>

#include "core/base/error.h"
#include "core/pool/grant_history.h"

namespace query_shaper {
namespace {

NodeNeed Predicted(double kb) {
  NodeNeed need;
  need.kb = kb;
  need.low_kb = kb / 2;
  need.high_kb = kb * 2;
  return need;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(grant_history)

BOOST_AUTO_TEST_CASE(without_history_the_prediction_speaks) {
  BOOST_TEST(WantedKb(NeedHistory(), Predicted(1000)) == Predicted(1000).wanted_kb());
}

BOOST_AUTO_TEST_CASE(too_small_a_grant_is_larger_at_once) {
  NeedHistory history;
  LearnNeed(&history, 500, 1000);
  LearnNeed(&history, 50000, 1000);
  double wanted = WantedKb(history, Predicted(1000));
  BOOST_TEST(wanted > 50000);
  BOOST_TEST(wanted < 60000);
}

BOOST_AUTO_TEST_CASE(what_was_enough_is_less_than_what_is_asked_for) {
  BOOST_TEST(KnownEnoughKb(NeedHistory(), Predicted(1000)) == Predicted(1000).wanted_kb());
  NeedHistory history;
  LearnNeed(&history, 500, 1000);
  BOOST_TEST(KnownEnoughKb(history, Predicted(1000)) > 500);
  BOOST_TEST(KnownEnoughKb(history, Predicted(1000)) < WantedKb(history, Predicted(1000)));
}

BOOST_AUTO_TEST_CASE(too_large_a_grant_shrinks) {
  NeedHistory history;
  LearnNeed(&history, 100, 100000);
  BOOST_TEST(WantedKb(history, Predicted(100000)) < 200);
  LearnNeed(&history, 90000, 100000);
  for (int run = 0; run < kRememberedNeeds; ++run) LearnNeed(&history, 100, 100000);
  BOOST_TEST(WantedKb(history, Predicted(100000)) < 200);
}

BOOST_AUTO_TEST_CASE(a_surprise_is_believed) {
  NeedHistory history;
  for (int run = 0; run < 5; ++run) LearnNeed(&history, 100, 120);
  BOOST_TEST(WantedKb(history, Predicted(100000)) >= 100000);
}

BOOST_AUTO_TEST_CASE(nonsense_is_not_learned) {
  NeedHistory history;
  LearnNeed(&history, -1, 1);
  LearnNeed(&history, std::numeric_limits<double>::quiet_NaN(), 1);
  BOOST_TEST(history.count == 0);
}

// Parameters that alternate, and parameters at random: after five runs at most one grant in ten moves by more than 2x.
BOOST_AUTO_TEST_CASE(alternating_parameters_do_not_oscillate) {
  std::mt19937 random(11);
  for (int kind = 0; kind < 3; ++kind) {
    int changed = 0, runs = 0;
    for (int statement = 0; statement < 200; ++statement) {
      NeedHistory history;
      double few = 500 * (1 + static_cast<double>(random() % 10)),
             many = few * (3 + static_cast<double>(random() % 40));
      double before = 0;
      for (int run = 0; run < 30; ++run) {
        bool large = kind == 0 ? run % 2 == 0 : kind == 1 ? run % 3 == 0 : random() % 2 == 0;
        double need = large ? many : few;
        // Estimates know the parameter, more or less.
        double wanted = WantedKb(history, Predicted(need * std::uniform_real_distribution<double>(0.5, 2)(random)));
        if (run >= 5) {
          ++runs;
          if (std::max(wanted, before) > 2 * std::min(wanted, before)) ++changed;
        }
        before = wanted;
        LearnNeed(&history, need, need);
      }
    }
    BOOST_TEST_CONTEXT("kind " << kind) BOOST_TEST(changed <= runs / 10);
  }
}

BOOST_AUTO_TEST_CASE(stored_needs_come_back) {
  std::mt19937 random(1);
  for (int length = 0; length < 30; ++length) {
    NeedHistory history;
    for (int i = 0; i < length; ++i) LearnNeed(&history, static_cast<double>(random() % 100000), 50.5 * i);
    char bytes[256];
    const uint32_t written = WriteNeedHistory(history, bytes, sizeof bytes);
    BOOST_REQUIRE(written <= sizeof bytes);
    NeedHistory back;
    ReadNeedHistory(bytes, written, &back);
    BOOST_TEST(WantedKb(back, Predicted(10)) == WantedKb(history, Predicted(10)));
    LearnNeed(&history, 7, 8);
    LearnNeed(&back, 7, 8);
    BOOST_TEST(WantedKb(back, Predicted(10)) == WantedKb(history, Predicted(10)));
  }
}

BOOST_AUTO_TEST_CASE(damaged_needs_are_refused) {
  NeedHistory history;
  for (int i = 0; i < 5; ++i) LearnNeed(&history, 1000, 500);
  char bytes[256];
  const uint32_t written = WriteNeedHistory(history, bytes, sizeof bytes);
  for (uint32_t at = 0; at < written; ++at) {
    NeedHistory back;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
    BOOST_CHECK_THROW(ReadNeedHistory(bytes, written, &back), Error);
    BOOST_TEST(back.count == 0);
    bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
  }
  NeedHistory back;
  BOOST_CHECK_THROW(ReadNeedHistory(bytes, written - 1, &back), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
