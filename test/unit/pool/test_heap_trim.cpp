// Memory handed back to the system against the time that it takes.
#include <boost/test/unit_test.hpp>

#include "core/pool/heap_trim.h"

namespace query_shaper {

BOOST_AUTO_TEST_SUITE(heap_trim)

BOOST_AUTO_TEST_CASE(what_is_little_is_kept) { BOOST_TEST(!TrimPays(1000, 1e6, 1)); }

BOOST_AUTO_TEST_CASE(long_statements_hand_back_what_they_held) {
  BOOST_TEST(TrimPays(100 * 1024, 10000, 0));
  BOOST_TEST(!TrimPays(100 * 1024, 500, 0));
}

BOOST_AUTO_TEST_CASE(more_time_is_spent_where_others_want_the_memory) {
  BOOST_TEST(!TrimPays(100 * 1024, 2000, 0.1));
  BOOST_TEST(TrimPays(100 * 1024, 2000, 0.3));
}

BOOST_AUTO_TEST_CASE(the_cost_is_within_its_share) {
  for (double kb = 4096; kb < 1e8; kb *= 3)
    for (double ms = 1; ms < 1e7; ms *= 3)
      for (const double used : {0.0, 0.9})
        if (TrimPays(static_cast<int64_t>(kb), ms, used)) BOOST_TEST(kb / 1024 * kTrimMsPerMb <= 0.1 * ms);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace query_shaper
