#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <vector>

#include "core/prefetch/block_order.h"

using namespace query_shaper;

BOOST_AUTO_TEST_SUITE(block_order)

BOOST_AUTO_TEST_CASE(an_entry_is_its_block_and_item) {
  for (uint32_t block : {0U, 1U, 65535U, 65536U, 0xFFFFFFFEU})
    for (uint16_t item : {uint16_t{1}, uint16_t{291}, uint16_t{0xFFFF}}) {
      BOOST_TEST(BlockOf(PackEntry(block, item)) == block);
      BOOST_TEST(ItemOf(PackEntry(block, item)) == item);
    }
}

BOOST_AUTO_TEST_CASE(sorted_by_block_alone) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const int count = static_cast<int>(random() % (round % 20 == 0 ? kOrderedMost + 1 : 700));
    // Blocks of small and large relations, up to the last one, and of one stretch of a large one.
    const uint32_t range = 1U << (random() % 32), first = round % 3 == 0 ? 0xFFFFFFFFU - range : 0;
    std::vector<uint64_t> entries(count), spare(count, ~uint64_t{0});
    for (uint64_t& entry : entries) entry = PackEntry(first + random() % range, static_cast<uint16_t>(random()));
    std::vector<uint64_t> expected = entries;
    std::stable_sort(expected.begin(), expected.end(), [](uint64_t a, uint64_t b) { return BlockOf(a) < BlockOf(b); });
    const uint64_t* sorted = SortByBlock(entries.data(), spare.data(), count);
    BOOST_REQUIRE(sorted == entries.data() || sorted == spare.data());
    BOOST_REQUIRE(std::equal(expected.begin(), expected.end(), sorted));
  }
}

BOOST_AUTO_TEST_SUITE_END()
