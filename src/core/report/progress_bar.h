// The progress bar of view `activity`: one line of fixed width with time left and its 80 % band, made for \watch.
#pragma once
#include <string>

namespace query_shaper {

constexpr int kBarColumns = 72;

struct BarFigures {
  double progress = 0;  // 0..1
  double eta_ms = -1;   // time left; negative: not known yet
  double low_ms = -1;
  double high_ms = -1;
  const char* state = "";  // "paused", "queued", "replanning"; empty while running
  bool stalled = false;
};

// "[#########...........]  45% left 12.3s (10.1s..15.0s) stalled", blanks up to kBarColumns.
std::string ProgressBar(const BarFigures& figures);

}  // namespace query_shaper
