#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "core/prefetch/partitioner.h"

using namespace query_shaper;

namespace {

std::vector<Extent> Cut(const std::vector<ExpectedBlock>& expected, Pattern pattern, uint32_t extent_blocks,
                        uint32_t relation_blocks = 100000, int capacity = 1000) {
  std::vector<Extent> extents(static_cast<size_t>(capacity));
  extents.resize(static_cast<size_t>(CutExtents(expected.data(), static_cast<int>(expected.size()), pattern,
                                                extent_blocks, relation_blocks, extents.data(), capacity)));
  return extents;
}

std::vector<ExpectedBlock> Every(uint32_t step, int count, float likelihood = 1) {
  std::vector<ExpectedBlock> expected;
  for (int i = 0; i < count; ++i) expected.push_back({static_cast<uint32_t>(i) * step, likelihood});
  return expected;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(partitioner)

BOOST_AUTO_TEST_CASE(scattered_blocks_make_small_extents) {
  const auto extents = Cut(Every(7, 50), Pattern::kRandom, 1);
  BOOST_TEST(extents.size() == 50U);
  for (const Extent& extent : extents) BOOST_TEST(extent.blocks == 1U);
}

BOOST_AUTO_TEST_CASE(sequential_ones_make_large_extents) {
  const auto extents = Cut(Every(1, 3000), Pattern::kSequential, 1024);
  BOOST_TEST(extents.size() == 3U);
  BOOST_TEST(Cut(Every(7, 50), Pattern::kSequential, 1024).size() == 1U);
}

BOOST_AUTO_TEST_CASE(clusters_are_joined_over_small_holes_only) {
  std::vector<ExpectedBlock> expected;
  for (const uint32_t block : {100U, 101U, 104U, 108U, 200U, 201U, 5000U}) expected.push_back({block, 1});
  const auto extents = Cut(expected, Pattern::kClustered, 16);
  BOOST_TEST(extents.size() == 3U);
  BOOST_TEST(extents[0].likelihood == 1);
  const auto joined =
      std::find_if(extents.begin(), extents.end(), [](const Extent& extent) { return extent.first == 100; });
  BOOST_REQUIRE(joined != extents.end());
  BOOST_TEST(joined->blocks == 9U);
  BOOST_TEST(joined->likelihood == 4.0F / 9, boost::test_tools::tolerance(1e-6F));
}

BOOST_AUTO_TEST_CASE(the_likeliest_come_first_and_stay_when_room_is_short) {
  std::vector<ExpectedBlock> expected = Every(10, 100);
  for (size_t i = 0; i < expected.size(); ++i) expected[i].likelihood = static_cast<float>((i * 37) % 100) / 100;
  const auto extents = Cut(expected, Pattern::kRandom, 1, 100000, 10);
  BOOST_TEST(extents.size() == 10U);
  for (size_t i = 0; i < extents.size(); ++i)
    BOOST_TEST(extents[i].likelihood == static_cast<float>(99 - i) / 100, boost::test_tools::tolerance(1e-6F));
}

BOOST_AUTO_TEST_CASE(extents_cover_each_block_once_within_the_relation) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::set<uint32_t> blocks;
    for (int i = 0; i < 200; ++i) blocks.insert(static_cast<uint32_t>(random() % 3000));
    std::vector<ExpectedBlock> expected;
    for (const uint32_t block : blocks) expected.push_back({block, 0.5F});
    const auto pattern = static_cast<Pattern>(random() % kPatterns);
    const auto relation_blocks = static_cast<uint32_t>(random() % 3500);
    auto extents = Cut(expected, pattern, static_cast<uint32_t>(random() % 2000), relation_blocks);
    std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) { return a.first < b.first; });
    std::set<uint32_t> covered;
    uint32_t end = 0;
    for (const Extent& extent : extents) {
      BOOST_TEST(extent.first >= end);
      BOOST_TEST(extent.blocks <= kExtentMost);
      end = extent.first + extent.blocks;
      for (uint32_t block = extent.first; block < end; ++block) covered.insert(block);
    }
    BOOST_TEST(end <= relation_blocks);
    for (const uint32_t block : blocks) BOOST_TEST(covered.count(block) == (block < relation_blocks ? 1U : 0U));
  }
}

BOOST_AUTO_TEST_SUITE_END()
