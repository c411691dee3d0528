// Whether a plan for more memory saves more than its tables cost.
#include <boost/test/unit_test.hpp>

#include <limits>

#include "core/pool/memory_plan_worth.h"

namespace query_shaper {
namespace {

ModestPlan Spilling() {
  ModestPlan plan;
  plan.spilled_kb = 850 * 1024;
  plan.cost = 1840000;
  plan.expected_ms = 20000;
  plan.page_cached = plan.hungry = true;
  return plan;
}

ModestPlan Ordered(double cost) {
  ModestPlan plan;
  plan.cost = cost;
  plan.expected_ms = 4000;
  plan.page_cached = true;
  return plan;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(memory_plan_worth)

BOOST_AUTO_TEST_CASE(what_is_spilled_is_not_measured_by_cost) {
  const ModestPlan plan = Spilling();
  double misses_ms = 2 * SpillMs(plan.spilled_kb, true);
  BOOST_TEST(!MemoryPays(plan, 1, misses_ms));
  misses_ms /= 4;
  BOOST_TEST(MemoryPays(plan, 0.89 * plan.cost, misses_ms));
}

BOOST_AUTO_TEST_CASE(files_that_go_to_disk_cost_more) {
  BOOST_TEST(SpillMs(1024, false) > 2 * SpillMs(1024, true));
  BOOST_TEST(SpillMs(-1, true) == 0);
  ModestPlan plan = Spilling();
  double misses_ms = 1.5 * SpillMs(plan.spilled_kb, true);
  plan.page_cached = false;
  BOOST_TEST(MemoryPays(plan, 392000, misses_ms));
}

BOOST_AUTO_TEST_CASE(where_nothing_is_spilled_a_little_less_cost_is_no_saving) {
  BOOST_TEST(!MemoryPays(Ordered(319617), 272958, 0));
  BOOST_TEST(MemoryPays(Ordered(319617), 150000, 0));
}

BOOST_AUTO_TEST_CASE(where_nothing_is_spilled_what_is_cheaper_must_outweigh_the_misses) {
  double misses_ms = 4000;
  BOOST_TEST(!MemoryPays(Ordered(726081), 447489, misses_ms));
  misses_ms = 100;
  BOOST_TEST(MemoryPays(Ordered(726081), 447489, misses_ms));
}

BOOST_AUTO_TEST_CASE(what_is_no_number_pays_nothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  BOOST_TEST(SpillMs(nan, false) == 0);
  BOOST_TEST(!MemoryPays(Ordered(nan), 1, 0));
  BOOST_TEST(!MemoryPays(Ordered(1000), nan, 0));
  const ModestPlan plan = Spilling();
  double misses_ms = nan;
  BOOST_TEST(!MemoryPays(plan, 1, misses_ms));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
