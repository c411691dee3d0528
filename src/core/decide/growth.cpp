#include "core/decide/growth.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {

namespace {

constexpr double kLooksAhead = 4;     // growth is extrapolated so many looks
constexpr double kFullShare = 0.5;    // of the limit: its next doubling passes it
constexpr double kRoomShare = 0.9;    // of the limit, that one which grows row by row may be expected to fill
constexpr double kMargin = 1.3;       // over what is expected to be needed
constexpr double kWorstMargin = 2;    // the same where it must not be wrong
constexpr double kLeastGrowth = 2;    // a smaller step would soon have to be followed by another
constexpr double kLeastRows = 64;     // before which bytes per row mean nothing
constexpr double kBlindGrowth = 1.5;  // rows still to come at least, per row held: nobody expected even these

}  // namespace

GrowthAnswer JudgeGrowth(const GrowthQuestion& question) {
  GrowthAnswer answer;
  const double figures[] = {question.used_kb,      question.used_before_kb, question.allowed_kb, question.held_rows,
                            question.planned_rows, question.expected_rows,  question.spare_kb};
  for (double figure : figures)
    if (!std::isfinite(figure) || figure < 0) return answer;
  if (question.allowed_kb <= 0 || question.held_rows < kLeastRows || question.used_kb <= 0) return answer;
  double step = std::max(0.0, question.used_kb - question.used_before_kb);
  bool soon = question.used_kb + kLooksAhead * step >= question.allowed_kb ||
              question.used_kb >= kFullShare * question.allowed_kb;
  if (!soon) return answer;
  double rows = std::max(question.expected_rows, question.held_rows);
  if (question.held_rows > question.planned_rows) rows = std::max(rows, kBlindGrowth * question.held_rows);
  answer.needed_kb = question.used_kb * rows / question.held_rows;
  double enough = question.only_if_sure ? kFullShare : kRoomShare;
  if (answer.needed_kb <= enough * question.allowed_kb) return answer;  // it will stay within its plan
  double most_kb = question.allowed_kb + question.spare_kb;
  if (question.only_if_sure) {
    // The array of buckets doubles as a whole.
    double worst_rows = question.most_rows >= 0 ? std::max(question.most_rows, rows) : HUGE_VAL;
    answer.needed_kb = std::min(kWorstMargin * question.used_kb * worst_rows / question.held_rows, 1e15);
  }
  if (answer.needed_kb > most_kb) {
    answer.verdict = GrowthVerdict::kDecline;
    return answer;
  }
  // As far as the last doubling of a table's array may take it.
  double wanted_kb = std::max(kMargin * answer.needed_kb, kLeastGrowth * question.allowed_kb);
  answer.allowed_kb = std::min(wanted_kb, most_kb);
  if (answer.allowed_kb > question.allowed_kb) answer.verdict = GrowthVerdict::kGrow;
  return answer;
}

}  // namespace query_shaper
