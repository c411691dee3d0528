#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "core/pool/pool_account.h"
#include "core/pool/holding.h"

using namespace query_shaper;

namespace {

PoolAccount AccountOf(int64_t capacity, int64_t kept) {
  PoolAccount account{};
  SetCapacity(&account, capacity, kept);
  return account;
}

// The arithmetic of a reservation as the server does it.
struct Reservation {
  uint64_t word = 0;
  int generation = -1;
};

bool GrowBy(PoolAccount* account, Reservation* of, int64_t amount) {
  const int64_t taken = TakeWish(account, amount);
  if (taken > 0 && !AddToHolding(&of->word, of->generation, taken)) {
    GiveBack(account, taken);
    return false;
  }
  return taken > 0;
}

int64_t CloseAndGiveBack(PoolAccount* account, Reservation* of) {
  const int64_t held = CloseHolding(&of->word, of->generation);
  GiveBack(account, held);
  return held;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pool_account)

BOOST_AUTO_TEST_CASE(gives_what_is_free) {
  PoolAccount account = AccountOf(100, 20);
  BOOST_TEST(TakeWish(&account, 60) == 60);
  BOOST_TEST(FreeForWishes(account) == 20);
  BOOST_TEST(TakeWish(&account, 60) == 20);
  BOOST_TEST(TakeWish(&account, 1) == 0);
  BOOST_TEST(TakeNeed(&account, 15) == 15);
  BOOST_TEST(TakeNeed(&account, 15) == 5);
  BOOST_TEST(TakeNeed(&account, 15) == 0);
  BOOST_TEST(ReservedOf(account) == 100);
  GiveBack(&account, 100);
  BOOST_TEST(ReservedOf(account) == 0);
}

BOOST_AUTO_TEST_CASE(nonsense_takes_nothing) {
  PoolAccount account = AccountOf(100, 0);
  BOOST_TEST(TakeWish(&account, -5) == 0);
  BOOST_TEST(TakeNeed(&account, 0) == 0);
  GiveBack(&account, -7);
  BOOST_TEST(ReservedOf(account) == 0);
  SetCapacity(&account, -1, 5);
  BOOST_TEST(CapacityOf(account) == 0);
  SetCapacity(&account, 10, 50);
  BOOST_TEST(TakeWish(&account, 1) == 0);
  BOOST_TEST(TakeNeed(&account, 50) == 10);
}

BOOST_AUTO_TEST_CASE(lowered_capacity_takes_nothing_back) {
  PoolAccount account = AccountOf(100, 0);
  BOOST_TEST(TakeWish(&account, 80) == 80);
  SetCapacity(&account, 50, 0);
  BOOST_TEST(FreeForWishes(account) == 0);
  BOOST_TEST(TakeNeed(&account, 10) == 0);
  GiveBack(&account, 40);
  BOOST_TEST(TakeNeed(&account, 20) == 10);
  BOOST_TEST(ReservedOf(account) == 50);
}

BOOST_AUTO_TEST_CASE(holding_knows_its_own) {
  uint64_t word = 0;
  BOOST_TEST(HoldingGeneration(word) < 0);
  const int first = OpenHolding(&word, 7);
  BOOST_TEST(HoldingAmount(word, first) == 7);
  BOOST_TEST(OpenHolding(&word, 9) < 0);
  BOOST_TEST(AddToHolding(&word, first, 5));
  BOOST_TEST(!AddToHolding(&word, first + 1, 5));
  BOOST_TEST(TakeOffHolding(&word, first, 100) == 12);
  BOOST_TEST(TakeOffHolding(&word, first, 100) == 0);
  BOOST_TEST(AddToHolding(&word, first, 3));
  BOOST_TEST(CloseHolding(&word, first) == 3);
  BOOST_TEST(CloseHolding(&word, first) == -1);
  BOOST_TEST(!AddToHolding(&word, first, 5));
  BOOST_TEST(HoldingAmount(word, first) == -1);
  const int second = OpenHolding(&word, 1);
  BOOST_TEST(second != first);
  BOOST_TEST(CloseHolding(&word, first) == -1);
  BOOST_TEST(HoldingAmount(word, second) == 1);
}

BOOST_AUTO_TEST_CASE(holding_survives_all_generations) {
  uint64_t word = 0;
  constexpr int64_t kLarge = (int64_t{1} << 48) - 1;
  for (int i = 0; i < 3 * kHoldingGenerations; ++i) {
    const int generation = OpenHolding(&word, kLarge);
    BOOST_REQUIRE(generation >= 0 && generation < kHoldingGenerations);
    BOOST_REQUIRE(HoldingAmount(word, generation) == kLarge);
    BOOST_REQUIRE(CloseHolding(&word, generation) == kLarge);
  }
}

// A million random steps against a plain sum.
BOOST_AUTO_TEST_CASE(random_sequences_keep_the_books) {
  std::mt19937_64 random(1);
  PoolAccount account = AccountOf(1000, 100);
  std::vector<Reservation> open(40);
  for (int step = 0; step < 1000000; ++step) {
    Reservation& one = open[random() % open.size()];
    const auto amount = static_cast<int64_t>(random() % 200);
    const int64_t before = ReservedOf(account);
    switch (random() % 6) {
      case 0: {
        if (HoldingGeneration(one.word) >= 0) break;
        const int64_t need = TakeNeed(&account, amount / 4);
        const int64_t wish = TakeWish(&account, amount);
        if (need + wish > 0) BOOST_REQUIRE(ReservedOf(account) <= CapacityOf(account));
        one.generation = OpenHolding(&one.word, need + wish);
        break;
      }
      case 1:
        if (GrowBy(&account, &one, amount)) BOOST_REQUIRE(ReservedOf(account) <= CapacityOf(account) - 100);
        break;
      case 2:
        GiveBack(&account, TakeOffHolding(&one.word, one.generation, amount));
        BOOST_REQUIRE(ReservedOf(account) <= before);
        break;
      case 3:
      case 4:
        CloseAndGiveBack(&account, &one);
        BOOST_REQUIRE(HoldingGeneration(one.word) < 0);
        break;
      default:
        SetCapacity(&account, 500 + static_cast<int64_t>(random() % 1000), 100);
    }
    int64_t sum = 0;
    for (const Reservation& each : open) sum += std::max<int64_t>(0, HoldingAmount(each.word, each.generation));
    BOOST_REQUIRE(sum == ReservedOf(account));
  }
}

// Owners open and close while others grow what they own, as ticks and workers do: nothing is left over.
BOOST_AUTO_TEST_CASE(concurrent_growth_and_release_leak_nothing) {
  PoolAccount account = AccountOf(10000, 0);
  constexpr int kThreads = 4;
  std::vector<Reservation> places(kThreads);
  std::vector<std::thread> threads;
  std::vector<int64_t> highest(kThreads, 0);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t) + 1);
      for (int step = 0; step < 200000; ++step) {
        if (step % 3 == 0) {
          Reservation& mine = places[static_cast<size_t>(t)];
          const int generation = HoldingGeneration(mine.word);
          if (generation < 0)
            OpenHolding(&mine.word, TakeWish(&account, static_cast<int64_t>(random() % 3000)));
          else
            GiveBack(&account, CloseHolding(&mine.word, generation));
        } else {
          Reservation& other = places[random() % kThreads];
          Reservation seen{0, HoldingGeneration(other.word)};
          const int64_t taken = TakeWish(&account, static_cast<int64_t>(random() % 500));
          if (taken > 0 && !AddToHolding(&other.word, seen.generation, taken)) GiveBack(&account, taken);
          GiveBack(&account, TakeOffHolding(&other.word, seen.generation, static_cast<int64_t>(random() % 300)));
        }
        highest[static_cast<size_t>(t)] = std::max(highest[static_cast<size_t>(t)], ReservedOf(account));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (Reservation& place : places) GiveBack(&account, CloseHolding(&place.word, HoldingGeneration(place.word)));
  BOOST_TEST(ReservedOf(account) == 0);
  for (const int64_t high : highest) BOOST_TEST(high <= 10000);
}

BOOST_AUTO_TEST_SUITE_END()
