// Order statistics, JSON and the files of results.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <thread>

#include "driver.h"

namespace query_shaper::bench {

double Quantile(std::vector<double> sample, double share) {
  if (sample.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(sample.begin(), sample.end());
  const double place = share * (sample.size() - 1);
  const size_t below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sample.size() - 1);
  return sample[below] + (place - below) * (sample[above] - sample[below]);
}

Spread SpreadOf(const std::vector<double>& sample) {
  Spread spread;
  spread.count = sample.size();
  spread.q1 = Quantile(sample, 0.25);
  spread.median = Quantile(sample, 0.5);
  spread.q3 = Quantile(sample, 0.75);
  if (sample.empty()) return spread;
  std::vector<double> sorted = sample;
  std::sort(sorted.begin(), sorted.end());
  const double n = static_cast<double>(sorted.size());
  const double reach = 0.98 * std::sqrt(n);  // 1.96 standard deviations of Binomial(n, 1/2)
  const auto at = [&](double rank) { return sorted[static_cast<size_t>(std::clamp(rank, 0.0, n - 1))]; };
  spread.low = at(std::floor(n / 2 - reach));
  spread.high = at(std::ceil(n / 2 + reach) - 1);
  return spread;
}

Json::Json(double number) : kind_(Kind::kScalar) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.10g", number);
  text_ = std::isfinite(number) ? buffer : "null";
}

Json::Json(const std::string& text) : kind_(Kind::kScalar) {
  text_ = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04x", c);
      text_ += buffer;
    } else {
      text_ += c;
    }
  }
  text_ += '"';
}

Json Json::Array() {
  Json array;
  array.kind_ = Kind::kArray;
  return array;
}

Json Json::Array(const std::vector<double>& numbers) {
  Json array = Array();
  for (const double number : numbers) array.Push(number);
  return array;
}

Json& Json::Set(const std::string& name, Json value) {
  members_.emplace_back(name, std::move(value));
  return *this;
}

Json& Json::Push(Json value) {
  members_.emplace_back("", std::move(value));
  return *this;
}

std::string Json::Dump(int indent) const {
  if (kind_ == Kind::kScalar) return text_;
  // Arrays of scalars stand on one line, or a trace would fill pages.
  bool flat = kind_ == Kind::kArray;
  for (const auto& member : members_) flat = flat && member.second.kind_ == Kind::kScalar;
  const std::string inner = flat ? "" : "\n" + std::string(indent + 2, ' ');
  std::string out = kind_ == Kind::kObject ? "{" : "[";
  for (size_t i = 0; i < members_.size(); i++) {
    out += i > 0 ? (flat ? ", " : ",") : "";
    out += inner;
    if (kind_ == Kind::kObject) out += Json(members_[i].first).text_ + ": ";
    out += members_[i].second.Dump(indent + 2);
  }
  if (!flat && !members_.empty()) out += "\n" + std::string(indent, ' ');
  return out + (kind_ == Kind::kObject ? "}" : "]");
}

Json ToJson(const Spread& spread) {
  Json json;
  json.Set("n", spread.count).Set("median", spread.median).Set("q1", spread.q1).Set("q3", spread.q3);
  json.Set("median_low", spread.low).Set("median_high", spread.high);
  return json;
}

void WriteResult(const Options& options, const std::string& name, Json result) {
  namespace fs = std::filesystem;
  char stamp[32];
  const std::time_t now = std::time(nullptr);
  std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", std::gmtime(&now));
  std::string revision =
      RunCommand("git -C " + ShellQuote(options.root) + " rev-parse --short HEAD 2>/dev/null").output;
  while (!revision.empty() && revision.back() == '\n') revision.pop_back();
  Json whole;
  whole.Set("bench", name).Set("at", std::string(stamp)).Set("revision", revision);
  whole.Set("cores", static_cast<double>(std::thread::hardware_concurrency())).Set("seed", double(options.seed()));
  whole.Set("result", std::move(result));
  const fs::path dir = options.Text("results", options.root + "/bench/results");
  fs::create_directories(dir);
  const fs::path file = dir / (name + "-" + stamp + ".json");
  std::ofstream stream(file);
  stream << whole.Dump() << "\n";
  stream.flush();
  if (!stream) throw std::runtime_error("could not write " + file.string());
  std::printf("written: %s\n", file.c_str());
}

bool Check(const std::string& text, double figure, double low, double high) {
  const bool met = figure >= low && figure <= high;
  std::printf("  target %-58s %8.3f  %s\n", text.c_str(), figure, met ? "met" : "MISSED");
  return met;
}

}  // namespace query_shaper::bench
