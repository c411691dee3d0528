// Replays recorded ticks through room `track` without a server: error of time left and coverage of its band, on a
// server that knows nothing, one that has seen other statements, and one that has seen the statement with other
// constants. What the server shows is a function of what was recorded, so a change of the model is judged in seconds
// and without noise.
//
//   eta_replay [--floor MS] [--template NAME] [--trace PHASE [--nodes]] [--wall] FILE...
//
// FILE: what bench/run.sh record writes. --template shows one template alone (the others still teach); --trace cold,
// first or repeated prints the total time shown at every tick of its runs, and --nodes its nodes. Time is the processor
// time of the process, which other load on the recording machine hardly touches, but for parallel plans and with
// --wall.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/track/recording.h"
#include "replayed_database.h"

namespace query_shaper {
namespace {

constexpr int kLessons = 2;  // runs of each other template that the server has seen

struct Run {
  std::string name;
  bool fresh = false;  // planned with nothing learned
  RecordedStart start;
  std::vector<PlanNode> plan;
  std::vector<RecordedTick> ticks;
  std::map<size_t, std::vector<double>> beliefs;    // told before that tick
  std::vector<std::vector<NodeCounters>> counters;  // of each tick, then of the end
  RecordedEnd end;
};

struct Choices {
  double floor_ms = 80;
  std::string only, trace;
  bool nodes = false;
  bool wall = false;
  std::vector<const char*> files;
};

template <typename Head, typename Rest>
void Split(const std::vector<char>& bytes, size_t count, Head* head, std::vector<Rest>* rest) {
  if (bytes.size() != sizeof(Head) + count * sizeof(Rest)) throw std::runtime_error("recorded by another revision");
  std::memcpy(static_cast<void*>(head), bytes.data(), sizeof(Head));
  rest->resize(count);
  if (count > 0) std::memcpy(static_cast<void*>(rest->data()), bytes.data() + sizeof(Head), count * sizeof(Rest));
}

// The driver names the template in a comment that the statement begins with.
std::string NameIn(const char* text) {
  const char* from = std::strstr(text, "/* ");
  const char* to = from == nullptr ? nullptr : std::strstr(from, " */");
  return to == nullptr ? "" : std::string(from + 3, to);
}

void ReadFile(const char* path, std::vector<Run>* runs) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(std::string("could not open ") + path);
  std::unique_ptr<Run> run;
  RecordHead head;
  while (in.read(reinterpret_cast<char*>(&head), sizeof head)) {
    std::vector<char> bytes(head.bytes);
    if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) break;
    if (head.kind == RecordKind::kStart) {
      run = std::make_unique<Run>();
      RecordedStart start;
      if (bytes.size() < sizeof start) throw std::runtime_error("recorded by another revision");
      std::memcpy(static_cast<void*>(&start), bytes.data(), sizeof start);
      Split(bytes, static_cast<size_t>(start.plan_count), &run->start, &run->plan);
      run->name = NameIn(start.text);
      const size_t mark = run->name.find(" fresh");
      run->fresh = mark != std::string::npos;
      run->name = run->name.substr(0, mark);
    } else if (run != nullptr && head.kind == RecordKind::kBelief) {
      std::vector<double> belief(bytes.size() / sizeof(double));
      std::memcpy(belief.data(), bytes.data(), belief.size() * sizeof(double));
      if (belief.size() == 2 * run->plan.size()) run->beliefs[run->ticks.size()] = std::move(belief);
    } else if (run != nullptr) {
      std::vector<NodeCounters> counters;
      const size_t head_bytes = head.kind == RecordKind::kTick ? sizeof(RecordedTick) : sizeof(RecordedEnd);
      // Planned anew in the middle.
      if (bytes.size() != head_bytes + run->plan.size() * sizeof(NodeCounters)) {
        run = nullptr;
        continue;
      }
      if (head.kind == RecordKind::kTick) {
        RecordedTick tick;
        Split(bytes, run->plan.size(), &tick, &counters);
        run->ticks.push_back(tick);
      } else {
        Split(bytes, run->plan.size(), &run->end, &counters);
      }
      run->counters.push_back(std::move(counters));
      if (head.kind == RecordKind::kEnd) {
        if (run->end.actual.complete && !run->name.empty()) runs->push_back(std::move(*run));
        run = nullptr;
      }
    }
  }
}

