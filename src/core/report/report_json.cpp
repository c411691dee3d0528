#include <charconv>
#include <cmath>

#include "core/report/report.h"

namespace query_shaper {
namespace {

class JsonWriter {
 public:
  explicit JsonWriter(std::string* out) : out_(out) {}

  void Open(char bracket) {
    Separate();
    *out_ += bracket;
    first_ = true;
  }
  void Close(char bracket) {
    *out_ += bracket;
    first_ = false;
  }
  void Key(std::string_view key) {
    Separate();
    Quote(key);
    *out_ += ':';
    first_ = true;  // the value follows without a comma
  }
  void Text(std::string_view value) {
    Separate();
    Quote(value);
  }
  void Integer(int64_t value) {
    Separate();
    *out_ += std::to_string(value);
  }
  void Number(double value) {
    Separate();
    char digits[40];
    const auto end = std::to_chars(digits, digits + sizeof digits, value);
    out_->append(digits, end.ptr);
  }
  void Null() {
    Separate();
    *out_ += "null";
  }

  void Field(std::string_view key, std::string_view value) {
    Key(key);
    Text(value);
  }
  void OptionalField(std::string_view key, std::string_view value) {
    Key(key);
    if (value.empty())
      Null();
    else
      Text(value);
  }
  void Field(std::string_view key, int64_t value) {
    Key(key);
    Integer(value);
  }
  // What is not known (negative) or not finite is null.
  void Known(std::string_view key, double value) {
    Key(key);
    if (std::isfinite(value) && value >= 0)
      Number(value);
    else
      Null();
  }
  void KnownInteger(std::string_view key, int64_t value) {
    Key(key);
    if (value >= 0)
      Integer(value);
    else
      Null();
  }

 private:
  void Separate() {
    if (!first_) *out_ += ',';
    first_ = false;
  }
  void Quote(std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    *out_ += '"';
    for (char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        *out_ += '\\';
        *out_ += c;
      } else if (byte < 0x20) {
        *out_ += "\\u00";
        *out_ += kHex[byte >> 4];
        *out_ += kHex[byte & 15];
      } else {
        *out_ += c;
      }
    }
    *out_ += '"';
  }

  std::string* out_;
  bool first_ = true;
};

void Nodes(const Report& report, JsonWriter* json) {
  json->Key("nodes");
  json->Open('[');
  for (const ReportNode& node : report.nodes) {
    json->Open('{');
    json->Field("node_id", int64_t{node.node_id});
    json->Field("parent_id", int64_t{node.parent_id});
    json->Field("depth", int64_t{node.depth});
    json->Field("operator", node.operation);
    json->OptionalField("relation", node.relation);
    json->Known("estimated_rows", node.estimated_rows);
    json->Known("refined_rows", node.refined_rows);
    json->Known("actual_rows", node.actual_rows);
    json->Known("q_error", NodeQError(report, node));
    json->Known("loops", node.loops);
    json->Known("progress", node.progress);
    json->KnownInteger("memory_kb", node.memory_kb);
    json->KnownInteger("temp_kb", node.temp_kb);
    json->Close('}');
  }
  json->Close(']');
}

void Trace(const Report& report, JsonWriter* json) {
  json->Key("trace");
  json->Open('[');
  for (const ReportTracePoint& point : report.trace) {
    json->Open('{');
    json->Known("elapsed_ms", point.elapsed_ms);
    json->Known("progress", point.progress);
    json->Known("eta_ms", point.eta_ms);
    json->Known("low_ms", point.low_ms);
    json->Known("high_ms", point.high_ms);
    json->Close('}');
  }
  json->Close(']');
}

void Predictions(const Report& report, JsonWriter* json) {
  json->Key("predictions");
  json->Open('[');
  for (const ReportPrediction& made : report.predictions) {
    json->Open('{');
    json->Field("at", made.at);
    json->Field("origin", made.origin);
    json->Known("predicted_ms", made.predicted_ms);
    json->Known("low_ms", made.low_ms);
    json->Known("high_ms", made.high_ms);
    json->Known("actual_ms", made.actual_ms);
    json->Close('}');
  }
  json->Close(']');
}

void Events(const Report& report, JsonWriter* json) {
  json->Key("events");
  json->Open('[');
  for (const ReportEvent& event : report.events) {
    json->Open('{');
    json->Field("at", event.at);
    json->Field("action", event.action);
    json->Field("verdict", event.verdict);
    json->Field("reason", event.reason);
    json->Close('}');
  }
  json->Close(']');
}

}  // namespace

std::string ReportJson(const Report& report) {
  std::string out;
  JsonWriter json(&out);
  json.Open('{');
  json.Field("query_id", report.query_id);
  json.Field("fingerprint", report.fingerprint);
  json.Field("query", report.query);
  json.OptionalField("started", report.started);
  json.Field("state", report.state);
  json.OptionalField("error", report.error);
  json.Key("pid");
  if (report.pid != 0)
    json.Integer(report.pid);
  else
    json.Null();
  json.Known("progress", report.progress);
  json.Known("elapsed_ms", report.elapsed_ms);
  json.Known("eta_ms", report.eta_ms);
  json.Known("eta_low_ms", report.eta_low_ms);
  json.Known("eta_high_ms", report.eta_high_ms);
  json.Known("predicted_ms", report.predicted_ms);
  json.Known("predicted_low_ms", report.predicted_low_ms);
  json.Known("predicted_high_ms", report.predicted_high_ms);
  json.Known("actual_ms", report.actual_ms);
  json.Known("q_error", QError(report.predicted_ms, report.actual_ms));
  json.KnownInteger("memory_kb", report.memory_kb);
  json.KnownInteger("memory_granted_kb", report.memory_granted_kb);
  json.KnownInteger("temp_kb", report.temp_kb);
  json.Field("calls", report.calls);
  json.Field("failed_calls", report.failed_calls);
  json.Known("mean_ms", report.mean_ms);
  json.Known("stddev_ms", report.stddev_ms);
  json.Known("min_ms", report.min_ms);
  json.Known("max_ms", report.max_ms);
  Nodes(report, &json);
  Trace(report, &json);
  Predictions(report, &json);
  Events(report, &json);
  json.Close('}');
  return out;
}

}  // namespace query_shaper
