// Replays collected plans and outcomes through room `predict` without a server: q-error and coverage of runs seen
// before and of left-out templates, and the cost of each call.
//
//   predict_replay ROWS      ROWS: what bench/core/collect_plans.py wrote
//
// Of every run one line `R template database ms memory_kb rows temp_kb blocks at nodes`, then a line of numbers per
// node.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/plan/fingerprint.h"
#include "replayed_database.h"
#include "core/predict/predict.h"

namespace query_shaper {
namespace {

constexpr int kCollected = kBlocks + 1;  // targets that collect_plans.py knows

struct Run {
  std::string query, database;
  Actual actual;
  double at_s = 0;
  FeatureVector features;
  PlanSequence sequence;
  uint64_t fingerprint = 0;
};

void ReadNode(const std::string& line, PlanNode* node) {
  std::istringstream in(line);
  char tag;
  int depth, role, op, join, agg, parallel, gather, bounded, distinct, backward, workers, keys, quals, aggregates;
  in >> tag >> node->node_id >> node->parent >> depth >> role >> op >> join >> agg >> parallel >> gather >> bounded >>
      distinct >> backward >> workers >> keys >> quals >> aggregates >> node->width >> node->rows >>
      node->startup_cost >> node->total_cost >> node->groups >> node->limit_rows >> node->relation_pages >>
      node->relation_rows >> node->index_pages >> node->cached_share >> node->memory_limit_kb >> node->relation_name >>
      node->index_name;
  if (!in) throw std::runtime_error("a line of a node is damaged: " + line);
  node->depth = static_cast<int16_t>(depth);
  node->role = static_cast<ChildRole>(role);
  node->op = static_cast<Operator>(op);
  node->join = static_cast<JoinKind>(join);
  node->agg = static_cast<AggStrategy>(agg);
  node->parallel_aware = parallel != 0;
  node->under_gather = gather != 0;
  node->bounded = bounded != 0;
  node->distinct_input = distinct != 0;
  node->backward = backward != 0;
  node->workers = static_cast<int16_t>(workers);
  node->keys = static_cast<int16_t>(keys);
  node->quals = static_cast<int16_t>(quals);
  node->aggregates = static_cast<int16_t>(aggregates);
}

std::vector<Run> ReadRuns(const char* path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error(std::string("could not open ") + path);
  std::vector<Run> runs;
  std::map<std::string, double> last_s;
  auto plan = std::make_unique<PlanTree>();
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream head(line);
    Run run;
    char tag;
    int nodes = 0;
    head >> tag >> run.query >> run.database;
    for (int t = 0; t < kCollected; ++t) head >> run.actual.targets[t];
    run.actual.targets[kCpuMs] = run.actual.targets[kTimeMs];  // one process, all in memory
    head >> run.at_s >> nodes;
    if (!head || tag != 'R') throw std::runtime_error("a line of a run is damaged: " + line);
    run.actual.complete = true;
    *plan = PlanTree{};
    plan->to_client = false;  // EXPLAIN sends no rows
    for (int i = 0; i < nodes && std::getline(in, line); ++i) {
      if (i < kMaxPlanNodes) ReadNode(line, &plan->nodes[plan->count++]);
    }
    Moment moment;
    moment.hour = 12;
    const auto before = last_s.find(run.query);
    if (before != last_s.end()) moment.seconds_since_last_run = run.at_s - before->second;
    last_s[run.query] = run.at_s;
    run.features = ExtractFeatures(*plan, moment);
    ExtractSequence(*plan, moment, &run.sequence);
    run.fingerprint = PlanFingerprint(*plan);
    runs.push_back(std::move(run));
  }
  return runs;
}

class Errors {
 public:
  void Add(const Quantity& predicted, double actual) {
    const double ratio = std::max(predicted.value, 1e-3) / std::max(actual, 1e-3);
    errors_.push_back(std::max(ratio, 1 / ratio));
    held_ += actual >= predicted.low && actual <= predicted.high;
  }
  void Print(const char* name) {
    if (errors_.empty()) return;
    std::sort(errors_.begin(), errors_.end());
    const auto at = [this](double share) {
      return errors_[std::min(errors_.size() - 1, static_cast<size_t>(share * static_cast<double>(errors_.size())))];
    };
    std::printf("%-34s %5zu runs  q-error p50 %.3f p90 %.3f p95 %.3f  interval holds %.1f %%\n", name, errors_.size(),
                at(0.5), at(0.9), at(0.95), 100.0 * held_ / static_cast<double>(errors_.size()));
  }

