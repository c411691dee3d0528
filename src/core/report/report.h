// A report of one query: what was planned, refined and true at each node, predicted and come, and what was done about
// it.
//
// The model is plain views on memory of the caller, so that a caller which must not own anything can fill it.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace query_shaper {

// Figures that are not known are negative.
struct ReportNode {
  int32_t node_id = 0;
  int32_t parent_id = -1;
  int32_t depth = 0;
  std::string_view operation;
  std::string_view relation;   // empty: none
  double estimated_rows = -1;  // the planner's, all loops
  double refined_rows = -1;    // as last believed while running, all loops
  double actual_rows = -1;     // all loops
  double loops = -1;
  double progress = -1;
  int64_t memory_kb = -1;
  int64_t temp_kb = -1;
};

struct ReportTracePoint {
  double elapsed_ms = 0;
  double progress = 0;
  double eta_ms = 0;
  double low_ms = 0;
  double high_ms = 0;
};

struct ReportPrediction {
  std::string_view at;
  std::string_view origin;
  double predicted_ms = -1;
  double low_ms = -1;
  double high_ms = -1;
  double actual_ms = -1;
};

struct ReportEvent {
  std::string_view at;
  std::string_view action;
  std::string_view verdict;
  std::string_view reason;
};

struct Report {
  int64_t query_id = 0;
  int64_t fingerprint = 0;
  std::string_view query;
  std::string_view started;
  std::string_view state;  // "finished", "failed", or the state in `activity`
  std::string_view error;  // SQLSTATE of a run that ended with an error
  int32_t pid = 0;         // of a running statement

  double progress = -1;  // of a running statement
  double elapsed_ms = -1;
  double eta_ms = -1;
  double eta_low_ms = -1;
  double eta_high_ms = -1;

  double predicted_ms = -1;
  double predicted_low_ms = -1;
  double predicted_high_ms = -1;
  double actual_ms = -1;

  int64_t memory_kb = -1;
  int64_t memory_granted_kb = -1;
  int64_t temp_kb = -1;

  int64_t calls = 0;  // 0: no history yet
  int64_t failed_calls = 0;
  double mean_ms = -1;
  double stddev_ms = -1;
  double min_ms = -1;
  double max_ms = -1;

  std::span<const ReportNode> nodes;
  std::span<const ReportTracePoint> trace;
  std::span<const ReportPrediction> predictions;  // newest first
  std::span<const ReportEvent> events;            // newest first
};

// max(estimated / actual, actual / estimated) with both counted as at least one; -1 when either is not known.
double QError(double estimated, double actual);

// Of a node's estimate: against the truth, or while the statement runs against what is now believed.
double NodeQError(const Report& report, const ReportNode& node);

std::string ReportText(const Report& report);
std::string ReportJson(const Report& report);
// One self-contained page: no script, no outside resource, everything escaped.
std::string ReportHtml(const Report& report);

}  // namespace query_shaper
