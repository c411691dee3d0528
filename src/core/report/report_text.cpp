#include <algorithm>
#include <cmath>

#include "core/report/figures.h"
#include "core/report/report.h"

namespace query_shaper {
namespace {

constexpr int kLabelColumns = 14;
constexpr int kNodeColumns = 44;
constexpr size_t kTraceLines = 12;

void Line(std::string* out, std::string_view label, std::string_view value) {
  *out += "  " + PadRight(label, kLabelColumns);
  *out += value;
  *out += '\n';
}

std::string Band(double low_ms, double high_ms) {
  if (low_ms < 0 || high_ms < 0) return "";
  return " (" + DurationText(low_ms) + ".." + DurationText(high_ms) + ")";
}

std::string QErrorText(double error) { return error < 0 ? "-" : FixedText(std::fmin(error, 1e9), error < 100 ? 2 : 0); }

// One line per line of text, so that a statement of several lines stays aligned.
void Statement(std::string* out, std::string_view query) {
  std::string_view label = "statement";
  do {
    const size_t end = std::min(query.find('\n'), query.size());
    Line(out, label, query.substr(0, end));
    label = "";
    query.remove_prefix(std::min(end + 1, query.size()));
  } while (!query.empty());
}

void Summary(const Report& report, std::string* out) {
  *out += "Query\n";
  Line(out, "query id", std::to_string(report.query_id));
  Line(out, "plan", std::to_string(report.fingerprint));
  Statement(out, report.query);
  if (!report.started.empty()) Line(out, "started", report.started);
  std::string state(report.state);
  if (!report.error.empty()) state += " with SQLSTATE " + std::string(report.error);
  if (report.pid != 0) state += " in process " + std::to_string(report.pid);
  Line(out, "state", state);
  if (report.calls > 0 || report.failed_calls > 0) {
    std::string calls = std::to_string(report.calls);
    if (report.failed_calls > 0) calls += " and " + std::to_string(report.failed_calls) + " that failed";
    if (report.calls > 0) {
      calls += ", mean " + DurationText(report.mean_ms) + ", standard deviation " + DurationText(report.stddev_ms) +
               ", " + DurationText(report.min_ms) + " to " + DurationText(report.max_ms);
    }
    Line(out, "calls", calls);
  }
}

void Outcome(const Report& report, std::string* out) {
  *out += "\nPrediction and outcome\n";
  if (report.predicted_ms >= 0) {
    Line(out, "predicted", DurationText(report.predicted_ms) + Band(report.predicted_low_ms, report.predicted_high_ms));
  } else {
    Line(out, "predicted", "nothing");
  }
  if (report.actual_ms >= 0) {
    std::string took = DurationText(report.actual_ms);
    const double error = QError(report.predicted_ms, report.actual_ms);
    if (error >= 0) took += ", q-error " + QErrorText(error);
    if (report.predicted_ms >= 0)
      took += report.actual_ms < report.predicted_low_ms    ? ", below the interval"
              : report.actual_ms > report.predicted_high_ms ? ", above the interval"
                                                            : ", inside the interval";
    Line(out, "took", took);
  }
  if (report.elapsed_ms >= 0) {
    Line(out, "running for", DurationText(report.elapsed_ms));
    Line(out, "progress", FixedText(100 * std::fmax(report.progress, 0), 0) + "%");
    if (report.eta_ms >= 0)
      Line(out, "time left", DurationText(report.eta_ms) + Band(report.eta_low_ms, report.eta_high_ms));
  }
  std::string memory = SizeText(report.memory_kb);
  if (report.memory_granted_kb >= 0) memory += " of " + SizeText(report.memory_granted_kb) + " granted";
  Line(out, "peak memory", memory);
  Line(out, "temporary", SizeText(report.temp_kb));
}

void Plan(const Report& report, std::string* out) {
  *out += "\nPlan\n  " + PadRight("node", kNodeColumns);
  for (const char* title : {"estimated", "refined", "actual", "q-error", "memory", "temp"}) *out += PadLeft(title, 10);
  *out += '\n';
  for (const ReportNode& node : report.nodes) {
    std::string name = std::string(2 * std::clamp(node.depth, 0, 30), ' ').append(node.operation);
    if (!node.relation.empty()) name.append(" on ").append(node.relation);
    *out += "  " + PadRight(name, kNodeColumns);
    *out += PadLeft(CountText(node.estimated_rows), 10);
    *out += PadLeft(CountText(node.refined_rows), 10);
    *out += PadLeft(CountText(node.actual_rows), 10);
    *out += PadLeft(QErrorText(NodeQError(report, node)), 10);
    *out += PadLeft(node.memory_kb > 0 ? SizeText(node.memory_kb) : "", 10);
    *out += PadLeft(node.temp_kb > 0 ? SizeText(node.temp_kb) : "", 10);
    *out += '\n';
  }
}

void TimeLeft(const Report& report, std::string* out) {
  if (report.trace.empty()) return;
  *out += "\nTime left as it was shown\n  " + PadLeft("elapsed", 8) + "  " + PadRight("progress", 28) +
          PadLeft("left", 8) + "  " + PadRight("80 % band", 18);
  if (report.actual_ms >= 0) *out += PadLeft("true", 8);
  *out += '\n';
  const size_t count = report.trace.size();
  const size_t lines = std::min(count, kTraceLines);
  for (size_t line = 0; line < lines; ++line) {
    const ReportTracePoint& point = report.trace[lines == 1 ? 0 : line * (count - 1) / (lines - 1)];
    const double progress = std::clamp(std::isfinite(point.progress) ? point.progress : 0.0, 0.0, 1.0);
    const int cells = static_cast<int>(progress * 20);
    *out += "  " + PadLeft(DurationText(point.elapsed_ms), 8) + "  [" + std::string(cells, '#') +
            std::string(20 - cells, '.') + "]" + PadLeft(FixedText(100 * progress, 0) + "%", 5) + " " +
            PadLeft(DurationText(point.eta_ms), 8) + "  " +
            PadRight(DurationText(point.low_ms) + ".." + DurationText(point.high_ms), 18);
    if (report.actual_ms >= 0) *out += PadLeft(DurationText(std::fmax(report.actual_ms - point.elapsed_ms, 0)), 8);
    *out += '\n';
  }
}

void Predictions(const Report& report, std::string* out) {
  if (report.predictions.empty()) return;
  *out += "\nRecent predictions\n";
  for (const ReportPrediction& made : report.predictions) {
    *out += "  " + PadRight(made.at, 24) + PadRight(made.origin, 10) + PadLeft(DurationText(made.predicted_ms), 8) +
            PadRight(Band(made.low_ms, made.high_ms), 20) + " took " + PadLeft(DurationText(made.actual_ms), 8) +
            "  q-error " + QErrorText(QError(made.predicted_ms, made.actual_ms)) + "\n";
  }
}

void Actions(const Report& report, std::string* out) {
  *out += "\nActions\n";
  if (report.events.empty()) *out += "  none\n";
  for (const ReportEvent& event : report.events) {
    *out += "  " + PadRight(event.at, 24) + PadRight(event.action, 13) + PadRight(event.verdict, 10);
    *out += event.reason;
    *out += '\n';
  }
}

}  // namespace

double QError(double estimated, double actual) {
  if (!(estimated >= 0) || !(actual >= 0)) return -1;
  estimated = std::fmax(estimated, 1);
  actual = std::fmax(actual, 1);
  return std::fmax(estimated / actual, actual / estimated);
}

double NodeQError(const Report& report, const ReportNode& node) {
  return QError(node.estimated_rows, report.pid != 0 ? node.refined_rows : node.actual_rows);
}

std::string ReportText(const Report& report) {
  std::string out;
  Summary(report, &out);
  Outcome(report, &out);
  Plan(report, &out);
  TimeLeft(report, &out);
  Predictions(report, &out);
  Actions(report, &out);
  return out;
}

}  // namespace query_shaper