double TotalMs(const Run& run) { return run.end.tick.elapsed_ms; }

bool Parallel(const Run& run) {
  return std::any_of(run.plan.begin(), run.plan.end(), [](const PlanNode& node) { return node.workers > 0; });
}

// Tells the run's story by processor time.
void TellByProcessor(Run* run) {
  double rest = TotalMs(*run), total = 0;
  for (RecordedTick& tick : run->ticks) {
    rest = TotalMs(*run) - tick.tick.elapsed_ms;
    total = tick.tick.elapsed_ms = tick.tick.cpu_ms;
  }
  total += std::max(0.0, rest);
  run->end.tick.elapsed_ms = run->end.actual.targets[kTimeMs] = total;
}

double Quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

struct Figures {
  std::vector<double> errors;
  size_t inside = 0, runs = 0;
  void Print(const char* name) const {
    const auto over = [this](double limit) {
      return std::count_if(errors.begin(), errors.end(), [limit](double error) { return error > limit; });
    };
    if (errors.empty()) return;
    std::printf("  %-28s %4zu runs %6zu ticks  median %.3f p90 %.3f   over .2 %5td over .4 %5td   band %5.1f %%\n",
                name, runs, errors.size(), Quantile(errors, 0.5), Quantile(errors, 0.9), over(0.2), over(0.4),
                100.0 * static_cast<double>(inside) / static_cast<double>(errors.size()));
  }
};

using Phase = std::map<std::string, Figures>;

class Replay {
 public:
  explicit Replay(Choices choices) : choices_(std::move(choices)), plan_(std::make_unique<PlanTree>()) {
    for (const char* file : choices_.files) ReadFile(file, &runs_);
    for (Run& run : runs_) {
      if (!Parallel(run) && !choices_.wall) TellByProcessor(&run);
    }
    for (const Run& run : runs_) by_name_[run.name].push_back(&run);
  }

  void Go() {
    for (const auto& [name, own] : by_name_) {
      if (!choices_.only.empty() && name != choices_.only) continue;
      const bool any_fresh = std::any_of(own.begin(), own.end(), [](const Run* run) { return run->fresh; });
      for (const Run* run : own) {
        if (any_fresh && !run->fresh) continue;
        ReplayedDatabase nothing;
        Take(*run, &nothing, "cold", false);
      }
      // A database knows what ran in it.
      ReplayedDatabase others;
      for (int lesson = 0; lesson < kLessons; ++lesson) {
        for (const auto& [other, their] : by_name_) {
          if (other == name || static_cast<int>(their.size()) <= lesson) continue;
          const Run& run = *their[static_cast<size_t>(lesson)];
          if (run.start.database == own[0]->start.database) Take(run, &others, "", true);
        }
      }
      for (const Run* run : own) {
        if (any_fresh && !run->fresh) continue;
        ReplayedDatabase copy(others);
        Take(*run, &copy, "first", false);
      }
      bool seen = false;
      for (const Run* run : own) {
        if (run->fresh) continue;
        Take(*run, &others, seen ? "repeated" : "", true);
        seen = true;
      }
    }
    for (const char* phase : {"cold", "first", "repeated"}) Print(phase);
  }

