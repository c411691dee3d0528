#include "core/report/progress_bar.h"

#include <cmath>

#include "core/report/figures.h"

namespace query_shaper {

std::string ProgressBar(const BarFigures& figures) {
  constexpr int kCells = 20;
  const double progress = figures.progress > 0 ? std::fmin(figures.progress, 1) : 0;  // NaN too
  // Rounded down: only a finished statement is shown as full.
  const int cells = static_cast<int>(progress * kCells);
  std::string bar = "[" + std::string(cells, '#') + std::string(kCells - cells, '.') + "] ";
  bar += PadLeft(std::to_string(static_cast<int>(progress * 100)) + "%", 4);
  if (figures.eta_ms >= 0) {
    bar += " left " + DurationText(figures.eta_ms);
    if (figures.low_ms >= 0 && figures.high_ms >= figures.low_ms)
      bar += " (" + DurationText(figures.low_ms) + ".." + DurationText(figures.high_ms) + ")";
  }
  if (figures.state[0] != '\0') bar += std::string(" ") + figures.state;
  if (figures.stalled) bar += " stalled";
  return PadRight(bar, kBarColumns);
}

}  // namespace query_shaper
