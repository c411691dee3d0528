#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <string>

#include "core/base/error.h"
#include "core/cardinality/row_model.h"

using namespace query_shaper;

namespace {

constexpr double kHalfLife = 1e6;

bool IsCorrupt(const Error& error) { return error.fault == Fault::kCorruptModel; }

std::string Stored(const RowProfile& profile) {
  std::string bytes(WriteRowProfile(profile, nullptr, 0), '\0');
  BOOST_REQUIRE_EQUAL(WriteRowProfile(profile, bytes.data(), static_cast<uint32_t>(bytes.size())), bytes.size());
  return bytes;
}

void Read(const std::string& bytes, RowProfile* profile) {
  ReadRowProfile(bytes.data(), static_cast<uint32_t>(bytes.size()), profile);
}

struct Taught {
  RowProfile profile;
  Taught() {
    for (int i = 0; i < 5; ++i) {
      RowConstants constants;
      constants.hash = 100 + static_cast<uint64_t>(i);
      constants.count = 2;
      constants.values[0] = i;
      constants.values[1] = std::nan("");
      LearnRows(&profile, constants, 10, 12, 3493.0 * i, 1e5, 1.7e9 + i, kHalfLife);
    }
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(stored_rows, Taught)

BOOST_AUTO_TEST_CASE(what_is_stored_guesses_the_same) {
  RowProfile other;
  Read(Stored(profile), &other);
  BOOST_TEST((Stored(other) == Stored(profile)));
  for (uint64_t hash = 99; hash < 106; ++hash) {
    RowConstants constants;
    constants.hash = hash;
    constants.count = 2;
    constants.values[0] = 2.5;
    constants.values[1] = std::nan("");
    const RowGuess a = GuessRows(profile, constants, 20, 1e5, 1.7e9 + 9, kHalfLife);
    const RowGuess b = GuessRows(other, constants, 20, 1e5, 1.7e9 + 9, kHalfLife);
    BOOST_TEST(a.rows == b.rows);
    BOOST_TEST(a.log_sd == b.log_sd);
    BOOST_TEST((a.source == b.source));
  }
  BOOST_TEST(other.seen == 5);
  BOOST_TEST(other.planner_rows == 12);
  BOOST_TEST(other.constant_count == 2);
}

BOOST_AUTO_TEST_CASE(an_empty_profile_is_stored_too) {
  RowProfile empty;
  Read(Stored(RowProfile{}), &empty);
  BOOST_TEST(empty.seen == 0);
  BOOST_TEST(Stored(RowProfile{}).size() < Stored(profile).size());
}

BOOST_AUTO_TEST_CASE(damage_is_noticed_and_leaves_the_profile_as_it_was) {
  const std::string whole = Stored(profile);
  RowProfile target;
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    BOOST_CHECK_EXCEPTION(Read(damaged, &target), Error, IsCorrupt);
  }
  for (size_t length = 0; length < whole.size(); ++length)
    BOOST_CHECK_EXCEPTION(Read(whole.substr(0, length), &target), Error, IsCorrupt);
  BOOST_CHECK_EXCEPTION(Read(whole + "y", &target), Error, IsCorrupt);
  BOOST_TEST((Stored(target) == Stored(RowProfile{})));
}

BOOST_AUTO_TEST_CASE(impossible_numbers_are_refused) {
  const auto refused = [&](auto change) {
    RowProfile wrong = profile;
    change(wrong);
    BOOST_CHECK_EXCEPTION(Read(Stored(wrong), &wrong), Error, IsCorrupt);
  };
  refused([](RowProfile& p) { p.seen = -1; });
  refused([](RowProfile& p) { p.actual_rows = std::numeric_limits<double>::infinity(); });
  refused([](RowProfile& p) { p.relation_rows = std::nan(""); });
  refused([](RowProfile& p) { p.constant_count = kRowConstants + 1; });
  refused([](RowProfile& p) { p.samples[0].log_rows = -1; });
  refused([](RowProfile& p) { p.samples[0].log_natural = std::numeric_limits<float>::quiet_NaN(); });
  refused([](RowProfile& p) { p.samples[0].seen_s = -1; });
}

BOOST_AUTO_TEST_SUITE_END()