 private:
  void Take(const Run& run, ReplayedDatabase* database, const std::string& phase, bool learn) {
    PlanTree& plan = *plan_;
    plan = PlanTree{};
    plan.count = static_cast<int32_t>(run.plan.size());
    plan.query_id = run.start.query_id;
    plan.uses_jit = run.start.uses_jit;
    plan.to_client = run.start.to_client;
    plan.command = run.start.command;
    std::copy(run.plan.begin(), run.plan.end(), plan.nodes);
    const std::string query = std::to_string(run.start.query_id);
    const Estimate estimate = database->Predict(query, run.start.fingerprint, run.start.features, run.start.at_s);
    auto progress = std::make_unique<Progress>();
    const Pace* pace = database->PaceOf(query, run.start.fingerprint);
    progress->Begin(plan, estimate, pace, &database->models().band);
    const double total_ms = TotalMs(run);
    const bool counts = !phase.empty() && total_ms >= choices_.floor_ms;
    const bool trace = counts && choices_.trace == phase;
    if (trace) {
      std::printf("%s: %.0f ms, predicted %.0f (log sd %.2f), seen %.1f, shape %016llx%s\n ", run.name.c_str(),
                  total_ms, estimate.targets[kTimeMs].value, estimate.log_sd, estimate.seen,
                  static_cast<unsigned long long>(run.start.fingerprint), pace != nullptr ? ", pace known" : "");
    }
    std::vector<Figures*> all;
    if (counts) {
      all.push_back(&phases_[phase][run.name]);
      all.push_back(&phases_[phase][Parallel(run) ? "~ parallel" : "~ alone"]);
      if (phase == "repeated") all.push_back(&phases_[phase][pace != nullptr ? "~ plan known" : "~ plan new"]);
    }
    for (Figures* figures : all) ++figures->runs;
    for (size_t i = 0; i < run.ticks.size(); ++i) {
      const Tick& tick = run.ticks[i].tick;
      const auto belief = run.beliefs.find(i);
      if (belief != run.beliefs.end()) {
        progress->Believe(plan, belief->second.data(), belief->second.data() + run.plan.size());
      }
      const TimeLeft left = progress->Update(plan, run.counters[i].data(), tick);
      if (!counts) continue;
      const double truth = total_ms - tick.elapsed_ms;
      for (Figures* figures : all) {
        figures->errors.push_back(std::fabs(left.eta_ms - truth) / total_ms);
        figures->inside += truth >= left.low_ms && truth <= left.high_ms;
      }
      if (trace) std::printf(" %.0f>%.0f", tick.elapsed_ms, tick.elapsed_ms + left.eta_ms);
      if (trace && choices_.nodes) PrintNodes(run, run.counters[i], *progress);
    }
    if (trace) std::printf("\n");
    if (!learn) return;
    PaceSample sample;
    progress->Finish(plan, run.counters.back().data(), total_ms, &sample);
    database->Learn(query, run.start.fingerprint, run.start.features, estimate, run.end.actual, sample, run.start.at_s);
  }

  static void PrintNodes(const Run& run, const std::vector<NodeCounters>& counters, const Progress& progress) {
    std::printf("  work x%.2f speed x%.2f\n", progress.work_ratio(), progress.speed_ratio());
    for (size_t i = 0; i < run.plan.size(); ++i) {
      const NodeProgress& node = progress.nodes()[i];
      std::printf("    %*s%-18s planned %.0f rows %.0f of %.0f, %.0f %%, position %.0f of %.0f\n", run.plan[i].depth,
                  "", OperatorName(run.plan[i].op), run.plan[i].rows, counters[i].rows, node.refined_rows,
                  100 * node.progress, counters[i].done_units, counters[i].total_units);
    }
  }

  void Print(const char* phase) const {
    const auto found = phases_.find(phase);
    if (found == phases_.end()) return;
    Figures all;
    for (const auto& [name, figures] : found->second) {
      if (name[0] == '~') continue;
      all.errors.insert(all.errors.end(), figures.errors.begin(), figures.errors.end());
      all.inside += figures.inside;
      all.runs += figures.runs;
    }
    std::printf("%s: %zu templates\n", phase, found->second.size());
    for (const auto& [name, figures] : found->second) figures.Print(name.c_str());
    all.Print("all");
  }

  Choices choices_;
  std::vector<Run> runs_;
  std::map<std::string, std::vector<const Run*>> by_name_;
  std::map<std::string, Phase> phases_;
  std::unique_ptr<PlanTree> plan_;
};

}  // namespace
}  // namespace query_shaper

int main(int argc, char** argv) {
  query_shaper::Choices choices;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--nodes") {
      choices.nodes = true;
    } else if (option == "--wall") {
      choices.wall = true;
    } else if (option.rfind("--", 0) == 0 && i + 1 < argc) {
      if (option == "--floor") choices.floor_ms = std::atof(argv[++i]);
      if (option == "--template") choices.only = argv[++i];
      if (option == "--trace") choices.trace = argv[++i];
    } else {
      choices.files.push_back(argv[i]);
    }
  }
  if (choices.files.empty()) {
    std::fputs("usage: eta_replay [--floor MS] [--template NAME] [--trace PHASE [--nodes]] [--wall] FILE...\n", stderr);
    return 2;
  }
  try {
    query_shaper::Replay(choices).Go();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "eta_replay: %s\n", error.what());
    return 1;
  }
  return 0;
}
