// Division of a grant: never more than was granted, never less than the floor, at least half of the best there is.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <vector>

#include "core/pool/grant_division.h"

namespace query_shaper {
namespace {

MemoryWish Wish(double wanted_kb, double spill_kb, bool gradual) {
  MemoryWish wish;
  wish.floor_kb = 4096;
  wish.wanted_kb = wanted_kb;
  wish.most_kb = 1e9;
  wish.spill_kb = spill_kb;
  wish.gradual = gradual;
  return wish;
}

double SpilledUnder(const std::vector<MemoryWish>& wishes, const std::vector<double>& limits) {
  double sum = 0;
  for (size_t i = 0; i < wishes.size(); ++i) sum += SpilledKbUnder(wishes[i], limits[i]);
  return sum;
}

double Least(const std::vector<MemoryWish>& wishes) {
  double sum = 0;
  for (const MemoryWish& wish : wishes) sum += LeastKb(wish);
  return sum;
}

// Best choice of whole pieces, a gradual one taking what is left of each choice.
double BestSpilled(const std::vector<MemoryWish>& wishes, double granted_kb) {
  double best = 1e300;
  int count = static_cast<int>(wishes.size());
  for (int set = 0; set < 1 << count; ++set) {
    double left = granted_kb - Least(wishes);
    std::vector<double> limits;
    for (int i = 0; i < count; ++i) {
      const MemoryWish& wish = wishes[static_cast<size_t>(i)];
      double room = std::max(0.0, std::min(wish.wanted_kb, wish.most_kb) - wish.floor_kb);
      bool whole = (set >> i & 1) != 0;
      limits.push_back(wish.floor_kb + (whole ? room : 0));
      if (whole) left -= wish.processes * room;
    }
    if (left < 0) continue;
    for (int i = 0; i < count; ++i) {
      const MemoryWish& wish = wishes[static_cast<size_t>(i)];
      if (!wish.gradual || (set >> i & 1) != 0) continue;
      std::vector<double> more = limits;
      double room = std::max(0.0, std::min(wish.wanted_kb, wish.most_kb) - wish.floor_kb);
      more[static_cast<size_t>(i)] += std::min(room, left / wish.processes);
      best = std::min(best, SpilledUnder(wishes, more));
    }
    best = std::min(best, SpilledUnder(wishes, limits));
  }
  return best;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(grant_division)

BOOST_AUTO_TEST_CASE(enough_for_all_is_given_to_all) {
  std::vector<MemoryWish> wishes = {Wish(10000, 5000, false), Wish(200000, 150000, true), Wish(100, 50, false)};
  double granted = MostKb(wishes[0]) + MostKb(wishes[1]) + MostKb(wishes[2]);
  std::vector<double> limits(3);
  DivideGrant(wishes.data(), 3, granted, limits.data());
  BOOST_TEST(limits[0] == 10000);
  BOOST_TEST(limits[1] == 200000);
  BOOST_TEST(limits[2] == 4096);
  BOOST_TEST(SpilledUnder(wishes, limits) == 0);
}

BOOST_AUTO_TEST_CASE(nothing_granted_leaves_the_floors) {
  std::vector<MemoryWish> wishes = {Wish(10000, 5000, false), Wish(200000, 150000, true)};
  std::vector<double> limits(2);
  BOOST_TEST(DivideGrant(wishes.data(), 2, 0, limits.data()) == 0);
  BOOST_TEST(limits[0] == 4096);
  BOOST_TEST(limits[1] == 4096);
}

BOOST_AUTO_TEST_CASE(a_part_is_worth_something_to_a_hash_table_alone) {
  std::vector<MemoryWish> wishes = {Wish(20000, 15000, false), Wish(20000, 14000, true)};
  std::vector<double> limits(2);
  DivideGrant(wishes.data(), 2, 2 * 4096 + 8000, limits.data());
  BOOST_TEST(limits[0] == 4096);
  BOOST_TEST(limits[1] == 4096 + 8000);
}

BOOST_AUTO_TEST_CASE(a_sort_that_does_not_fit_has_what_it_merges_with) {
  MemoryWish sort = Wish(600000, 300000, false);
  sort.merge_kb = 16000;
  std::vector<MemoryWish> wishes = {sort, Wish(200000, 150000, true)};
  std::vector<double> limits(2);
  DivideGrant(wishes.data(), 2, Least(wishes) + 100000, limits.data());
  BOOST_TEST(limits[0] == 16000);
  BOOST_TEST(limits[1] == 4096 + 100000 - (16000 - 4096));
  BOOST_TEST(SpilledKbUnder(sort, 4096) == 600000);
  BOOST_TEST(SpilledKbUnder(sort, 16000) == 300000);

  // All of it where that is to be had; nothing beyond the merge is asked for where it is not.
  DivideGrant(wishes.data(), 2, MostKb(wishes[0]) + MostKb(wishes[1]), limits.data());
  BOOST_TEST(limits[0] == 600000);
  BOOST_TEST(limits[1] == 200000);
  wishes[0].most_kb = 500000;
  BOOST_TEST(MostKb(wishes[0]) == 16000);
  DivideGrant(wishes.data(), 2, 800000, limits.data());
  BOOST_TEST(limits[0] == 16000);
  // Less than that is of no use.
  wishes[0].most_kb = 10000;
  BOOST_TEST(MostKb(wishes[0]) == LeastKb(wishes[0]));
  DivideGrant(wishes.data(), 2, 800000, limits.data());
  BOOST_TEST(limits[0] == 4096);
}

BOOST_AUTO_TEST_CASE(what_saves_most_per_kb_comes_first) {
  std::vector<MemoryWish> wishes = {Wish(14096, 5000, false), Wish(14096, 50000, false)};
  std::vector<double> limits(2);
  DivideGrant(wishes.data(), 2, 2 * 4096 + 10000, limits.data());
  BOOST_TEST(limits[0] == 4096);
  BOOST_TEST(limits[1] == 14096);
}

BOOST_AUTO_TEST_CASE(each_process_has_its_own) {
  MemoryWish wish = Wish(10000, 8000, true);
  wish.processes = 3;
  double limit = 0;
  double used = DivideGrant(&wish, 1, LeastKb(wish) + 3000, &limit);
  BOOST_TEST(limit == 4096 + 1000);
  BOOST_TEST(used == 3000);
}

BOOST_AUTO_TEST_CASE(a_margin_is_not_worth_the_spilling_of_another) {
  std::vector<MemoryWish> wishes = {Wish(14096, 5000, false), Wish(14096, 5000, false)};
  for (MemoryWish& wish : wishes) wish.margin_kb = 2000;
  std::vector<double> limits(2);
  // Both, with half of their margins; both without; one, with all of its own.
  BOOST_TEST(DivideGrant(wishes.data(), 2, Least(wishes) + 18000, limits.data()) == 18000);
  BOOST_TEST(limits[0] == 13096);
  BOOST_TEST(limits[1] == 13096);
  BOOST_TEST(DivideGrant(wishes.data(), 2, Least(wishes) + 16000, limits.data()) == 16000);
  BOOST_TEST(limits[0] == 12096);
  BOOST_TEST(limits[1] == 12096);
  BOOST_TEST(DivideGrant(wishes.data(), 2, Least(wishes) + 15900, limits.data()) == 10000);
  BOOST_TEST(limits[0] == 14096);
  BOOST_TEST(limits[1] == 4096);
  // No node has a margin that has not all the rest.
  wishes[1].gradual = true;
  BOOST_TEST(DivideGrant(wishes.data(), 2, Least(wishes) + 12000, limits.data()) == 12000);
  BOOST_TEST(limits[0] + limits[1] == 2 * 4096 + 12000);
  BOOST_TEST(std::max(limits[0], limits[1]) == 12096);
}

BOOST_AUTO_TEST_CASE(a_sort_that_fits_without_its_margin_has_what_there_is) {
  MemoryWish sort = Wish(50000, 30000, false);
  sort.margin_kb = 6000;
  sort.merge_kb = 8000;
  sort.most_kb = 45000;
  double limit = 0;
  DivideGrant(&sort, 1, 1e9, &limit);
  BOOST_TEST(limit == 45000);
  BOOST_TEST(MostKb(sort) == 45000);
}

BOOST_AUTO_TEST_CASE(no_node_passes_its_bound) {
  MemoryWish wish = Wish(100000, 80000, true);
  wish.most_kb = 20000;
  double limit = 0;
  DivideGrant(&wish, 1, 1e9, &limit);
  BOOST_TEST(limit == 20000);
  wish.fixed = true;
  DivideGrant(&wish, 1, 1e9, &limit);
  BOOST_TEST(limit == 4096);
}

BOOST_AUTO_TEST_CASE(random_wishes_stay_within_the_grant_and_near_the_best) {
  std::mt19937 random(7);
  auto between = [&](double low, double high) { return std::uniform_real_distribution<double>(low, high)(random); };
  for (int round = 0; round < 2000; ++round) {
    std::vector<MemoryWish> wishes(static_cast<size_t>(1 + random() % 7));
    for (MemoryWish& wish : wishes) {
      wish.floor_kb = between(64, 8000);
      wish.wanted_kb = between(0, 60000);
      wish.most_kb = between(0, 80000);
      wish.spill_kb = between(0, 60000);
      wish.gradual = random() % 2 == 0;
      wish.fixed = random() % 10 == 0;
      wish.processes = 1 + static_cast<double>(random() % 3);
    }
    std::vector<MemoryWish> settable = wishes;
    for (MemoryWish& wish : settable)
      if (wish.fixed) wish.most_kb = wish.floor_kb;
    int count = static_cast<int>(wishes.size());
    double granted = between(0, 200000);
    std::vector<double> limits(wishes.size());
    double used = DivideGrant(wishes.data(), count, granted, limits.data());
    double beyond = 0;
    std::vector<double> floors;
    for (size_t i = 0; i < wishes.size(); ++i) {
      BOOST_TEST_REQUIRE(limits[i] >= wishes[i].floor_kb);
      beyond += wishes[i].processes * (limits[i] - wishes[i].floor_kb);
      floors.push_back(wishes[i].floor_kb);
    }
    BOOST_TEST_REQUIRE(beyond <= used + 1e-6);
    BOOST_TEST_REQUIRE(used <= std::max(0.0, granted - Least(wishes)) + 1e-6);
    double at_floor = SpilledUnder(settable, floors);
    if (granted < Least(wishes)) continue;
    double saved = at_floor - SpilledUnder(settable, limits);
    double best = at_floor - BestSpilled(settable, granted);
    BOOST_TEST_REQUIRE(saved >= best / 2 - 1e-6);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
