#include <boost/test/unit_test.hpp>

#include <random>
#include <set>
#include <vector>

#include "core/prefetch/request_runs.h"

using namespace query_shaper;

namespace {

std::vector<BlockRange> Gather(const std::vector<uint32_t>& blocks, uint32_t max_blocks, uint32_t hole) {
  RequestRuns runs;
  runs.max_blocks = max_blocks;
  runs.hole = hole;
  std::vector<BlockRange> ranges;
  BlockRange ready;
  for (const uint32_t block : blocks)
    if (AddRequest(&runs, block, &ready)) ranges.push_back(ready);
  if (TakeRequest(&runs, &ready)) ranges.push_back(ready);
  BOOST_TEST(!TakeRequest(&runs, &ready));
  return ranges;
}

void Expect(const std::vector<BlockRange>& ranges, const std::vector<BlockRange>& expected) {
  BOOST_REQUIRE(ranges.size() == expected.size());
  for (size_t i = 0; i < ranges.size(); ++i) {
    BOOST_TEST(ranges[i].first == expected[i].first);
    BOOST_TEST(ranges[i].blocks == expected[i].blocks);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(request_runs)

BOOST_AUTO_TEST_CASE(runs_up_and_down) {
  Expect(Gather({7, 8, 9, 20, 19, 18, 18, 40}, 32, 0), {{7, 3}, {18, 3}, {40, 1}});
}

BOOST_AUTO_TEST_CASE(holes_are_read_along) {
  Expect(Gather({10, 12, 14, 18}, 32, 1), {{10, 5}, {18, 1}});
  Expect(Gather({10, 12}, 32, 0), {{10, 1}, {12, 1}});
}

BOOST_AUTO_TEST_CASE(full_ranges_go_at_once) {
  Expect(Gather({0, 1, 2, 3, 4, 5}, 4, 0), {{0, 4}, {4, 2}});
  Expect(Gather({5, 9, 5}, 1, 0), {{5, 1}, {9, 1}, {5, 1}});
}

BOOST_AUTO_TEST_CASE(last_block_of_the_largest_relation) {
  Expect(Gather({0xFFFFFFFD, 0xFFFFFFFE, 0}, 32, 4), {{0xFFFFFFFD, 2}, {0, 1}});
}

BOOST_AUTO_TEST_CASE(every_block_is_covered_and_holes_are_bounded) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<uint32_t> blocks;
    uint32_t at = random() % 1000;
    for (int i = 0; i < 100; ++i) {
      at = random() % 4 == 0 ? random() % 1000 : at + random() % 4;
      blocks.push_back(at);
    }
    const uint32_t max_blocks = 1 + random() % 16;
    const uint32_t hole = random() % 3;
    std::set<uint32_t> read;
    for (const BlockRange& range : Gather(blocks, max_blocks, hole)) {
      BOOST_TEST(range.blocks <= max_blocks);
      for (uint32_t i = 0; i < range.blocks; ++i) read.insert(range.first + i);
    }
    const std::set<uint32_t> wanted(blocks.begin(), blocks.end());
    for (const uint32_t block : wanted) BOOST_TEST(read.count(block) == 1);
    BOOST_TEST(read.size() <= wanted.size() * (1 + hole));
  }
}

BOOST_AUTO_TEST_CASE(ranges_are_split_at_segments) {
  BlockRange range = {95, 210}, part;
  BOOST_TEST(SplitAtSegment(&range, 100, &part));
  BOOST_TEST(part.first == 95);
  BOOST_TEST(part.blocks == 5);
  BOOST_TEST(SplitAtSegment(&range, 100, &part));
  BOOST_TEST(part.first == 100);
  BOOST_TEST(part.blocks == 100);
  BOOST_TEST(SplitAtSegment(&range, 100, &part));
  BOOST_TEST(SplitAtSegment(&range, 100, &part));
  BOOST_TEST(part.first == 300);
  BOOST_TEST(part.blocks == 5);
  BOOST_TEST(!SplitAtSegment(&range, 100, &part));
}

BOOST_AUTO_TEST_SUITE_END()
