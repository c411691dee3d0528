#include "core/report/figures.h"

#include <charconv>
#include <cmath>

namespace query_shaper {
namespace {

int Columns(std::string_view text) {
  int columns = 0;
  for (unsigned char byte : text) columns += (byte & 0xC0) != 0x80;
  return columns;
}

std::string TwoDigits(int64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); }

}  // namespace

std::string FixedText(double value, int decimals) {
  if (!std::isfinite(value)) return "-";
  if (std::fabs(value) > 1e18) value = std::copysign(1e18, value);
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, decimals);
  return std::string(digits, end.ptr);
}

std::string DurationText(double ms) {
  if (!(ms >= 0)) return "-";
  if (ms < 9.95) return FixedText(ms, 1) + "ms";
  if (ms < 999.5) return FixedText(ms, 0) + "ms";
  if (ms < 59950) return FixedText(ms / 1000, 1) + "s";
  constexpr double kLongest = 1e9 * 86400;  // seconds: anything longer is shown as this
  const int64_t seconds = std::llround(std::fmin(ms / 1000, kLongest));
  const int64_t minutes = seconds / 60;
  if (minutes < 60) return std::to_string(minutes) + "m" + TwoDigits(seconds % 60) + "s";
  const int64_t hours = minutes / 60;
  if (hours < 24) return std::to_string(hours) + "h" + TwoDigits(minutes % 60) + "m";
  return std::to_string(hours / 24) + "d" + TwoDigits(hours % 24) + "h";
}

std::string CountText(double count) {
  if (!(count >= 0)) return "-";
  if (count < 999.5) return FixedText(count, 0);
  static constexpr char kUnits[] = {'k', 'M', 'G', 'T'};
  double scaled = count / 1000;
  size_t unit = 0;
  while (scaled >= 999.95 && unit + 1 < sizeof kUnits) {
    scaled /= 1000;
    ++unit;
  }
  return FixedText(scaled, scaled < 99.95 ? 1 : 0) + kUnits[unit];
}

std::string SizeText(int64_t kb) {
  if (kb < 0) return "-";
  if (kb < 10000) return std::to_string(kb) + " kB";
  const double mb = static_cast<double>(kb) / 1024;
  if (mb < 10000) return FixedText(mb, 1) + " MB";
  return FixedText(mb / 1024, 1) + " GB";
}

std::string PadLeft(std::string_view text, int width) {
  const int missing = width - Columns(text);
  return std::string(missing > 0 ? missing : 0, ' ').append(text);
}

std::string PadRight(std::string_view text, int width) {
  const int missing = width - Columns(text);
  return std::string(text).append(missing > 0 ? missing : 0, ' ');
}

}  // namespace query_shaper
