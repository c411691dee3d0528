// When a hash table is better spilled than kept in memory beyond the caches.
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <random>

#include "core/pool/cache_worth.h"

namespace query_shaper {
namespace {

const ProcessorCaches kCaches = {1024, 32768};

// Narrow rows, each probed three times.
HashTraffic Join(double rows, double row_bytes) {
  HashTraffic traffic;
  traffic.inserted = rows;
  traffic.probed = 3 * rows;
  traffic.spilled = 4 * rows;
  traffic.spill_kb = 4 * rows * row_bytes / 1024;
  traffic.table_kb = rows * (40 + row_bytes) / 1024;
  return traffic;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cache_worth)

BOOST_AUTO_TEST_CASE(access_grows_with_the_table_and_is_bounded) {
  double before = -1;
  for (double kb = 16; kb < 1e9; kb *= 2) {
    double ns = AccessNs(kb, kCaches);
    BOOST_TEST(ns >= before);
    BOOST_TEST(ns < 500);
    before = ns;
  }
  BOOST_TEST(AccessNs(512, kCaches) == 0);
  BOOST_TEST(AccessNs(65536, kCaches) - AccessNs(32768, kCaches) > AccessNs(32768, kCaches) - AccessNs(16384, kCaches));
}

// As measured (cache_worth.h).
BOOST_AUTO_TEST_CASE(more_batches_are_cheaper_where_files_stay_cached) {
  HashTraffic join = Join(2e6, 4);
  join.table_kb = 86697;
  double one = HashCostNs(join, 87000, kCaches), four = HashCostNs(join, 25775, kCaches);
  double sixteen = HashCostNs(join, 6449, kCaches), many = HashCostNs(join, 3232, kCaches);
  BOOST_TEST(one > four);
  BOOST_TEST(four > sixteen);
  BOOST_TEST(sixteen > many);
  BOOST_TEST((one - many) / 1e9 > 0.8);
  BOOST_TEST((one - many) / 1e9 < 2.4);
  BOOST_TEST(WorthwhileKb(join, 8192, 95000, true, kCaches) == 8192);
}

BOOST_AUTO_TEST_CASE(memory_is_worth_it_where_files_go_to_disk) {
  for (double rows : {1e5, 1e6, 1e7, 1e8})
    for (double bytes : {8.0, 100.0, 1000.0})
      BOOST_TEST(WorthwhileKb(Join(rows, bytes), 8192, 1e9, false, kCaches) == 1e9);
}

BOOST_AUTO_TEST_CASE(memory_is_worth_it_within_the_caches_and_for_few_probes) {
  BOOST_TEST(WorthwhileKb(Join(10000, 8), 64, 600, true, kCaches) == 600);
  HashTraffic wide = Join(1e5, 2000);  // bytes are what is paid for
  wide.probed = 1e4;
  BOOST_TEST(WorthwhileKb(wide, 8192, 3e5, true, kCaches) == 3e5);
}

BOOST_AUTO_TEST_CASE(groups_write_their_input_alone) {
  NodeNeed need;
  need.kind = NeedKind::kGroups;
  need.rows = 1000;
  need.probes = 5000;
  need.kb = 1e5;
  BOOST_TEST(TrafficOf(need).spilled == 5000);
  need.kind = NeedKind::kHash;
  BOOST_TEST(TrafficOf(need).spilled == 6000);
  BOOST_TEST(MissesNs(TrafficOf(need), 8192, kCaches) > 0);
  BOOST_TEST(MissesNs(TrafficOf(need), 2e5, kCaches) == 0);
}

BOOST_AUTO_TEST_CASE(larger_caches_make_memory_cheaper) {
  HashTraffic join = Join(2e6, 4);
  const ProcessorCaches large = {131072, 1048576};
  BOOST_TEST(WorthwhileKb(join, 8192, 95000, true, large) == 95000);
}

BOOST_AUTO_TEST_CASE(it_is_the_floor_or_all_whatever_is_asked) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> size(0, 9);
  for (int i = 0; i < 10000; ++i) {
    HashTraffic traffic;
    traffic.inserted = std::exp2(3 * size(random));
    traffic.probed = std::exp2(3 * size(random));
    traffic.spilled = traffic.inserted + traffic.probed;
    traffic.spill_kb = std::exp2(3 * size(random));
    traffic.table_kb = std::exp2(3 * size(random));
    double floor_kb = std::exp2(2 * size(random)), wanted_kb = std::exp2(3 * size(random));
    double kb = WorthwhileKb(traffic, floor_kb, wanted_kb, i % 2 == 0, kCaches);
    BOOST_TEST((kb == wanted_kb || (kb == floor_kb && wanted_kb > floor_kb)));
  }
  HashTraffic nonsense;
  nonsense.probed = std::nan("");
  nonsense.table_kb = 1e6;
  BOOST_TEST(WorthwhileKb(nonsense, 8192, 1e6, true, kCaches) == 1e6);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
