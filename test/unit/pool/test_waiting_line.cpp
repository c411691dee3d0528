#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <random>
#include <vector>

#include "core/pool/slice.h"
#include "core/pool/waiting_line.h"

using namespace query_shaper;

namespace {

Waiter WaiterOf(double priority, double since_s, int owner) { return {priority, since_s, 1, owner}; }

int Head(const std::vector<Waiter>& line) { return HeadOfLine(line.data(), static_cast<int>(line.size())); }

}  // namespace

BOOST_AUTO_TEST_SUITE(waiting_line)

BOOST_AUTO_TEST_CASE(first_come_first_served) {
  BOOST_TEST(Head({}) == -1);
  BOOST_TEST(Head({WaiterOf(0, 1, -1)}) == -1);
  BOOST_TEST(Head({WaiterOf(0, 3, 0), WaiterOf(0, 1, 1), WaiterOf(0, 2, 2)}) == 1);
  BOOST_TEST(Head({WaiterOf(9, 0, -1), WaiterOf(0, 1, 1)}) == 1);
}

BOOST_AUTO_TEST_CASE(priority_overtakes_as_far_as_it_is_worth) {
  BOOST_TEST(Head({WaiterOf(0, 0, 0), WaiterOf(5, 4.9 * kAgeingS, 1)}) == 1);
  BOOST_TEST(Head({WaiterOf(0, 0, 0), WaiterOf(5, 5.1 * kAgeingS, 1)}) == 0);
}

// However many of high priority keep coming, one of low priority is served.
BOOST_AUTO_TEST_CASE(nobody_starves) {
  std::mt19937_64 random(3);
  std::vector<Waiter> line(20, WaiterOf(0, 0, -1));
  line[0] = WaiterOf(-10, 0, 0);
  double now_s = 0;
  int served = 0;
  while (line[0].owner >= 0) {
    now_s += 0.1;
    BOOST_REQUIRE(now_s < 21 * kAgeingS);
    for (size_t i = 1; i < line.size(); ++i)
      if (line[i].owner < 0) line[i] = WaiterOf(static_cast<double>(random() % 11), now_s, static_cast<int>(i));
    line[static_cast<size_t>(Head(line))].owner = -1;
    ++served;
  }
  BOOST_TEST(served > 100);
}

// Of any two the same goes first, whoever else waits.
BOOST_AUTO_TEST_CASE(the_order_is_one) {
  std::mt19937_64 random(5);
  std::vector<Waiter> line;
  for (int i = 0; i < 50; ++i)
    line.push_back(WaiterOf(static_cast<double>(random() % 5), static_cast<double>(random() % 5), i));
  std::vector<Waiter> sorted = line;
  std::sort(sorted.begin(), sorted.end(), Before);
  for (const Waiter& next : sorted) {
    const int head = Head(line);
    BOOST_REQUIRE(line[static_cast<size_t>(head)].owner == next.owner);
    line[static_cast<size_t>(head)].owner = -1;
  }
  BOOST_TEST(Head(line) == -1);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(slice)

BOOST_AUTO_TEST_CASE(the_larger_share_names_it) {
  const int64_t capacities[] = {1000, 9, 100};
  const int64_t sort[] = {500, 2, 0}, scan[] = {10, 4, 50}, alone[] = {99, 0, 0}, small[] = {150, 0, 0};
  BOOST_TEST((KindOfSlice(sort, capacities) == SliceKind::kMemoryRich));
  BOOST_TEST((KindOfSlice(scan, capacities) == SliceKind::kCpuRich));
  BOOST_TEST((KindOfSlice(alone, capacities) == SliceKind::kCpuRich));  // one processor of ten
  BOOST_TEST((KindOfSlice(small, capacities) == SliceKind::kMemoryRich));
  const int64_t nothing[] = {0, 0, 0};
  BOOST_TEST((KindOfSlice(sort, nothing) == SliceKind::kMemoryRich));
}

BOOST_AUTO_TEST_CASE(demand_is_what_is_missing) {
  SliceDemand demand{};
  const int64_t wanted[] = {100, 4, 0}, held[] = {30, 4, 0}, more[] = {120, 1, 0};
  AddDemand(&demand, wanted, held);
  AddDemand(&demand, wanted, more);
  BOOST_TEST(demand.claims == 2);
  BOOST_TEST(demand.held[kPoolMemory] == 150);
  BOOST_TEST(demand.unmet[kPoolMemory] == 70);
  BOOST_TEST(demand.unmet[kPoolWorkers] == 3);
}

BOOST_AUTO_TEST_SUITE_END()
