#include <boost/test/unit_test.hpp>

#include "core/prefetch/partition_hint.h"
#include "prefetch/access_traces.h"

using namespace query_shaper;

namespace {

std::string Found(const char* text, const char* schema, const char* relation) {
  PartitionHint hint;
  BOOST_TEST((CheckHintText(text) == nullptr), text);
  if (!FindHint(text, schema, relation, &hint)) return "none";
  return std::string(PatternName(hint.pattern)) + " " + std::to_string(hint.suggested_blocks);
}

PartitionHint Hint(Pattern pattern, int blocks) {
  PartitionHint hint;
  hint.pattern = pattern;
  hint.suggested_blocks = blocks;
  return hint;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(partition_hint)

BOOST_AUTO_TEST_CASE(the_closest_part_counts) {
  const char* const text = "random, orders = strided:8 ,sales.orders=cyclic:131072,lines=sequential";
  BOOST_TEST(Found(text, "sales", "orders") == "cyclic 131072");
  BOOST_TEST(Found(text, "public", "orders") == "strided 8");
  BOOST_TEST(Found(text, "public", "lines") == "sequential 0");
  BOOST_TEST(Found(text, "public", "order") == "random 0");
  BOOST_TEST(Found("", "public", "orders") == "none");
  BOOST_TEST(Found("  ", "public", "orders") == "none");
  BOOST_TEST(Found("a.b=random", "a", "b.c") == "none");
  BOOST_TEST(Found("ab=random", "a", "b") == "none");
}

BOOST_AUTO_TEST_CASE(what_is_no_hint) {
  for (const char* text : {"zigzag", "strided:0", "strided:", "strided:131073", "strided:1x", "strided:99999999999",
                           "=strided", "a=", "a=b=random", "random,,random", "random:-1", ":8", "unknown"})
    BOOST_TEST((CheckHintText(text) != nullptr), text);
}

BOOST_AUTO_TEST_CASE(measurement_overrules) {
  const auto model = NewModel();
  const PartitionHint hint = Hint(Pattern::kClustered, 32);
  BOOST_TEST((AdvisedPattern(hint, *model) == Pattern::kClustered));
  BOOST_TEST(AdvisedExtentBlocks(hint, *model) == 32);
  PlayEpisodes(traces::Random(200, traces::kBlocks, 1), model.get(), 0, 1);
  BOOST_TEST((AdvisedPattern(hint, *model) == Pattern::kClustered));  // too little yet
  PlayEpisodes(traces::Random(200, traces::kBlocks, 2), model.get(), 0, 1);
  BOOST_TEST((AdvisedPattern(hint, *model) == Pattern::kRandom));
  BOOST_TEST(AdvisedExtentBlocks(hint, *model) == 1);
}

BOOST_AUTO_TEST_CASE(measurement_that_agrees_or_wavers_does_not) {
  const auto model = NewModel();
  PlayEpisodes(traces::Random(400, traces::kBlocks, 1), model.get(), 0, 1);
  BOOST_TEST(AdvisedExtentBlocks(Hint(Pattern::kRandom, 4), *model) == 4);
  PlayEpisodes(traces::Strided(400, 40), model.get(), 0, 1);
  BOOST_TEST((AdvisedPattern(Hint(Pattern::kCyclic, 0), *model) == Pattern::kCyclic));
}

BOOST_AUTO_TEST_CASE(extents_without_a_size) {
  const auto model = NewModel();
  BOOST_TEST(AdvisedExtentBlocks(Hint(Pattern::kSequential, 0), *model) == 1024);
  BOOST_TEST(AdvisedExtentBlocks(Hint(Pattern::kClustered, 0), *model) == kModelExtent);
  BOOST_TEST(AdvisedExtentBlocks(Hint(Pattern::kRandom, 0), *model) == 1);
  BOOST_TEST((AdvisedPattern(PartitionHint(), *model) == Pattern::kUnknown));
}

BOOST_AUTO_TEST_SUITE_END()
