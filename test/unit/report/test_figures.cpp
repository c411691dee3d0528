#include <boost/test/unit_test.hpp>

#include <limits>

#include "core/report/figures.h"
#include "core/report/operator_title.h"
#include "core/report/progress_bar.h"

using namespace query_shaper;

BOOST_AUTO_TEST_CASE(durations_change_unit_where_the_figure_would_grow_too_long) {
  BOOST_TEST(DurationText(0) == "0.0ms");
  BOOST_TEST(DurationText(9.94) == "9.9ms");
  BOOST_TEST(DurationText(9.96) == "10ms");
  BOOST_TEST(DurationText(999.4) == "999ms");
  BOOST_TEST(DurationText(999.6) == "1.0s");
  BOOST_TEST(DurationText(59949) == "59.9s");
  BOOST_TEST(DurationText(59951) == "1m00s");
  BOOST_TEST(DurationText(3599.4e3) == "59m59s");
  BOOST_TEST(DurationText(3599.6e3) == "1h00m");
  BOOST_TEST(DurationText(86399.4e3) == "23h59m");
  BOOST_TEST(DurationText(100 * 3600e3) == "4d04h");
}

BOOST_AUTO_TEST_CASE(what_is_not_known_is_a_dash) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  BOOST_TEST(DurationText(-1) == "-");
  BOOST_TEST(DurationText(nan) == "-");
  BOOST_TEST(CountText(-1) == "-");
  BOOST_TEST(CountText(nan) == "-");
  BOOST_TEST(SizeText(-1) == "-");
  BOOST_TEST(FixedText(nan, 2) == "-");
  BOOST_TEST(FixedText(std::numeric_limits<double>::infinity(), 2) == "-");
}

BOOST_AUTO_TEST_CASE(even_the_longest_duration_and_count_are_finite_text) {
  const double huge = std::numeric_limits<double>::max();
  BOOST_TEST(DurationText(huge) == "1000000000d00h");
  BOOST_TEST(DurationText(std::numeric_limits<double>::infinity()) == "1000000000d00h");
  BOOST_TEST(CountText(huge).back() == 'T');
}

BOOST_AUTO_TEST_CASE(counts_keep_three_digits) {
  BOOST_TEST(CountText(0) == "0");
  BOOST_TEST(CountText(999.4) == "999");
  BOOST_TEST(CountText(999.6) == "1.0k");
  BOOST_TEST(CountText(35300) == "35.3k");
  BOOST_TEST(CountText(117647) == "118k");
  BOOST_TEST(CountText(999960) == "1.0M");
  BOOST_TEST(CountText(2.5e9) == "2.5G");
}

BOOST_AUTO_TEST_CASE(sizes_change_unit) {
  BOOST_TEST(SizeText(0) == "0 kB");
  BOOST_TEST(SizeText(9999) == "9999 kB");
  BOOST_TEST(SizeText(10240) == "10.0 MB");
  BOOST_TEST(SizeText(20LL * 1024 * 1024) == "20.0 GB");
}

BOOST_AUTO_TEST_CASE(padding_counts_characters_not_bytes) {
  BOOST_TEST(PadLeft("ab", 4) == "  ab");
  BOOST_TEST(PadRight("ab", 4) == "ab  ");
  BOOST_TEST(PadRight("größe", 7) == "größe  ");
  BOOST_TEST(PadLeft("longer", 3) == "longer");
}

BOOST_AUTO_TEST_CASE(the_bar_shows_share_time_left_and_band_in_fixed_width) {
  BarFigures figures;
  figures.progress = 0.459;
  figures.eta_ms = 12300;
  figures.low_ms = 10100;
  figures.high_ms = 15000;
  const std::string bar = ProgressBar(figures);
  BOOST_TEST(bar.substr(0, bar.find_last_not_of(' ') + 1) == "[#########...........]  45% left 12.3s (10.1s..15.0s)");
  BOOST_TEST(bar.size() == size_t{kBarColumns});
  figures.state = "paused";
  figures.stalled = true;
  const std::string held = ProgressBar(figures);
  BOOST_TEST(held.find("(10.1s..15.0s) paused stalled") != std::string::npos);
  BOOST_TEST(held.size() == size_t{kBarColumns});
}

BOOST_AUTO_TEST_CASE(the_bar_is_full_only_at_the_end_and_bounded_always) {
  BarFigures figures;
  figures.progress = 0.9999;
  BOOST_TEST(ProgressBar(figures).substr(0, 28) == "[###################.]  99% ");
  figures.progress = 1;
  BOOST_TEST(ProgressBar(figures).substr(0, 28) == "[####################] 100% ");
  figures.progress = 7;
  BOOST_TEST(ProgressBar(figures).substr(0, 28) == "[####################] 100% ");
  figures.progress = -1;
  BOOST_TEST(ProgressBar(figures).substr(0, 28) == "[....................]   0% ");
  figures.progress = std::numeric_limits<double>::quiet_NaN();
  BOOST_TEST(ProgressBar(figures).substr(0, 28) == "[....................]   0% ");
}

BOOST_AUTO_TEST_CASE(an_unknown_time_left_is_left_out) {
  BarFigures figures;
  BOOST_TEST(ProgressBar(figures).find("left") == std::string::npos);
  figures.eta_ms = 5;
  BOOST_TEST(ProgressBar(figures).find("left 5.0ms") != std::string::npos);
  BOOST_TEST(ProgressBar(figures).find("..(") == std::string::npos);
  BOOST_TEST(ProgressBar(figures).find('(') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(rows_of_what_is_handed_over_whole_are_not_known) {
  BOOST_TEST(CountedRows(Operator::kHash, 0) == -1);
  BOOST_TEST(CountedRows(Operator::kBitmapIndexScan, 0) == -1);
  BOOST_TEST(CountedRows(Operator::kHash, 7) == 7);
  BOOST_TEST(CountedRows(Operator::kSeqScan, 0) == 0);
  BOOST_TEST(CountedRows(Operator::kSeqScan, -1) == -1);
}

BOOST_AUTO_TEST_CASE(operators_are_titled_as_by_explain) {
  const auto title = [](Operator op, JoinKind join, AggStrategy agg) {
    return std::string(OperatorTitle(op, join, agg));
  };
  BOOST_TEST(title(Operator::kHashJoin, JoinKind::kInner, AggStrategy::kNone) == "Hash Join");
  BOOST_TEST(title(Operator::kHashJoin, JoinKind::kLeft, AggStrategy::kNone) == "Hash Left Join");
  BOOST_TEST(title(Operator::kMergeJoin, JoinKind::kFull, AggStrategy::kNone) == "Merge Full Join");
  BOOST_TEST(title(Operator::kNestLoop, JoinKind::kAnti, AggStrategy::kNone) == "Nested Loop Anti Join");
  BOOST_TEST(title(Operator::kNestLoop, JoinKind::kInner, AggStrategy::kNone) == "Nested Loop");
  BOOST_TEST(title(Operator::kAgg, JoinKind::kNone, AggStrategy::kHashed) == "HashAggregate");
  BOOST_TEST(title(Operator::kAgg, JoinKind::kNone, AggStrategy::kPlain) == "Aggregate");
  BOOST_TEST(title(Operator::kSeqScan, JoinKind::kNone, AggStrategy::kNone) == "Seq Scan");
  for (int op = 0; op < static_cast<int>(Operator::kCount); ++op)
    BOOST_TEST(!title(static_cast<Operator>(op), JoinKind::kSemi, AggStrategy::kMixed).empty());
}
