#include <boost/test/unit_test.hpp>

#include <cstring>

#include "core/base/error.h"
#include "core/prefetch/access_model.h"
#include "prefetch/access_traces.h"

using namespace query_shaper;

namespace {

std::vector<char> Written(const AccessModel& model) {
  std::vector<char> bytes(WriteAccessModel(model, nullptr, 0));
  BOOST_TEST(WriteAccessModel(model, bytes.data(), static_cast<uint32_t>(bytes.size())) == bytes.size());
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(access_model)

BOOST_AUTO_TEST_CASE(strides_are_covered) {
  for (const Trace& trace : {traces::Strided(5000, 17), traces::Strided(5000, -9), traces::StridedInTurn(4000)}) {
    const Worth worth = PlayTrace(trace);
    BOOST_TEST(worth.coverage() >= 0.95, trace.name << " " << worth.coverage());
    BOOST_TEST(worth.precision() >= 0.95, trace.name << " " << worth.precision());
    BOOST_TEST(worth.mean_lead() >= kTraceDistance * 0.8, trace.name << " " << worth.mean_lead());
  }
}

BOOST_AUTO_TEST_CASE(cycles_are_covered_once_they_were_seen) {
  for (const int blocks : {100, 300, 800})
    for (uint32_t seed = 1; seed <= 5; ++seed) {
      const Worth worth = PlayTrace(traces::Cyclic(blocks, 60, seed));
      BOOST_TEST(worth.coverage() >= 0.95, blocks << " blocks " << worth.coverage());
      BOOST_TEST(worth.precision() >= 0.95, blocks << " blocks " << worth.precision());
    }
}

BOOST_AUTO_TEST_CASE(cycles_longer_than_the_tables_are_covered) {
  for (const int blocks : {3000, 16000}) {
    const Worth worth = PlayTrace(traces::Cyclic(blocks, 40, 1));
    BOOST_TEST(worth.coverage() >= 0.95, blocks << " blocks " << worth.coverage());
    BOOST_TEST(worth.precision() >= 0.95, blocks << " blocks " << worth.precision());
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_issued_on_random_accesses) {
  // In a relation of two extents the other one always comes next: that is no guess.
  for (const uint32_t blocks : {100U, 400U, 2000U, 20000U, traces::kBlocks})
    for (uint32_t seed = 1; seed <= 20; ++seed) {
      const Worth worth = PlayTrace(traces::Random(5000, blocks, seed));
      BOOST_TEST(worth.last_issue < 200, blocks << " blocks, issued at " << worth.last_issue);
    }
}

BOOST_AUTO_TEST_CASE(the_gate_shuts_when_the_pattern_ends) {
  Trace trace = traces::Strided(2000, 17);
  const Episode random = traces::Random(5000, traces::kBlocks, 1).episodes[0];
  trace.episodes[0].insert(trace.episodes[0].end(), random.begin(), random.end());
  const Worth worth = PlayTrace(trace);
  // Chance meetings with blocks of the stride start chains until what the last ones named has expired.
  BOOST_TEST(worth.last_issue < 2000 + 2 * kNamed);
  BOOST_TEST(worth.issued - worth.used <= 3 * kTraceDistance);
}

BOOST_AUTO_TEST_CASE(a_template_with_new_parameters) {
  for (const Trace& trace : {traces::Template(100, 200, 200, 11, 4), traces::Template(100, 40, 40, 11, 5),
                             traces::Template(100, 50, 400, 11, 6), traces::TemplateInTurn(100, 150, 7)}) {
    const Worth worth = PlayTrace(trace);
    BOOST_TEST(worth.coverage() >= 0.9, trace.name << " " << worth.coverage());
    BOOST_TEST(worth.wasted() <= 0.1, trace.name << " " << worth.wasted());
  }
}

BOOST_AUTO_TEST_CASE(what_was_read_lately_is_not_asked_for) {
  BOOST_TEST(PlayTrace(traces::Cyclic(kWindow / 2, 100, 1)).issued == 0);
}

BOOST_AUTO_TEST_CASE(extents_pay_where_only_they_repeat) {
  const Worth worth = PlayTrace(traces::Clusters(60, 40, 5));
  BOOST_TEST(worth.coverage() >= 0.9);
  BOOST_TEST(worth.wasted() <= 0.1);
}

BOOST_AUTO_TEST_CASE(sequential_is_left_to_the_kernel) {
  const Worth worth = PlayTrace(traces::Sequential(5000));
  BOOST_TEST(worth.last_issue < 200);
  const Worth jittered = PlayTrace(traces::Jittered(20000, 3));
  BOOST_TEST(jittered.issued < 200);
}

BOOST_AUTO_TEST_CASE(requests_stay_in_the_relation_and_in_bounds) {
  const auto model = NewModel();
  uint32_t ask[4];
  StartEpisode(model.get());
  for (uint32_t block = 3; block < 3000; block += 7)
    for (int i = 0, count = NoteAccess(model.get(), block, 64, 3000, ask, 4); i < count; ++i) {
      BOOST_TEST(i < 4);
      BOOST_TEST(ask[i] < 3000U);
      BOOST_TEST(ask[i] > block);
    }
  BOOST_TEST(model->open);
}

BOOST_AUTO_TEST_CASE(at_distance_zero_it_watches_only) {
  const auto model = NewModel();
  const Trace trace = traces::Strided(1000, 17);
  BOOST_TEST(PlayEpisodes(trace, model.get(), 0, 1, 0).issued == 0);
  BOOST_TEST(ModelTransitions(*model) > 0);
}

BOOST_AUTO_TEST_CASE(failures_shut_the_gate) {
  const auto model = NewModel();
  PlayEpisodes(traces::Strided(1000, 17), model.get(), 0, 1);
  BOOST_TEST(model->open);
  PenaliseModel(model.get(), 64);
  BOOST_TEST(!model->open);
}

BOOST_AUTO_TEST_CASE(what_was_learned_is_used_at_once_by_the_next_scan) {
  const auto model = NewModel();
  const Trace trace = traces::Template(50, 200, 200, 11, 4);
  PlayEpisodes(trace, model.get(), 0, 40);
  const std::vector<char> bytes = Written(*model);
  const auto loaded = NewModel();
  ReadAccessModel(bytes.data(), static_cast<uint32_t>(bytes.size()), loaded.get());
  const Worth worth = PlayEpisodes(trace, loaded.get(), 40, 50);
  BOOST_TEST(worth.coverage() >= 0.97);
  BOOST_TEST(worth.wasted() <= 0.02);
}

BOOST_AUTO_TEST_CASE(patterns_and_extents) {
  const auto pattern_of = [](const Trace& trace) {
    const auto model = NewModel();
    PlayEpisodes(trace, model.get(), 0, trace.episodes.size());
    return std::string(PatternName(ModelPattern(*model))) + " " + std::to_string(ModelExtentBlocks(*model));
  };
  BOOST_TEST(pattern_of(traces::Sequential(2000)) == "sequential 1024");
  BOOST_TEST(pattern_of(traces::Strided(2000, 40)) == "strided 1");
  BOOST_TEST(pattern_of(traces::Random(2000, traces::kBlocks, 1)) == "random 1");
  BOOST_TEST(pattern_of(traces::Cyclic(400, 20, 1)) == "cyclic 1");
  BOOST_TEST(pattern_of(traces::Clusters(60, 20, 1)) == "clustered 16");
}

BOOST_AUTO_TEST_CASE(decay_forgets_figures_not_chains) {
  const auto model = NewModel();
  PlayEpisodes(traces::Strided(1000, 17), model.get(), 0, 1);
  const double used = model->used;
  const int transitions = ModelTransitions(*model);
  DecayModel(model.get(), 0.5F);
  BOOST_TEST(model->used == used / 2);
  BOOST_TEST(ModelTransitions(*model) == transitions);
  DecayModel(model.get(), 0);
  BOOST_TEST(!model->open);
}

BOOST_AUTO_TEST_CASE(damage_is_noticed) {
  const auto model = NewModel();
  PlayEpisodes(traces::Cyclic(100, 5, 1), model.get(), 0, 1);
  std::vector<char> bytes = Written(*model);
  const auto target = NewModel();
  const std::vector<char> before = Written(*target);
  for (size_t at = 0; at < bytes.size(); at += 97) {
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    BOOST_CHECK_THROW(ReadAccessModel(bytes.data(), static_cast<uint32_t>(bytes.size()), target.get()), Error);
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
  }
  BOOST_CHECK_THROW(ReadAccessModel(bytes.data(), static_cast<uint32_t>(bytes.size() - 1), target.get()), Error);
  BOOST_TEST(Written(*target) == before);
  ReadAccessModel(bytes.data(), static_cast<uint32_t>(bytes.size()), target.get());
  BOOST_TEST(Written(*target) == bytes);
}

BOOST_AUTO_TEST_SUITE_END()
