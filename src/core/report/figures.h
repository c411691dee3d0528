// Figures as people read them: durations, counts, sizes; no locale, no clock.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace query_shaper {

// With `decimals` digits behind the point; "-" for what is not finite.
std::string FixedText(double value, int decimals);

// At most six characters up to 999 days: "0.4ms", "850ms", "12.3s", "59m59s", "2h03m", "3d04h". Negative: "-".
std::string DurationText(double ms);

// At most five characters below 10^15: "999", "1.2k", "35.0k", "2.4M". Negative: "-".
std::string CountText(double count);

// From kB: "640 kB", "12.5 MB". Negative: "-".
std::string SizeText(int64_t kb);

// Padded with blanks to `width` characters of UTF-8; never cut.
std::string PadLeft(std::string_view text, int width);
std::string PadRight(std::string_view text, int width);

}  // namespace query_shaper
