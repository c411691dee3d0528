#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "core/prefetch/statement_reach.h"

using namespace query_shaper;

namespace {

using Run = std::vector<uint32_t>;

struct Worth {
  int named = 0, right = 0, came = 0, first_answer = -1;
};

Worth Play(const std::vector<Run>& runs, StatementReach* reach, size_t count_from = 0) {
  Worth worth;
  std::vector<ExpectedBlock> expected(kReachBlocks);
  for (size_t i = 0; i < runs.size(); ++i) {
    const int count = PredictRun(*reach, expected.data());
    if (count > 0 && worth.first_answer < 0) worth.first_answer = static_cast<int>(i);
    for (int k = 1; k < count; ++k) BOOST_TEST(expected[k - 1].block < expected[k].block);
    if (i >= count_from) {
      const std::set<uint32_t> came(runs[i].begin(), runs[i].end());
      worth.came += static_cast<int>(came.size());
      worth.named += count;
      for (int k = 0; k < count; ++k) worth.right += static_cast<int>(came.count(expected[k].block));
    }
    NoteRun(reach, runs[i].data(), static_cast<int>(runs[i].size()));
  }
  return worth;
}

std::unique_ptr<StatementReach> NewReach() {
  auto reach = std::make_unique<StatementReach>();
  StartReach(reach.get());
  return reach;
}

Run Scattered(std::mt19937* random, int count) {
  std::set<uint32_t> blocks;
  while (static_cast<int>(blocks.size()) < count) blocks.insert(static_cast<uint32_t>((*random)() % 300000));
  return {blocks.begin(), blocks.end()};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(statement_reach)

BOOST_AUTO_TEST_CASE(the_same_blocks_again) {
  std::mt19937 random(3);
  const auto reach = NewReach();
  const Worth worth = Play(std::vector<Run>(30, Scattered(&random, 400)), reach.get(), 8);
  BOOST_TEST(worth.right >= 0.95 * worth.came);
  BOOST_TEST(worth.right >= 0.95 * worth.named);
}

// Ever new parameters: a window that is moved on by a third of its width; its edges fall into the middle of blocks.
BOOST_AUTO_TEST_CASE(a_window_that_moves_on) {
  std::mt19937 random(4);
  std::vector<Run> runs;
  for (uint32_t i = 0; i < 40; ++i) {
    const auto jitter = static_cast<uint32_t>(random() % 2);
    Run run;
    for (uint32_t block = 1000 + i * 30 + jitter; block < 1100 + i * 30 + jitter; ++block) run.push_back(block);
    runs.push_back(run);
  }
  const auto reach = NewReach();
  const Worth worth = Play(runs, reach.get(), 8);
  BOOST_TEST(worth.right >= 0.9 * worth.came);
  BOOST_TEST(worth.right >= 0.9 * worth.named);
}

// Pages of 100 rows, 81.967 blocks from row to row: a shift of whole blocks is one off for a third of them.
BOOST_AUTO_TEST_CASE(rows_at_distances_that_are_no_whole_blocks) {
  for (const double step : {81.967, -81.967, 7.3, 1.0 / 3}) {
    std::vector<Run> runs;
    for (int i = 0; i < 40; ++i) {
      std::set<uint32_t> blocks;
      for (int row = i * 100; row < i * 100 + 100; ++row) blocks.insert(static_cast<uint32_t>(400000.37 + step * row));
      runs.emplace_back(blocks.begin(), blocks.end());
    }
    const auto reach = NewReach();
    const Worth worth = Play(runs, reach.get(), 8);
    BOOST_TEST_CONTEXT("step " << step) {
      BOOST_TEST(worth.right >= 0.9 * worth.came);
      BOOST_TEST(worth.right >= 0.9 * worth.named);
    }
  }
}

BOOST_AUTO_TEST_CASE(backwards_down_to_the_first_block) {
  std::vector<Run> runs;
  for (int i = 0; i < 12; ++i) {
    Run run;
    for (int block = 1100 - i * 100; block < 1160 - i * 100; ++block)
      if (block >= 0) run.push_back(static_cast<uint32_t>(block));
    if (!run.empty()) runs.push_back(run);
  }
  const auto reach = NewReach();
  const Worth worth = Play(runs, reach.get(), 6);
  BOOST_TEST(worth.named > 0);
  BOOST_TEST(worth.right >= 0.9 * worth.named);
}

BOOST_AUTO_TEST_CASE(parameters_that_jump_are_never_answered_for) {
  std::mt19937 random(5);
  std::vector<Run> runs;
  for (int i = 0; i < 60; ++i) runs.push_back(Scattered(&random, 300));
  const auto reach = NewReach();
  BOOST_TEST(Play(runs, reach.get()).named == 0);
}

BOOST_AUTO_TEST_CASE(a_change_of_habits_shuts_the_gate) {
  std::mt19937 random(6);
  const auto reach = NewReach();
  Play(std::vector<Run>(20, Scattered(&random, 300)), reach.get());
  std::vector<Run> runs;
  for (int i = 0; i < 30; ++i) runs.push_back(Scattered(&random, 300));
  const Worth after = Play(runs, reach.get());
  BOOST_TEST(after.named > 0);
  BOOST_TEST(after.named <= 3 * 300);
}

BOOST_AUTO_TEST_CASE(failures_shut_the_gate) {
  std::mt19937 random(8);
  const auto reach = NewReach();
  Play(std::vector<Run>(20, Scattered(&random, 300)), reach.get());
  std::vector<ExpectedBlock> expected(kReachBlocks);
  BOOST_TEST(PredictRun(*reach, expected.data()) > 0);
  for (int i = 0; i < 3; ++i) PenaliseReach(reach.get(), 0);
  BOOST_TEST(PredictRun(*reach, expected.data()) == 0);
}

// A client that never leaves time to stage: its predictions are right and of no use.
BOOST_AUTO_TEST_CASE(staging_that_is_always_late_ends_and_is_tried_again) {
  std::mt19937 random(10);
  const auto reach = NewReach();
  const Run run = Scattered(&random, 300);
  std::vector<ExpectedBlock> expected(kReachBlocks);
  int asked = 0;
  constexpr int kRuns = 200;
  for (int i = 0; i < kRuns; ++i) {
    if (PredictRun(*reach, expected.data()) > 0) {
      ++asked;
      PenaliseReach(reach.get(), 0);
    }
    NoteRun(reach.get(), run.data(), static_cast<int>(run.size()));
  }
  BOOST_TEST(asked >= 3);
  BOOST_TEST(asked <= kRuns / 4);
}

BOOST_AUTO_TEST_CASE(a_few_blocks_late_are_borne) {
  std::mt19937 random(11);
  const auto reach = NewReach();
  const Run run = Scattered(&random, 300);
  std::vector<ExpectedBlock> expected(kReachBlocks);
  int asked = 0;
  for (int i = 0; i < 40; ++i) {
    if (PredictRun(*reach, expected.data()) > 0) {
      ++asked;
      PenaliseReach(reach.get(), 0.9F);
    }
    NoteRun(reach.get(), run.data(), static_cast<int>(run.size()));
  }
  BOOST_TEST(asked >= 30);
}

BOOST_AUTO_TEST_CASE(runs_larger_than_memory_stay_in_bounds) {
  std::mt19937 random(9);
  const auto reach = NewReach();
  std::vector<Run> runs;
  for (int i = 0; i < 20; ++i) runs.push_back(Scattered(&random, kReachBlocks));
  for (int i = 0; i < 40; ++i) runs.push_back(runs[19]);
  const Worth worth = Play(runs, reach.get(), 50);
  BOOST_TEST(worth.named == 10 * kReachBlocks);
  BOOST_TEST(worth.right == worth.named);
}

BOOST_AUTO_TEST_SUITE_END()
