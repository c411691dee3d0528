// eta: |time left shown - time left in truth| / total time, polled from a second session.
//
// Phases.  cold: after reset(), the server knows nothing.  first: the template was never seen, the others were
// (templates are dealt into folds; each fold is watched on a server that learned from the rest alone).  repeated: the
// same template again with other constants.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

#include "driver.h"
#include "driver_baselines.h"
#include "driver_templates.h"
#include "driver_watch.h"

namespace query_shaper::bench {

namespace {

enum Method { kOurs = 0, kElapsedProgress, kDne, kTgn, kPrevious, kMethods };
const char* const kMethodNames[kMethods] = {"query_shaper", "elapsed/progress", "DNE", "TGN", "previous - elapsed"};
const double kShares[] = {0.10, 0.25, 0.50, 0.75, 0.90};

struct Figures {
  double floor_ms = 0;  // shorter runs give too few polls to say anything
  size_t runs = 0, shorter = 0, failed = 0, polls = 0, unseen = 0, inside = 0;
  std::array<std::vector<double>, kMethods> errors;                    // of every poll
  std::array<std::vector<double>, kMethods> weights;                   // of these: polls of one run sum up to 1
  std::array<std::array<std::vector<double>, 5>, kMethods> at_shares;  // of the poll nearest to each share of the run
  std::map<std::string, std::vector<double>> by_template;              // our errors
  std::map<std::string, size_t> inside_by_template;
};

std::array<double, kMethods> TimesLeft(const Poll& poll, double previous_ms) {
  const Baselines baselines = BaselinesOf(poll);
  return {poll.eta_ms, baselines.elapsed_progress_ms, baselines.dne_ms, baselines.tgn_ms,
          previous_ms > 0 ? std::max(0.0, previous_ms - poll.at_ms) : -1};
}

void Take(const Template& query, const WatchedRun& run, double previous_ms, Figures* figures) {
  if (!run.error.empty()) {
    std::printf("  %s: %s\n", query.name.c_str(), run.error.substr(0, 160).c_str());
    figures->failed++;
    return;
  }
  if (run.total_ms < figures->floor_ms) {
    figures->shorter++;
    return;
  }
  figures->runs++;
  figures->unseen += run.unseen;
  for (const Poll& poll : run.polls) {
    const double left = run.total_ms - poll.at_ms;
    if (left < 0) continue;
    figures->polls++;
    const bool inside = left >= poll.low_ms && left <= poll.high_ms;
    figures->inside += inside;
    figures->inside_by_template[query.name] += inside;
    const auto shown = TimesLeft(poll, previous_ms);
    for (int method = 0; method < kMethods; method++) {
      if (shown[method] < 0) continue;
      figures->errors[method].push_back(std::fabs(shown[method] - left) / run.total_ms);
      figures->weights[method].push_back(1.0 / double(run.polls.size()));
    }
    figures->by_template[query.name].push_back(std::fabs(poll.eta_ms - left) / run.total_ms);
  }
  for (int share = 0; share < 5; share++) {
    const double wanted = kShares[share] * run.total_ms;
    const Poll* nearest = nullptr;
    for (const Poll& poll : run.polls) {
      if (nearest == nullptr || std::fabs(poll.at_ms - wanted) < std::fabs(nearest->at_ms - wanted)) nearest = &poll;
    }
    if (nearest == nullptr || std::fabs(nearest->at_ms - wanted) > 0.05 * run.total_ms) continue;
    const auto shown = TimesLeft(*nearest, previous_ms);
    for (int method = 0; method < kMethods; method++) {
      if (shown[method] < 0) continue;
      const double left = run.total_ms - nearest->at_ms;
      figures->at_shares[method][share].push_back(std::fabs(shown[method] - left) / run.total_ms);
    }
  }
}

// A run of ten seconds has many more polls than one of half a second; here both weigh the same.
double WeightedQuantile(const std::vector<double>& sample, const std::vector<double>& weights, double share) {
  std::vector<std::pair<double, double>> sorted;
  double whole = 0;
  for (size_t i = 0; i < sample.size(); i++) {
    sorted.emplace_back(sample[i], weights[i]);
    whole += weights[i];
  }
  std::sort(sorted.begin(), sorted.end());
  double below = 0;
  for (const auto& [value, weight] : sorted) {
    below += weight;
    if (below >= share * whole) return value;
  }
  return std::nan("");
}

double Coverage(const Figures& figures) {
  return figures.polls > 0 ? double(figures.inside) / double(figures.polls) : std::nan("");
}

Json Print(const std::string& phase, const Figures& figures) {
  std::printf(
      "%s: %zu templates, %zu runs, %zu polls (%zu before it was shown); %zu runs under %.0f ms and %zu failed left "
      "out\n",
      phase.c_str(), figures.by_template.size(), figures.runs, figures.polls, figures.unseen, figures.shorter,
      figures.floor_ms, figures.failed);
  std::printf("  %-20s %7s %7s   %s\n", "|error| / total", "median", "p90",
              "median (p90) at 10 25 50 75 90 % of the run");
  Json methods;
  for (int method = 0; method < kMethods; method++) {
    if (figures.errors[method].empty()) continue;
    const Spread spread = SpreadOf(figures.errors[method]);
    const double p90 = Quantile(figures.errors[method], 0.9);
    const double run_median = WeightedQuantile(figures.errors[method], figures.weights[method], 0.5);
    const double run_p90 = WeightedQuantile(figures.errors[method], figures.weights[method], 0.9);
    std::printf("  %-20s %7.3f %7.3f (%.3f  %6.3f)  ", kMethodNames[method], spread.median, p90, run_median, run_p90);
    Json json = ToJson(spread);
    json.Set("p90", p90).Set("median_runs_alike", run_median).Set("p90_runs_alike", run_p90);
    Json at = Json::Array();
    for (int share = 0; share < 5; share++) {
      const auto& errors = figures.at_shares[method][share];
      std::printf(" %.3f (%.3f)", Quantile(errors, 0.5), Quantile(errors, 0.9));
      Json point;
      point.Set("share", kShares[share]).Set("n", errors.size());
      at.Push(point.Set("median", Quantile(errors, 0.5)).Set("p90", Quantile(errors, 0.9)));
    }
    std::printf("\n");
    methods.Set(kMethodNames[method], std::move(json.Set("at", std::move(at))));
  }
  std::printf("  true time left inside [eta_low, eta_high]: %.1f %% of polls\n", 100 * Coverage(figures));

  std::vector<std::pair<double, std::string>> worst;
  Json by_template;
  for (const auto& [name, errors] : figures.by_template) {
    worst.emplace_back(Quantile(errors, 0.5), name);
    Json json;
    json.Set("polls", errors.size()).Set("median", Quantile(errors, 0.5)).Set("p90", Quantile(errors, 0.9));
    const double inside = double(figures.inside_by_template.at(name)) / double(errors.size());
    by_template.Set(name, std::move(json.Set("coverage", inside)));
  }
  std::sort(worst.rbegin(), worst.rend());
  std::printf("  hardest:");
  for (size_t i = 0; i < worst.size() && i < 5; i++) std::printf(" %s %.2f", worst[i].second.c_str(), worst[i].first);
  std::printf("\n");
  std::fflush(stdout);

  Json json;
  json.Set("runs", figures.runs).Set("shorter", figures.shorter).Set("failed", figures.failed);
  json.Set("polls", figures.polls).Set("unseen", figures.unseen).Set("coverage", Coverage(figures));
  return json.Set("methods", std::move(methods)).Set("templates", std::move(by_template));
}

Json Trace(const std::string& phase, const Template& query, const WatchedRun& run, double previous_ms) {
  Json polls = Json::Array();
  for (const Poll& poll : run.polls) {
    const auto shown = TimesLeft(poll, previous_ms);
    polls.Push(Json::Array({poll.at_ms, poll.progress, poll.eta_ms, poll.low_ms, poll.high_ms, shown[kElapsedProgress],
                            shown[kDne], shown[kTgn], shown[kPrevious]}));
  }
  Json json;
  json.Set("phase", phase).Set("template", query.name).Set("sql", run.sql).Set("total_ms", run.total_ms);
  json.Set("error", run.error).Set("unseen", run.unseen);
  return json.Set("polls", std::move(polls));
}

bool CheckPhase(const std::string& phase, const Figures& figures, double median, double p90) {
  bool met = Check(phase + ", templates >= 20", double(figures.by_template.size()), 20, 1e9);
  char text[80];
  std::snprintf(text, sizeof text, "%s, median <= %.2f", phase.c_str(), median);
  met = Check(text, Quantile(figures.errors[kOurs], 0.5), 0, median) && met;
  std::snprintf(text, sizeof text, "%s, p90 <= %.2f", phase.c_str(), p90);
  met = Check(text, Quantile(figures.errors[kOurs], 0.9), 0, p90) && met;
  for (int method = kElapsedProgress; method < kMethods; method++) {
    if (figures.errors[method].empty()) continue;
    for (const double share : {0.5, 0.9}) {
      std::snprintf(text, sizeof text, "%s, %s no higher than of %s", phase.c_str(), share == 0.5 ? "median" : "p90",
                    kMethodNames[method]);
      met = Check(text, Quantile(figures.errors[kOurs], share), 0, Quantile(figures.errors[method], share)) && met;
    }
  }
  return Check(phase + ", band holds 0.75 to 0.88 of polls", Coverage(figures), 0.75, 0.88) && met;
}

}  // namespace

Verdict RunEta(const Options& options) {
  const double interval_ms = options.Number("interval", 10);
  const double timeout_ms = options.Number("timeout", 30000);
  const double shortest_ms = options.Number("shortest", 250);
  const double longest_ms = options.Number("longest", 15000);
  const double floor_ms = options.Number("floor", 80);
  const size_t at_least = static_cast<size_t>(options.Number("watch", 45));
  const int folds = static_cast<int>(options.Number("folds", 4));
  const int repeats = static_cast<int>(options.Number("repeats", 5));
  const int train_runs = static_cast<int>(options.Number("train-runs", 2));
  const bool cold = !options.Has("no-cold");

  Laboratory laboratory(options, {"shared_buffers = '1GB'", "max_wal_size = '4GB'"});
  std::map<std::string, std::unique_ptr<Watcher>> watchers;
  for (const Template& query : laboratory.templates) {
    auto& watcher = watchers[query.data];
    if (watcher == nullptr) watcher = std::make_unique<Watcher>(laboratory.Connection(query));
  }
  const auto watcher = [&](const Template& query) { return watchers[query.data].get(); };
  const auto text_of = [&](const Template& query, const std::string& round) {
    std::mt19937_64 draw = RandomOf(options, query.name + " " + round);
    return Instantiate(query, &watcher(query)->runner(), &draw);
  };

  // Which templates run long enough; the extension looks away, caches get warm.
  std::vector<const Template*> watched, others;
  std::vector<std::pair<double, const Template*>> by_duration;
  Json durations;
  for (auto& [data, one] : watchers) {
    pqxx::nontransaction transaction(one->runner());
    transaction.exec("SET query_shaper.mode = off");
  }
  for (const Template& query : laboratory.templates) {
    std::vector<double> times;
    for (int i = 0; i < 3; i++) {
      const WatchedRun run = watcher(query)->RunUnwatched(text_of(query, "measured " + std::to_string(i)), timeout_ms);
      times.push_back(run.error.empty() ? run.total_ms : timeout_ms);
    }
    const double median = Quantile(times, 0.5);
    durations.Set(query.name, median);
    by_duration.emplace_back(median, &query);
  }
  // A fast machine runs most templates in less than --shortest: then the longest ones are watched, down to the floor.
  std::sort(by_duration.rbegin(), by_duration.rend());
  for (const auto& [median, query] : by_duration) {
    const bool long_enough = median >= shortest_ms || (watched.size() < at_least && median >= floor_ms);
    (long_enough && median <= longest_ms ? watched : others).push_back(query);
  }
  for (auto& [data, one] : watchers) {
    pqxx::nontransaction transaction(one->runner());
    transaction.exec("RESET query_shaper.mode");
  }
  std::printf("%zu of %zu templates are watched: %.0f to %.0f ms, or the longest of %.0f ms and more\n", watched.size(),
              laboratory.templates.size(), shortest_ms, longest_ms, floor_ms);
  std::fflush(stdout);

  Figures cold_figures, first_figures, repeated_figures;
  for (Figures* figures : {&cold_figures, &first_figures, &repeated_figures}) figures->floor_ms = floor_ms;
  Json traces = Json::Array();
  const auto take = [&](const char* phase, const Template& query, const WatchedRun& run, double previous, Figures* to) {
    Take(query, run, previous, to);
    traces.Push(Trace(phase, query, run, previous));
  };
  if (cold) {
    for (const Template* query : watched) {
      laboratory.Reset();
      take("cold", *query, watcher(*query)->Run(text_of(*query, "cold"), interval_ms, timeout_ms), -1, &cold_figures);
    }
  }
  for (int fold = 0; fold < folds; fold++) {
    const auto in_fold = [&](size_t i) {
      return static_cast<int>(RandomOf(options, watched[i]->name)() % static_cast<uint64_t>(folds)) == fold;
    };
    std::mt19937_64 random = RandomOf(options, "fold " + std::to_string(fold));
    laboratory.Reset();
    std::vector<const Template*> lessons = others;
    for (size_t i = 0; i < watched.size(); i++) {
      if (!in_fold(i)) lessons.push_back(watched[i]);
    }
    for (int run = 0; run < train_runs; run++) {
      std::shuffle(lessons.begin(), lessons.end(), random);
      const std::string round = "lesson " + std::to_string(run);
      for (const Template* query : lessons) watcher(*query)->RunUnwatched(text_of(*query, round), timeout_ms);
    }
    laboratory.Learn();
    std::map<const Template*, double> previous;
    for (int run = 0; run <= repeats; run++) {
      for (size_t i = 0; i < watched.size(); i++) {
        if (!in_fold(i)) continue;
        const Template& query = *watched[i];
        const WatchedRun result =
            watcher(query)->Run(text_of(query, "run " + std::to_string(run)), interval_ms, timeout_ms);
        if (run == 0) {
          take("first", query, result, -1, &first_figures);
        } else {
          take("repeated", query, result, previous[&query], &repeated_figures);
        }
        previous[&query] = result.error.empty() ? result.total_ms : -1;
      }
      laboratory.Learn();
    }
    std::printf("fold %d of %d done\n", fold + 1, folds);
    std::fflush(stdout);
  }

  Json result;
  result.Set("templates", laboratory.templates.size()).Set("watched", watched.size()).Set("interval_ms", interval_ms);
  result.Set("median_ms_unwatched", std::move(durations));
  if (cold) result.Set("cold", Print("cold server", cold_figures));
  result.Set("first", Print("first run, others seen", first_figures));
  result.Set("repeated", Print("repeated, other constants", repeated_figures));
  result.Set("columns", "at_ms progress eta_ms low_ms high_ms elapsed_progress_ms dne_ms tgn_ms previous_ms");
  result.Set("traces", std::move(traces));
  const bool first_met = CheckPhase("first", first_figures, 0.12, 0.40);
  const bool repeated_met = CheckPhase("repeated", repeated_figures, 0.06, 0.20);
  WriteResult(options, "eta", std::move(result));
  return first_met && repeated_met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
