// Predictions made just before statements run, and what was then measured, for benches of room `predict`.
//
// Templates are dealt into folds. A fold's templates are left out while the server learns from the others; their first
// runs are "left out", the runs after it, each with other constants, are "seen". Every prediction is made before its
// statement runs.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "driver.h"
#include "driver_templates.h"

namespace query_shaper::bench {

struct TargetFigures {
  double predicted = 0, low = 0, high = 0;
  double actual = -1;                     // as the server measured it; negative: it did not tell
  std::map<std::string, double> members;  // what each model says
  std::map<std::string, double> weights;  // and weighs
};

struct ExamRun {
  const Template* query = nullptr;
  std::string origin;
  double client_ms = 0;
  double planner_memory_kb = 0;
  std::map<std::string, TargetFigures> targets;  // by name: time_ms, memory_kb, ...
};

struct Exam {
  std::vector<ExamRun> left_out, seen;
  size_t failed = 0;
};

// Options --folds, --repeats, --train-runs, --timeout. planner_memory: asks the planner with query_shaper off, too.
Exam Examine(const Options& options, Laboratory* laboratory, bool planner_memory, std::mt19937_64* random);

// |log2| of predicted over actual; both raised by `slack`, below which a difference means nothing.
double LogError(double predicted, double actual, double slack);

// Per target a row per model: q-error on left-out and on seen templates, and what the blend would be without it. Says
// which models add nothing.
void PrintMembers(const Exam& exam, double shortest_ms, Json* json);

}  // namespace query_shaper::bench
