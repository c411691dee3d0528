#include <boost/test/unit_test.hpp>

#include <memory>
#include <random>

#include "core/prefetch/staging_window.h"

using namespace query_shaper;

namespace {

std::unique_ptr<StagingWindow> NewWindow() { return std::make_unique<StagingWindow>(); }

int Want(StagingWindow* window, uint32_t first, uint32_t blocks, float likelihood, double now_s,
         uint64_t most_blocks = 1000) {
  return WantExtent(window, 1, {first, blocks, likelihood}, now_s, most_blocks, nullptr);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(staging_window)

BOOST_AUTO_TEST_CASE(the_likeliest_is_read_first) {
  const auto window = NewWindow();
  Want(window.get(), 10, 4, 0.7F, 0);
  const int likeliest = Want(window.get(), 20, 4, 0.9F, 0);
  Want(window.get(), 30, 4, 0.8F, 0);
  BOOST_TEST(NextWanted(*window, [](int) { return true; }) == likeliest);
  BOOST_TEST(NextWanted(*window, [&](int i) { return i != likeliest; }) != likeliest);
  BOOST_TEST(NextWanted(*window, [](int) { return false; }) == -1);
}

BOOST_AUTO_TEST_CASE(what_is_staged_is_staged_again_in_place) {
  const auto window = NewWindow();
  const int place = Want(window.get(), 10, 8, 0.9F, 0);
  window->extents[place].state = StageState::kStaged;
  window->extents[place].hits = 5;
  BOOST_TEST(Want(window.get(), 12, 2, 0.8F, 1) == place);
  BOOST_TEST((window->extents[place].state == StageState::kWanted));
  BOOST_TEST(window->extents[place].hits == 5);
  BOOST_TEST(BlocksStaged(*window) == 8U);
  // One that is being read stays so.
  window->extents[place].state = StageState::kReading;
  BOOST_TEST(Want(window.get(), 10, 8, 0.8F, 2) == place);
  BOOST_TEST((window->extents[place].state == StageState::kReading));
  BOOST_TEST(WantExtent(window.get(), 2, {10, 8, 0.8F}, 2, 1000, nullptr) != place);
}

BOOST_AUTO_TEST_CASE(recency_and_likelihood_decide_who_stays) {
  const auto window = NewWindow();
  const int old = Want(window.get(), 0, 50, 0.9F, 0, 100);
  const int recent = Want(window.get(), 100, 50, 0.8F, 60, 100);
  BOOST_TEST(Want(window.get(), 200, 50, 0.1F, 60, 100) == -1);
  int dropped = 0;
  BOOST_TEST(WantExtent(window.get(), 1, {200, 50, 0.7F}, 60, 100, &dropped) == old);
  BOOST_TEST(dropped == 1);
  BOOST_TEST(window->extents[recent].extent.first == 100U);
  BOOST_TEST(Want(window.get(), 0, 101, 1, 60, 100) == -1);
}

BOOST_AUTO_TEST_CASE(what_is_being_read_is_not_dropped_and_failures_go_first) {
  const auto window = NewWindow();
  const int reading = Want(window.get(), 0, 50, 0.1F, 0, 100);
  window->extents[reading].state = StageState::kReading;
  const int failed = Want(window.get(), 100, 50, 0.9F, 0, 100);
  window->extents[failed].state = StageState::kFailed;
  BOOST_TEST(Want(window.get(), 200, 50, 0.2F, 0, 100) == failed);
  BOOST_TEST((window->extents[reading].state == StageState::kReading));
  BOOST_TEST(Want(window.get(), 300, 60, 1, 0, 100) == -1);
}

BOOST_AUTO_TEST_CASE(the_share_is_never_passed) {
  std::mt19937 random(2);
  const auto window = NewWindow();
  for (int i = 0; i < 20000; ++i) {
    const int place = Want(window.get(), static_cast<uint32_t>(random() % 100000),
                           1 + static_cast<uint32_t>(random() % 40), static_cast<float>(random() % 100) / 100, i * 0.1);
    if (place >= 0) window->extents[place].state = static_cast<StageState>(1 + random() % 4);
    BOOST_TEST(BlocksStaged(*window) <= 1000U);
  }
}

BOOST_AUTO_TEST_CASE(what_was_for_the_last_statement_makes_room_for_the_next) {
  const auto window = NewWindow();
  const int last = Want(window.get(), 0, 100, 0.95F, 0, 100);
  BOOST_TEST(Want(window.get(), 500, 100, 0.8F, 0, 100) == -1);
  window->extents[last].state = StageState::kStaged;
  FadeExtents(window.get(), [&](int i) { return i == last; });
  BOOST_TEST(Want(window.get(), 500, 100, 0.8F, 0, 100) == last);
  FadeExtents(window.get(), [](int) { return false; });
  BOOST_TEST(Want(window.get(), 0, 100, 0.5F, 0, 100) == -1);
  FadeExtents(window.get(), [](int) { return true; });
  BOOST_TEST(BlocksStaged(*window) == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_long_not_predicted_expires) {
  const auto window = NewWindow();
  Want(window.get(), 0, 4, 0.9F, 0);
  const int recent = Want(window.get(), 10, 4, 0.9F, 100);
  const int reading = Want(window.get(), 20, 4, 0.9F, 0);
  window->extents[reading].state = StageState::kReading;
  ExpireExtents(window.get(), 350);
  BOOST_TEST(BlocksStaged(*window) == 8U);
  BOOST_TEST((window->extents[recent].state == StageState::kWanted));
  BOOST_TEST((window->extents[reading].state == StageState::kReading));
}

BOOST_AUTO_TEST_CASE(late_is_what_was_wanted_and_is_not_there) {
  const auto window = NewWindow();
  Want(window.get(), 10, 10, 0.9F, 0);
  const int reading = Want(window.get(), 30, 10, 0.9F, 0);
  window->extents[reading].state = StageState::kReading;
  const int staged = Want(window.get(), 50, 10, 0.9F, 0);
  window->extents[staged].state = StageState::kStaged;
  const uint32_t blocks[] = {5, 10, 15, 31, 55};
  BOOST_TEST(LateBlocks(*window, 1, blocks, 5, [](int) { return true; }) == 3);
  BOOST_TEST(LateBlocks(*window, 1, blocks, 5, [reading](int i) { return i == reading; }) == 1);
  BOOST_TEST(LateBlocks(*window, 2, blocks, 5, [](int) { return true; }) == 0);
}

BOOST_AUTO_TEST_CASE(hits_count_for_staged_extents_alone) {
  const auto window = NewWindow();
  const int staged = Want(window.get(), 10, 10, 0.9F, 0);
  Want(window.get(), 50, 10, 0.9F, 0);
  window->extents[staged].state = StageState::kStaged;
  const uint32_t blocks[] = {5, 10, 15, 19, 20, 55};
  BOOST_TEST(HitsOf(*window, 1, blocks, 6) == 3);
  BOOST_TEST(HitsOf(*window, 2, blocks, 6) == 0);
  BOOST_TEST(window->extents[staged].hits == 0);
  BOOST_TEST(NoteHits(window.get(), 1, blocks, 6) == 3);
  BOOST_TEST(NoteHits(window.get(), 2, blocks, 6) == 0);
  BOOST_TEST(window->extents[staged].hits == 3);
}

BOOST_AUTO_TEST_SUITE_END()
