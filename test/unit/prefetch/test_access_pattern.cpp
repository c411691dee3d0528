#include <boost/test/unit_test.hpp>

#include "core/prefetch/access_pattern.h"
#include "prefetch/access_traces.h"

using namespace query_shaper;

namespace {

AccessWindow Watch(const Trace& trace) {
  AccessWindow window;
  for (const Episode& episode : trace.episodes)
    for (const uint32_t block : episode) NoteStep(&window, block);
  return window;
}

void ExpectPattern(const Trace& trace, Pattern pattern) {
  BOOST_TEST(PatternName(JudgedPattern(Watch(trace))) == PatternName(pattern), trace.name);
}

// Runs of `run` blocks, then a jump.
Trace Runs(int runs, uint32_t run, int direction, uint32_t seed) {
  std::mt19937 random(seed);
  Episode episode;
  for (int i = 0; i < runs; ++i) {
    const uint32_t start = 1000 + random() % (traces::kBlocks - 2000);
    for (uint32_t j = 0; j < run; ++j) episode.push_back(direction > 0 ? start + j : start - j);
  }
  return {"runs", traces::kBlocks, {episode}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(access_pattern)

BOOST_AUTO_TEST_CASE(names_go_both_ways) {
  for (int i = 1; i < kPatterns; ++i) {
    const auto pattern = static_cast<Pattern>(i);
    BOOST_TEST((PatternOf(PatternName(pattern)) == pattern));
  }
  BOOST_TEST((PatternOf("Random") == Pattern::kUnknown));
  BOOST_TEST((PatternOf("") == Pattern::kUnknown));
}

BOOST_AUTO_TEST_CASE(nothing_is_said_of_a_few_steps) {
  AccessWindow window;
  for (int i = 0; i < kWindowLeast - 1; ++i) {
    NoteStep(&window, static_cast<uint32_t>(i));
    NoteStep(&window, static_cast<uint32_t>(i));  // no step
  }
  BOOST_TEST((JudgedPattern(window) == Pattern::kUnknown));
  BOOST_TEST(window.filled == kWindowLeast - 1);
}

BOOST_AUTO_TEST_CASE(order_is_told_from_one_page_of_an_index) {
  const auto in_order = [](const std::vector<uint32_t>& blocks) {
    return ComeInOrder(blocks.data(), static_cast<int>(blocks.size()));
  };
  BOOST_TEST(in_order({7, 8, 9, 10, 11}));
  BOOST_TEST(in_order({7, 9, 11, 13}));
  BOOST_TEST(!in_order({11, 10, 9, 8, 7}));
  BOOST_TEST(!in_order({7, 8, 9, 4000, 4001}));
  BOOST_TEST(!in_order({0, 73, 146, 219}));
  BOOST_TEST(in_order(Runs(3, 64, 1, 3).episodes[0]));
  BOOST_TEST(!in_order(Runs(20, 8, 1, 3).episodes[0]));
  BOOST_TEST(!in_order(Runs(3, 64, -1, 3).episodes[0]));
  for (uint32_t seed = 1; seed <= 50; ++seed)
    BOOST_TEST(in_order(traces::Jittered(240, seed).episodes[0]), "seed " << seed);
}

BOOST_AUTO_TEST_CASE(near_sequential_is_the_kernels) {
  BOOST_TEST(KernelReadsAhead(Watch(traces::Sequential(200))));
  for (uint32_t seed = 1; seed <= 50; ++seed)
    BOOST_TEST(KernelReadsAhead(Watch(traces::Jittered(400, seed))), "seed " << seed);
  ExpectPattern(Runs(20, 64, 1, 3), Pattern::kSequential);
}

BOOST_AUTO_TEST_CASE(backwards_is_not_the_kernels) {
  ExpectPattern(traces::Strided(200, -1), Pattern::kStrided);
  BOOST_TEST(!KernelReadsAhead(Watch(Runs(20, 64, -1, 3))));
}

BOOST_AUTO_TEST_CASE(strides) {
  for (const int64_t step : {2, 3, 16, 17, 1000, -5})
    ExpectPattern(traces::Strided(200, step), step == 2 ? Pattern::kSequential : Pattern::kStrided);
  ExpectPattern(traces::StridedInTurn(200), Pattern::kStrided);
}

BOOST_AUTO_TEST_CASE(clusters_are_told_from_random) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    const AccessWindow window = Watch(Runs(60, 6, 1, seed));
    BOOST_TEST((JudgedPattern(window) == Pattern::kClustered), "seed " << seed);
    BOOST_TEST(window.run_blocks > 4);
    BOOST_TEST(window.run_blocks < 9);
    ExpectPattern(traces::Random(300, traces::kBlocks, seed), Pattern::kRandom);
    ExpectPattern(traces::Random(300, 1000, seed), Pattern::kRandom);
  }
}

BOOST_AUTO_TEST_CASE(short_cycles) {
  for (const int blocks : {3, 10, 25}) ExpectPattern(traces::Cyclic(blocks, 100, 7), Pattern::kCyclic);
}

BOOST_AUTO_TEST_CASE(a_change_is_seen_within_a_window) {
  AccessWindow window = Watch(traces::Random(500, traces::kBlocks, 1));
  for (int i = 0; i < kWindow + kWindowLeast; ++i) NoteStep(&window, 5000 + static_cast<uint32_t>(i) * 20);
  BOOST_TEST((JudgedPattern(window) == Pattern::kStrided));
}

BOOST_AUTO_TEST_SUITE_END()