 private:
  std::vector<double> errors_;
  int held_ = 0;
};

Estimate Predict(const ReplayedDatabase& database, const Run& run) {
  return database.Predict(run.query, run.fingerprint, run.features, run.at_s, &run.sequence);
}

void Learn(const Run& run, const Estimate& made, ReplayedDatabase* database) {
  database->Learn(run.query, run.fingerprint, run.features, made, run.actual, PaceSample{}, run.at_s, &run.sequence);
}

double MicrosecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

double Median(std::vector<double>* values) {
  if (values->empty()) return 0;
  const auto middle = values->begin() + static_cast<std::ptrdiff_t>(values->size() / 2);
  std::nth_element(values->begin(), middle, values->end());
  return *middle;
}

void ReplayInOrder(const std::vector<Run>& runs) {
  std::map<std::string, ReplayedDatabase> databases;
  Errors first, second, seen;
  std::vector<double> predict_us, learn_us;
  for (const Run& run : runs) {
    ReplayedDatabase& database = databases[run.database];
    const auto start = std::chrono::steady_clock::now();
    const Estimate made = Predict(database, run);
    predict_us.push_back(MicrosecondsSince(start));
    const int before = database.Runs(run.query);
    (before == 0 ? first : seen).Add(made.targets[kTimeMs], run.actual.targets[kTimeMs]);
    if (before == 1) second.Add(made.targets[kTimeMs], run.actual.targets[kTimeMs]);
    const auto learning = std::chrono::steady_clock::now();
    Learn(run, made, &database);
    learn_us.push_back(MicrosecondsSince(learning));
  }
  first.Print("first runs");
  second.Print("second runs");
  seen.Print("seen before, other constants");
  // Medians: a loaded machine interrupts some calls.
  std::printf("predict %.1f us, learn %.1f us a call\n", Median(&predict_us), Median(&learn_us));
}

// Statements are dealt into folds; each fold is predicted by what was learned from the others.
void ReplayFolds(const std::vector<Run>& runs) {
  constexpr int kFolds = 8;
  constexpr Target kTold[] = {kTimeMs, kMemoryKb, kTempKb, kBlocks, kRows};
  std::map<std::string, int> fold_of;
  for (const Run& run : runs) fold_of.emplace(run.query, static_cast<int>(fold_of.size()) % kFolds);
  std::map<std::string, Errors> errors;
  double training_ms = 0, sequence_us = 0;
  int asked = 0, versions = 0;
  for (int fold = 0; fold < kFolds; ++fold) {
    std::map<std::string, ReplayedDatabase> databases;
    size_t learned = 0;
    for (const Run& run : runs) {
      ReplayedDatabase& database = databases["all"];
      if (fold_of[run.query] == fold) continue;
      Learn(run, Predict(database, run), &database);
      if (++learned % 60 != 0) continue;
      const auto start = std::chrono::steady_clock::now();
      versions += database.TrainSequence();
      training_ms += MicrosecondsSince(start) / 1000;
    }
    for (const Run& run : runs) {
      if (fold_of[run.query] != fold) continue;
      const ReplayedDatabase& database = databases["all"];
      const auto start = std::chrono::steady_clock::now();
      SequenceAnswer answer;
      AnswerSequence(database.sequence(), run.sequence, &answer);
      sequence_us += MicrosecondsSince(start);
      ++asked;
      const Estimate made = Predict(database, run);
      const Estimate without = database.Predict(run.query, run.fingerprint, run.features, run.at_s);
      for (const Target t : kTold) {
        const double actual = run.actual.targets[t] + 1;
        const auto add = [&](const char* name, double value) {
          errors[std::string(TargetName(t)) + " " + name].Add(
              {value + 1, made.targets[t].low + 1, made.targets[t].high + 1}, actual);
        };
        for (int m = 0; m < kModels; ++m)
          if (made.model_value[m][t] >= 0) add(OriginName(static_cast<Origin>(m)), made.model_value[m][t]);
        add("blend", made.targets[t].value);
        add("blend without sequence", without.targets[t].value);
      }
    }
  }
  std::printf("left out, %d folds; %d versions of the sequence member, %.0f ms of training, %.1f us an answer\n",
              kFolds, versions, training_ms, sequence_us / std::max(asked, 1));
  for (auto& [name, of_name] : errors) of_name.Print(name.c_str());
}

}  // namespace
}  // namespace query_shaper

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: predict_replay ROWS\nROWS is what bench/core/collect_plans.py writes.\n", stderr);
    return 2;
  }
  try {
    const auto runs = query_shaper::ReadRuns(argv[1]);
    query_shaper::ReplayInOrder(runs);
    query_shaper::ReplayFolds(runs);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "predict_replay: %s\n", error.what());
    return 1;
  }
  return 0;
}
