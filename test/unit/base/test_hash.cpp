#include <boost/test/unit_test.hpp>

#include <cstring>
#include <set>

#include "core/base/hash.h"

using namespace query_shaper;

BOOST_AUTO_TEST_SUITE(hash)

BOOST_AUTO_TEST_CASE(bytes_hash_to_the_same_name_everywhere) {
  // Fixed values: stored fingerprints must not move with a compiler or a release.
  BOOST_TEST(HashBytes("public.users", 12) == HashBytes("public.users", 12));
  BOOST_TEST(HashBytes("", 0) == MixBits(0xcbf29ce484222325ULL));
  BOOST_TEST(MixBits(1) == 0xb456bcfc34c2cb2cULL);
}

BOOST_AUTO_TEST_CASE(one_bit_moves_about_half_the_bits) {
  int moved = 0;
  for (int bit = 0; bit < 64; ++bit) moved += __builtin_popcountll(MixBits(12345) ^ MixBits(12345 ^ (1ULL << bit)));
  BOOST_TEST(moved / 64 > 26);
  BOOST_TEST(moved / 64 < 38);
}

BOOST_AUTO_TEST_CASE(combining_depends_on_the_order) {
  BOOST_TEST(CombineHash(CombineHash(0, 1), 2) != CombineHash(CombineHash(0, 2), 1));
  std::set<uint64_t> seen;
  for (uint64_t i = 0; i < 10000; ++i) seen.insert(CombineHash(7, i));
  BOOST_TEST(seen.size() == 10000u);
}

BOOST_AUTO_TEST_SUITE_END()
