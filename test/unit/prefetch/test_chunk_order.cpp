#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <vector>

#include "core/prefetch/chunk_order.h"

using namespace query_shaper;

BOOST_AUTO_TEST_SUITE(chunk_order)

// Several bringers, each with its share of the chunks in order, none of which may get stuck.
BOOST_AUTO_TEST_CASE(any_order_comes_out_in_order_and_in_bounds) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    const int count = 1 + static_cast<int>(random() % 600), bringers = 1 + static_cast<int>(random() % 5);
    std::vector<uint64_t> sizes(count);
    uint64_t largest = 0;
    for (uint64_t& size : sizes) largest = std::max(largest, size = random() % 100);
    std::vector<std::vector<int>> work(bringers);
    for (int i = 0; i < count; ++i) work[random() % bringers].push_back(i);
    std::vector<size_t> next(bringers, 0);
    ChunkOrder order;
    const uint64_t most = random() % 400;
    StartChunkOrder(&order, most);
    int taken = 0;
    for (int idle = 0; taken < count;) {
      const size_t bringer = random() % bringers;
      if (next[bringer] < work[bringer].size()) {
        const int number = work[bringer][next[bringer]];
        const ChunkFate fate = BringChunk(&order, number, sizes[number], &sizes[number]);
        BOOST_REQUIRE((fate != ChunkFate::kTwice));
        next[bringer] += fate == ChunkFate::kTaken;
      }
      BOOST_REQUIRE(order.held_bytes <= most + largest);
      void* content = nullptr;
      uint64_t bytes = 0;
      if (random() % 2 == 0 && TakeChunk(&order, &content, &bytes)) {
        BOOST_REQUIRE(content == &sizes[taken]);
        BOOST_REQUIRE(bytes == sizes[taken]);
        ++taken;
        idle = 0;
      }
      BOOST_REQUIRE(++idle < 10000);  // stuck
    }
    BOOST_TEST(order.held == 0);
    BOOST_TEST(order.held_bytes == 0U);
  }
}

BOOST_AUTO_TEST_CASE(the_due_one_is_never_refused) {
  ChunkOrder order;
  StartChunkOrder(&order, 10);
  char chunk = 0;
  BOOST_TEST((BringChunk(&order, 1, 10, &chunk) == ChunkFate::kTaken));
  BOOST_TEST((BringChunk(&order, 2, 1, &chunk) == ChunkFate::kWait));
  BOOST_TEST((BringChunk(&order, 0, 1000, &chunk) == ChunkFate::kTaken));
}

BOOST_AUTO_TEST_CASE(numbers_come_once) {
  ChunkOrder order;
  StartChunkOrder(&order, 1000);
  char chunk = 0;
  void* content = nullptr;
  uint64_t bytes = 0;
  BOOST_TEST(!TakeChunk(&order, &content, &bytes));
  BringChunk(&order, 0, 1, &chunk);
  BOOST_TEST((BringChunk(&order, 0, 1, &chunk) == ChunkFate::kTwice));
  BOOST_TEST(TakeChunk(&order, &content, &bytes));
  BOOST_TEST((BringChunk(&order, 0, 1, &chunk) == ChunkFate::kTwice));
  BOOST_TEST((BringChunk(&order, 1 + kChunksHeld, 1, &chunk) == ChunkFate::kWait));
}

BOOST_AUTO_TEST_SUITE_END()
