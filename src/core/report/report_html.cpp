#include <algorithm>
#include <cmath>

#include "core/report/figures.h"
#include "core/report/report.h"

namespace query_shaper {
namespace {

constexpr std::string_view kStyle =
    "body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:64em;padding:0 1em;color:#1d2733}"
    "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}"
    "pre{background:#f3f5f8;padding:.8em;overflow:auto;border-radius:4px}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.25em .6em;border-bottom:1px solid "
    "#e3e7ec;text-align:left}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.bad{color:#b3261e;font-weight:600}"
    "svg{width:100%;height:auto;background:#f9fafc}.band{fill:#9ec5fe;opacity:.5}.eta{fill:none;stroke:#0a58ca;stroke-"
    "width:2}"
    ".true{fill:none;stroke:#5a6570;stroke-dasharray:4 3}text{font-size:11px;fill:#5a6570}";

std::string Escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

void Heading(std::string* out, std::string_view title) { out->append("<h2>").append(title).append("</h2>\n"); }

void Fact(std::string* out, std::string_view name, std::string_view value) {
  *out += "<tr><th>" + Escape(name) + "</th><td>" + Escape(value) + "</td></tr>\n";
}

void Cell(std::string* out, std::string_view value) { *out += "<td>" + Escape(value) + "</td>"; }
void Figure(std::string* out, std::string_view value, bool bad = false) {
  *out += (bad ? "<td class=\"n bad\">" : "<td class=\"n\">") + Escape(value) + "</td>";
}

std::string Interval(double value, double low, double high) {
  std::string text = DurationText(value);
  if (low >= 0 && high >= 0) text += " (" + DurationText(low) + " to " + DurationText(high) + ")";
  return text;
}

std::string QErrorText(double error) { return error < 0 ? "-" : FixedText(std::fmin(error, 1e9), error < 100 ? 2 : 0); }

void Facts(const Report& report, std::string* out) {
  *out += "<pre>" + Escape(report.query) + "</pre>\n<table>\n";
  Fact(out, "Query id", std::to_string(report.query_id));
  Fact(out, "Plan", std::to_string(report.fingerprint));
  Fact(out, "State",
       std::string(report.state) + (report.error.empty() ? "" : " with SQLSTATE " + std::string(report.error)) +
           (report.pid == 0 ? "" : " in process " + std::to_string(report.pid)));
  if (!report.started.empty()) Fact(out, "Started", report.started);
  Fact(out, "Predicted",
       report.predicted_ms < 0 ? "nothing"
                               : Interval(report.predicted_ms, report.predicted_low_ms, report.predicted_high_ms));
  if (report.actual_ms >= 0) Fact(out, "Took", DurationText(report.actual_ms));
  const double error = QError(report.predicted_ms, report.actual_ms);
  if (error >= 0) Fact(out, "Q-error of time", QErrorText(error));
  if (report.elapsed_ms >= 0) {
    Fact(out, "Running for", DurationText(report.elapsed_ms));
    Fact(out, "Progress", FixedText(100 * std::fmax(report.progress, 0), 0) + "%");
    Fact(out, "Time left", Interval(report.eta_ms, report.eta_low_ms, report.eta_high_ms));
  }
  Fact(out, "Peak memory", SizeText(report.memory_kb));
  if (report.memory_granted_kb >= 0) Fact(out, "Granted memory", SizeText(report.memory_granted_kb));
  Fact(out, "Temporary files", SizeText(report.temp_kb));
  if (report.calls > 0) {
    Fact(out, "Calls", std::to_string(report.calls));
    Fact(out, "Mean time", DurationText(report.mean_ms) + ", standard deviation " + DurationText(report.stddev_ms));
    Fact(out, "Fastest, slowest", DurationText(report.min_ms) + ", " + DurationText(report.max_ms));
  }
  if (report.failed_calls > 0) Fact(out, "Failed calls", std::to_string(report.failed_calls));
  *out += "</table>\n";
}

void Plan(const Report& report, std::string* out) {
  Heading(out, "Plan");
  *out += "<table>\n<tr><th>Node</th>";
  for (const char* title : {"Estimated", "Refined", "Actual", "Q-error", "Loops", "Memory", "Temporary"})
    *out += std::string("<th class=\"n\">") + title + "</th>";
  *out += "</tr>\n";
  for (const ReportNode& node : report.nodes) {
    const double error = NodeQError(report, node);
    *out += "<tr><td style=\"padding-left:" + std::to_string(std::clamp(node.depth, 0, 40) * 18 + 8) + "px\">" +
            Escape(node.operation);
    if (!node.relation.empty()) *out += " on <b>" + Escape(node.relation) + "</b>";
    *out += "</td>";
    Figure(out, CountText(node.estimated_rows));
    Figure(out, CountText(node.refined_rows));
    Figure(out, CountText(node.actual_rows));
    Figure(out, QErrorText(error), error >= 10);
    Figure(out, CountText(node.loops));
    Figure(out, node.memory_kb > 0 ? SizeText(node.memory_kb) : "");
    Figure(out, node.temp_kb > 0 ? SizeText(node.temp_kb) : "");
    *out += "</tr>\n";
  }
  *out += "</table>\n";
}

void Chart(const Report& report, std::string* out) {
  if (report.trace.size() < 2) return;
  constexpr double kWidth = 800, kHeight = 240, kMargin = 8;
  double last_ms = std::fmax(report.actual_ms, report.trace.back().elapsed_ms);
  double most_ms = last_ms;
  for (const ReportTracePoint& point : report.trace) most_ms = std::fmax(most_ms, point.eta_ms);
  // The band may be wide at the start; beyond this it is cut, so that the line stays readable.
  most_ms = std::fmax(most_ms * 1.25, 1e-3);
  last_ms = std::fmax(last_ms, 1e-3);
  const auto at = [&](double elapsed_ms, double left_ms) {
    const double share = std::isfinite(left_ms) ? std::clamp(left_ms / most_ms, 0.0, 1.0) : 1.0;
    return FixedText(kMargin + std::clamp(elapsed_ms / last_ms, 0.0, 1.0) * (kWidth - 2 * kMargin), 1) + "," +
           FixedText(kHeight - kMargin - share * (kHeight - 2 * kMargin), 1) + " ";
  };
  std::string band, line;
  for (const ReportTracePoint& point : report.trace) {
    band += at(point.elapsed_ms, point.high_ms);
    line += at(point.elapsed_ms, point.eta_ms);
  }
  for (auto point = report.trace.rbegin(); point != report.trace.rend(); ++point)
    band += at(point->elapsed_ms, point->low_ms);
  Heading(out, "Time left as it was shown");
  *out +=
      "<svg viewBox=\"0 0 800 240\" role=\"img\"><title>time left against time elapsed</title>\n<polygon "
      "class=\"band\" points=\"" +
      band + "\"/>\n<polyline class=\"eta\" points=\"" + line + "\"/>\n";
  if (report.actual_ms >= 0)
    *out += "<polyline class=\"true\" points=\"" + at(0, report.actual_ms) + at(report.actual_ms, 0) + "\"/>\n";
  *out += "<text x=\"12\" y=\"20\">" + DurationText(most_ms) +
          " left</text><text x=\"788\" y=\"222\" text-anchor=\"end\">" + DurationText(last_ms) +
          " elapsed</text>\n</svg>\n";
  *out += "<p>Line: time left; area: its 80 % band";
  *out += report.actual_ms >= 0 ? "; dashed: what was really left.</p>\n" : ".</p>\n";
}

void Predictions(const Report& report, std::string* out) {
  if (report.predictions.empty()) return;
  Heading(out, "Recent predictions");
  *out +=
      "<table>\n<tr><th>At</th><th>Origin</th><th>Predicted</th><th class=\"n\">Took</th><th "
      "class=\"n\">Q-error</th></tr>\n";
  for (const ReportPrediction& made : report.predictions) {
    *out += "<tr>";
    Cell(out, made.at);
    Cell(out, made.origin);
    Cell(out, Interval(made.predicted_ms, made.low_ms, made.high_ms));
    Figure(out, DurationText(made.actual_ms));
    Figure(out, QErrorText(QError(made.predicted_ms, made.actual_ms)));
    *out += "</tr>\n";
  }
  *out += "</table>\n";
}

void Actions(const Report& report, std::string* out) {
  Heading(out, "Actions");
  if (report.events.empty()) {
    *out += "<p>None.</p>\n";
    return;
  }
  *out += "<table>\n<tr><th>At</th><th>Action</th><th>Verdict</th><th>Reason</th></tr>\n";
  for (const ReportEvent& event : report.events) {
    *out += "<tr>";
    for (std::string_view text : {event.at, event.action, event.verdict, event.reason}) Cell(out, text);
    *out += "</tr>\n";
  }
  *out += "</table>\n";
}

}  // namespace

std::string ReportHtml(const Report& report) {
  std::string out = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Query " +
                    std::to_string(report.query_id) + "</title><style>";
  out += kStyle;
  out += "</style></head><body>\n<h1>Query " + std::to_string(report.query_id) + "</h1>\n";
  Facts(report, &out);
  Plan(report, &out);
  Chart(report, &out);
  Predictions(report, &out);
  Actions(report, &out);
  out += "</body></html>\n";
  return out;
}

}  // namespace query_shaper
