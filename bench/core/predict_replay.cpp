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

struct Run {
  std::string query, database;
  Actual actual;
  double at_s = 0;
  FeatureVector features;
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
    for (double& target : run.actual.targets) head >> target;
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
  return database.Predict(run.query, run.fingerprint, run.features);
}

void Learn(const Run& run, const Estimate& made, ReplayedDatabase* database) {
  database->Learn(run.query, run.fingerprint, run.features, made, run.actual, PaceSample{}, run.at_s);
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

void ReplayLeavingOneOut(const std::vector<Run>& runs) {
  std::map<std::string, std::string> queries;
  for (const Run& run : runs) queries[run.query] = run.database;
  Errors left_out;
  for (const auto& [query, name] : queries) {
    ReplayedDatabase database;
    for (const Run& run : runs) {
      if (run.database == name && run.query != query) Learn(run, Predict(database, run), &database);
    }
    for (const Run& run : runs) {
      if (run.query == query) left_out.Add(Predict(database, run).targets[kTimeMs], run.actual.targets[kTimeMs]);
    }
  }
  left_out.Print("left out, learned from the others");
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
    query_shaper::ReplayLeavingOneOut(runs);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "predict_replay: %s\n", error.what());
    return 1;
  }
  return 0;
}
