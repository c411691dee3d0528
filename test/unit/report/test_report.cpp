#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>
#include <vector>

#include "core/report/report.h"

using namespace query_shaper;

namespace {

// A finished run of a join, with everything a report can hold.
struct Sample {
  std::vector<ReportNode> nodes;
  std::vector<ReportTracePoint> trace;
  std::vector<ReportPrediction> predictions;
  std::vector<ReportEvent> events;
  Report report;

  Sample() {
    nodes.resize(2);
    nodes[0].operation = "Hash Left Join";
    nodes[0].estimated_rows = 100;
    nodes[0].refined_rows = 900;
    nodes[0].actual_rows = 1000;
    nodes[0].loops = 1;
    nodes[0].memory_kb = 2048;
    nodes[1].node_id = 4;
    nodes[1].parent_id = 0;
    nodes[1].depth = 1;
    nodes[1].operation = "Seq Scan";
    nodes[1].relation = "public.\"<odd>\"";
    trace = {{100, 0.1, 900, 700, 1300}, {500, 0.5, 480, 400, 600}, {1000, 1, 0, 0, 20}};
    predictions = {{"2024-01-01 10:00:00+00", "blend", 800, 400, 1600, 1000}};
    events = {{"2024-01-01 10:00:00+00", "pause", "done", "requested & done"}};
    report.query_id = -42;
    report.fingerprint = 77;
    report.query = "SELECT '<b>'\nFROM \"t\"";
    report.started = "2024-01-01 10:00:00+00";
    report.state = "finished";
    report.predicted_ms = 800;
    report.predicted_low_ms = 400;
    report.predicted_high_ms = 1600;
    report.actual_ms = 1000;
    report.memory_kb = 2048;
    report.temp_kb = 0;
    report.calls = 3;
    report.mean_ms = 950;
    report.stddev_ms = 50;
    report.min_ms = 900;
    report.max_ms = 1000;
    report.nodes = nodes;
    report.trace = trace;
    report.predictions = predictions;
    report.events = events;
  }
};

bool Holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

size_t Occurrences(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// Accepts exactly the JSON grammar of RFC 8259 without looking into escapes of \u.
class JsonChecker {
 public:
  explicit JsonChecker(const std::string& text) : text_(text) {}
  bool Valid() { return Value() && at_ == text_.size(); }

 private:
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool Word(const std::string& word) {
    if (text_.compare(at_, word.size(), word) != 0) return false;
    at_ += word.size();
    return true;
  }
  bool String() {
    if (!Take('"')) return false;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return false;
      at_ += text_[at_] == '\\' ? 2 : 1;
    }
    return Take('"');
  }
  bool Number() {
    const size_t end = text_.find_first_not_of("+-.0123456789e", at_);
    if (end == at_) return false;
    at_ = end == std::string::npos ? text_.size() : end;
    return true;
  }
  bool Members(char close, bool named) {
    if (Take(close)) return true;
    do {
      if (named && !(String() && Take(':'))) return false;
      if (!Value()) return false;
    } while (Take(','));
    return Take(close);
  }
  bool Value() {
    if (Take('{')) return Members('}', true);
    if (Take('[')) return Members(']', false);
    if (at_ < text_.size() && text_[at_] == '"') return String();
    return Word("null") || Word("true") || Word("false") || Number();
  }

  const std::string& text_;
  size_t at_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(q_error_is_symmetric_and_counts_from_one) {
  BOOST_TEST(QError(10, 100) == 10);
  BOOST_TEST(QError(100, 10) == 10);
  BOOST_TEST(QError(0, 5) == 5);
  BOOST_TEST(QError(0, 0) == 1);
  BOOST_TEST(QError(-1, 5) == -1);
  BOOST_TEST(QError(5, -1) == -1);
  BOOST_TEST(QError(std::numeric_limits<double>::quiet_NaN(), 5) == -1);
}

BOOST_AUTO_TEST_CASE(an_estimate_is_held_against_belief_while_running_and_against_truth_afterwards) {
  Sample sample;
  BOOST_TEST(NodeQError(sample.report, sample.nodes[0]) == 10);
  sample.report.pid = 7;
  BOOST_TEST(NodeQError(sample.report, sample.nodes[0]) == 9);
}

BOOST_AUTO_TEST_CASE(text_tells_estimate_refinement_and_truth_of_every_node) {
  const Sample sample;
  const std::string text = ReportText(sample.report);
  BOOST_TEST(Holds(text, "query id      -42"));
  BOOST_TEST(Holds(text, "statement     SELECT '<b>'\n                FROM \"t\""));
  BOOST_TEST(Holds(text, "800ms (400ms..1.6s)"));
  BOOST_TEST(Holds(text, "took          1.0s, q-error 1.25, inside the interval"));
  BOOST_TEST(Holds(text, "Hash Left Join"));
  BOOST_TEST(Holds(text, "       100       900      1.0k     10.00   2048 kB"));
  BOOST_TEST(Holds(text, "    Seq Scan on public.\"<odd>\""));
  BOOST_TEST(Holds(text, "[##########..........]  50%    480ms  400ms..600ms"));
  BOOST_TEST(Holds(text, "pause        done      requested & done"));
}

BOOST_AUTO_TEST_CASE(text_says_on_which_side_of_the_interval_the_outcome_fell) {
  Sample sample;
  sample.report.actual_ms = 399;
  BOOST_TEST(Holds(ReportText(sample.report), "below the interval"));
  sample.report.actual_ms = 1601;
  BOOST_TEST(Holds(ReportText(sample.report), "above the interval"));
  sample.report.predicted_ms = -1;
  BOOST_TEST(Holds(ReportText(sample.report), "predicted     nothing"));
  BOOST_TEST(!Holds(ReportText(sample.report), "interval"));
}

BOOST_AUTO_TEST_CASE(a_long_trace_is_thinned_and_keeps_its_ends) {
  Sample sample;
  sample.trace.clear();
  for (int i = 0; i < 64; ++i) sample.trace.push_back({1000.0 * i, i / 64.0, 64000.0 - 1000 * i, 1, 2});
  sample.report.trace = sample.trace;
  const std::string text = ReportText(sample.report);
  BOOST_TEST(Occurrences(text, "..2.0ms") == 12);
  BOOST_TEST(Holds(text, "   0.0ms  [....................]   0%"));
  BOOST_TEST(Holds(text, "   1m03s  [###################.]  98%"));
}

BOOST_AUTO_TEST_CASE(a_running_statement_tells_what_is_left) {
  Report report;
  report.state = "running";
  report.pid = 123;
  report.progress = 0.25;
  report.elapsed_ms = 1000;
  report.eta_ms = 3000;
  report.eta_low_ms = 2500;
  report.eta_high_ms = 4000;
  for (const std::string& text : {ReportText(report), ReportHtml(report)}) {
    BOOST_TEST(Holds(text, "running in process 123"));
    BOOST_TEST(Holds(text, "25%"));
    BOOST_TEST(Holds(text, "3.0s (2.5s"));
  }
  BOOST_TEST(Holds(ReportJson(report), "\"pid\":123,\"progress\":0.25,\"elapsed_ms\":1000,\"eta_ms\":3000"));
}

BOOST_AUTO_TEST_CASE(json_is_valid_whatever_stands_in_it) {
  Sample sample;
  BOOST_TEST(JsonChecker(ReportJson(sample.report)).Valid());
  sample.report.query = "quote \" backslash \\ newline \n tab \t control \x01";
  sample.nodes[0].actual_rows = std::numeric_limits<double>::infinity();
  sample.trace[0].eta_ms = std::numeric_limits<double>::quiet_NaN();
  const std::string json = ReportJson(sample.report);
  BOOST_TEST(JsonChecker(json).Valid());
  BOOST_TEST(Holds(json, "quote \\\" backslash \\\\ newline \\u000a tab \\u0009 control \\u0001"));
  BOOST_TEST(Holds(json, "\"actual_rows\":null"));
  BOOST_TEST(Holds(json, "\"eta_ms\":null"));
  BOOST_TEST(JsonChecker(ReportJson(Report())).Valid());
}

BOOST_AUTO_TEST_CASE(json_keeps_large_ids_exact) {
  Sample sample;
  sample.report.query_id = std::numeric_limits<int64_t>::min();
  sample.report.fingerprint = std::numeric_limits<int64_t>::max();
  const std::string json = ReportJson(sample.report);
  BOOST_TEST(Holds(json, "\"query_id\":-9223372036854775808"));
  BOOST_TEST(Holds(json, "\"fingerprint\":9223372036854775807"));
}

BOOST_AUTO_TEST_CASE(html_escapes_everything_and_needs_nothing_else) {
  const Sample sample;
  const std::string html = ReportHtml(sample.report);
  BOOST_TEST(html.starts_with("<!DOCTYPE html>"));
  BOOST_TEST(html.ends_with("</html>\n"));
  BOOST_TEST(Holds(html, "SELECT &#39;&lt;b&gt;&#39;"));
  BOOST_TEST(Holds(html, "public.&quot;&lt;odd&gt;&quot;"));
  BOOST_TEST(Holds(html, "requested &amp; done"));
  BOOST_TEST(!Holds(html, "<odd>"));
  for (const char* outside : {"src=", "href=", "<script", "url("}) BOOST_TEST(!Holds(html, outside));
  BOOST_TEST(Occurrences(html, "<table>") == Occurrences(html, "</table>"));
  BOOST_TEST(Occurrences(html, "<tr>") + Occurrences(html, "<tr ") == Occurrences(html, "</tr>"));
}

BOOST_AUTO_TEST_CASE(html_draws_time_left_inside_its_frame) {
  Sample sample;
  sample.trace[0].high_ms = 1e12;
  sample.trace[1].eta_ms = std::numeric_limits<double>::quiet_NaN();
  const std::string html = ReportHtml(sample.report);
  const size_t start = html.find("class=\"band\" points=\"") + 21;
  std::string points = html.substr(start, html.find('"', start) - start);
  BOOST_TEST(Occurrences(points, ",") == 2 * sample.trace.size());
  size_t at = 0;
  while (at < points.size()) {
    const double x = std::stod(points.substr(at));
    at = points.find(',', at) + 1;
    const double y = std::stod(points.substr(at));
    at = points.find(' ', at) + 1;
    BOOST_TEST((x >= 0 && x <= 800));
    BOOST_TEST((y >= 0 && y <= 240));
  }
  sample.report.trace = {};
  BOOST_TEST(!Holds(ReportHtml(sample.report), "<svg"));
}
