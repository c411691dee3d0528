#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "core/prefetch/block_sweep.h"

using namespace query_shaper;

BOOST_AUTO_TEST_SUITE(block_sweep)

BOOST_AUTO_TEST_CASE(every_entry_once_and_blocks_together) {
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    const int count = static_cast<int>(random() % (kSweepMost + 1));
    const uint32_t range = 1 + random() % 700, scale = random() % 2 == 0 ? 1 : 65536;
    std::vector<uint32_t> blocks(count);
    for (uint32_t& block : blocks) block = random() % range * scale;
    const ChunkOrder order = random() % 2 == 0 ? ChunkOrder::kAscending : ChunkOrder::kFirstMet;
    BlockSweep sweep;
    SweepBlocks(blocks.data(), count, order, &sweep);
    BOOST_REQUIRE(sweep.entries == count);
    std::vector<uint32_t> chunks;
    std::set<int> met;
    for (int i = 0; i < count; ++i) {
      const int entry = sweep.sequence[i];
      BOOST_REQUIRE(entry < count);
      BOOST_REQUIRE(met.insert(entry).second);
      if (i == 0 || blocks[entry] != blocks[sweep.sequence[i - 1]])
        chunks.push_back(blocks[entry]);
      else
        BOOST_REQUIRE(entry > sweep.sequence[i - 1]);
    }
    const std::set<uint32_t> distinct(blocks.begin(), blocks.end());
    BOOST_REQUIRE(chunks.size() == distinct.size());
    if (count <= kTurnsMost)
      BOOST_REQUIRE(CountTurns(blocks.data(), count).blocks == static_cast<int>(distinct.size()));
    if (order == ChunkOrder::kAscending) {
      BOOST_REQUIRE(std::is_sorted(chunks.begin(), chunks.end()));
      continue;
    }
    std::vector<uint32_t> first_met;
    for (uint32_t block : blocks)
      if (std::find(first_met.begin(), first_met.end(), block) == first_met.end()) first_met.push_back(block);
    BOOST_REQUIRE(chunks == first_met);
  }
}

BOOST_AUTO_TEST_CASE(worth_where_the_index_comes_back) {
  std::vector<uint32_t> in_order, scattered, interleaved;
  for (uint32_t i = 0; i < kTurnsMost; ++i) {
    in_order.push_back(1000 + i / 60);
    scattered.push_back(i * 7919 % 100003);
    interleaved.push_back(50 * (i % 8) + i / 400);
  }
  BlockTurns turns = CountTurns(in_order.data(), kTurnsMost);
  BOOST_TEST(turns.turns == turns.blocks);
  BOOST_TEST(!WorthSweeping(turns));
  turns = CountTurns(scattered.data(), kTurnsMost);
  BOOST_TEST(turns.turns == kTurnsMost);
  BOOST_TEST(!WorthSweeping(turns));
  turns = CountTurns(interleaved.data(), kTurnsMost);
  BOOST_TEST(turns.turns == kTurnsMost);
  BOOST_TEST(turns.blocks == 8);
  BOOST_TEST(WorthSweeping(turns));
}

BOOST_AUTO_TEST_CASE(few_until_all_are_asked_for) {
  SweepPace pace;
  const int least = pace.entries;
  NoteSwept(&pace);
  BOOST_TEST(pace.until == 1);
  for (int i = 0; i < 20; ++i) NoteSpent(&pace, 0);
  BOOST_TEST(pace.entries == kSweepMost);
  NoteSpent(&pace, 1);
  BOOST_TEST(pace.entries == least);
  int tried = 0, turns = 0;
  for (; turns < 100000; turns += pace.until, ++tried) NoteNotWorth(&pace);
  BOOST_TEST(tried < 40);
  NoteSwept(&pace);
  NoteNotWorth(&pace);
  BOOST_TEST(pace.until == SweepPace().wait);
}

BOOST_AUTO_TEST_SUITE_END()
