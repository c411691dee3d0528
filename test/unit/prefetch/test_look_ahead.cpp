#include <boost/test/unit_test.hpp>

#include "core/prefetch/look_ahead.h"

using namespace query_shaper;

namespace {

constexpr float kCacheUs = 3, kDiskUs = 90;

// A device behind which requests overlap: asked for `distance` blocks ahead, a read waits for what is left of its time.
void RunOnDisk(LookAhead* state, int visits, float latency_us, float block_cpu_us) {
  for (int i = 0; i < visits; ++i) {
    const bool asks = state->distance > 1;
    const bool probe = asks && ProbeNext(state);
    const bool asked = asks && !probe;
    float us = latency_us;
    if (asked) us = std::max(kCacheUs, latency_us - static_cast<float>(state->distance) * block_cpu_us);
    NoteVisit(state, {true, asked, probe, us});
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(look_ahead)

BOOST_AUTO_TEST_CASE(begins_at_one_and_doubles_on_slow_reads) {
  LookAhead state = MakeLookAhead(64);
  BOOST_TEST(state.distance == 1);
  for (const int expected : {2, 4, 8, 16, 32, 64, 64}) {
    NoteVisit(&state, {true, state.distance > 1, false, kDiskUs});
    BOOST_TEST(state.distance == expected);
  }
  BOOST_TEST(state.highest == 64);
}

BOOST_AUTO_TEST_CASE(stops_growing_where_reads_no_longer_wait) {
  LookAhead state = MakeLookAhead(256);
  RunOnDisk(&state, 2000, 100, 10);  // needs (100 - 15) / 10 blocks ahead
  BOOST_TEST(state.distance == 16);
  BOOST_TEST(state.late < 10);
}

BOOST_AUTO_TEST_CASE(distance_holds_on_a_disk_over_many_probes) {
  LookAhead state = MakeLookAhead(64);
  RunOnDisk(&state, 20000, 500, 8);
  BOOST_TEST(state.distance == 64);
  // Probes get rarer: 20000 requests allow some 6 doublings and then one in 1024.
  BOOST_TEST(state.probe_interval == 1024);
}

BOOST_AUTO_TEST_CASE(cached_blocks_bring_it_to_zero) {
  LookAhead state = MakeLookAhead(64);
  for (int i = 0; i < 10; ++i) NoteVisit(&state, {true, true, false, kDiskUs});
  BOOST_TEST(state.distance == 64);
  for (int i = 0; i < 7; ++i) NoteVisit(&state, {false, false, false, -1});
  BOOST_TEST(state.distance == 64);  // a few say nothing
  for (int i = 0; i < 60; ++i) NoteVisit(&state, {false, false, false, -1});
  BOOST_TEST(state.distance == 0);
}

BOOST_AUTO_TEST_CASE(page_cache_is_found_out_by_probes) {
  LookAhead state = MakeLookAhead(64);
  for (int i = 0; i < 10; ++i) NoteVisit(&state, {true, true, false, kDiskUs});
  int visits = 0;
  while (state.distance > 0 && visits < 1000) {
    const bool asks = state.distance > 1;
    const bool probe = asks && ProbeNext(&state);
    NoteVisit(&state, {true, asks && !probe, probe, kCacheUs});
    ++visits;
  }
  BOOST_TEST(visits < 120);
}

BOOST_AUTO_TEST_CASE(wakes_from_warm) {
  LookAhead state = MakeLookAhead(64);
  for (int i = 0; i < 600; ++i) NoteVisit(&state, {false, false, false, -1});
  BOOST_TEST(state.distance == 0);
  BOOST_TEST(!TimeNextRead(state));
  NoteVisit(&state, {true, false, false, -1});  // not measured: the clock comes back
  BOOST_TEST(state.distance == 0);
  BOOST_TEST(TimeNextRead(state));
  NoteVisit(&state, {true, false, false, kDiskUs});
  NoteVisit(&state, {true, false, false, kDiskUs});
  BOOST_TEST(state.distance == 2);
}

// Of the later passes of a strided scan one block in many is missing.
BOOST_AUTO_TEST_CASE(rare_misses_are_looked_past_the_cached) {
  LookAhead state = MakeLookAhead(256);
  RunOnDisk(&state, 2000, 130, 2);
  int waited = 0;
  for (int i = 0; i < 68 * 60; ++i) {
    const bool read = i % 68 == 67;
    // Asked for when the walk was far enough ahead to have met it.
    const bool asked = read && state.distance > 1 && BlocksAhead(state) > 68;
    waited += read && !asked;
    const float us = !TimeNextRead(state) ? -1 : asked ? kCacheUs : 130;
    NoteVisit(&state, {read, asked, false, us});
  }
  BOOST_TEST(waited < 6);
  BOOST_TEST(state.distance < 64);
  // So rare that the looks would cost more than the waits.
  for (int i = 0; i < 5000 * 8; ++i)
    NoteVisit(&state, {i % 5000 == 4999, false, false, TimeNextRead(state) ? 130.0F : -1.0F});
  BOOST_TEST(state.distance <= 1);
}

BOOST_AUTO_TEST_CASE(rests_only_where_nothing_is_read) {
  LookAhead state = MakeLookAhead(64);
  for (int i = 0; i < 100; ++i) NoteVisit(&state, {true, false, false, kCacheUs});
  BOOST_TEST(state.distance == 0);
  BOOST_TEST(!AllCached(state));
  for (int i = 0; i < 100; ++i) NoteVisit(&state, {false, false, false, -1});
  BOOST_TEST(AllCached(state));
  for (int i = 0; i < 1000; ++i) NoteCached(&state);
  NoteVisit(&state, {true, false, false, -1});
  BOOST_TEST(!AllCached(state));
  BOOST_TEST(TimeNextRead(state));
  BOOST_TEST(state.visited == 1201);
}

BOOST_AUTO_TEST_CASE(half_cached_keeps_looking_ahead) {
  LookAhead state = MakeLookAhead(64);
  for (int i = 0; i < 4000; ++i) {
    const bool read = i % 2 == 0;
    const bool asks = read && state.distance > 1;
    const bool probe = asks && ProbeNext(&state);
    const bool asked = asks && !probe;
    NoteVisit(&state, {read, asked, probe, asked && state.distance >= 16 ? kCacheUs : kDiskUs});
  }
  BOOST_TEST(state.distance >= 16);
}

BOOST_AUTO_TEST_CASE(zero_turns_it_off) {
  LookAhead state = MakeLookAhead(0);
  for (int i = 0; i < 20; ++i) NoteVisit(&state, {true, false, false, kDiskUs});
  BOOST_TEST(state.distance == 0);
  BOOST_TEST(MakeLookAhead(1 << 30).max_distance == kLookAheadMax);
}

BOOST_AUTO_TEST_SUITE_END()
