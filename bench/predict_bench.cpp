// predict: q-error of the time that query_shaper.predict() tells just before a statement runs, and of every model and
// target beside it. How it is examined: predict_exam.h.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>

#include "driver.h"
#include "driver_templates.h"
#include "driver_watch.h"
#include "predict_exam.h"

namespace query_shaper::bench {

namespace {

using Sample = ExamRun;

double QError(const Sample& sample) {
  const double predicted = std::max(sample.targets.at("time_ms").predicted, 1e-3);
  return std::max(predicted / sample.client_ms, sample.client_ms / predicted);
}

struct Summary {
  double p50 = 0, p90 = 0, p95 = 0, coverage = 0;
};

Summary Print(const std::string& phase, const std::vector<Sample>& samples, Json* json) {
  std::vector<double> errors;
  size_t inside = 0;
  std::map<std::string, std::vector<double>> by_template;
  std::map<std::string, size_t> origins;
  Json runs = Json::Array();
  for (const Sample& sample : samples) {
    errors.push_back(QError(sample));
    const TargetFigures& time = sample.targets.at("time_ms");
    inside += sample.client_ms >= time.low && sample.client_ms <= time.high;
    by_template[sample.query->name].push_back(errors.back());
    origins[sample.origin]++;
    Json run;
    run.Set("template", sample.query->name).Set("predicted_ms", time.predicted).Set("low_ms", time.low);
    run.Set("high_ms", time.high).Set("actual_ms", sample.client_ms).Set("origin", sample.origin);
    Json members;
    for (const auto& [name, member_ms] : time.members) members.Set(name, member_ms);
    Json weights;
    for (const auto& [name, weight] : time.weights) weights.Set(name, weight);
    run.Set("members", std::move(members)).Set("weights", std::move(weights));
    runs.Push(std::move(run));
  }
  Summary summary;
  summary.p50 = Quantile(errors, 0.5);
  summary.p90 = Quantile(errors, 0.9);
  summary.p95 = Quantile(errors, 0.95);
  summary.coverage = samples.empty() ? std::nan("") : double(inside) / double(samples.size());
  std::printf("%s: %zu runs of %zu templates; q-error p50 %.3f p90 %.3f p95 %.3f max %.2f; interval holds %.1f %%\n",
              phase.c_str(), samples.size(), by_template.size(), summary.p50, summary.p90, summary.p95,
              Quantile(errors, 1), 100 * summary.coverage);
  std::printf("  origins:");
  for (const auto& [origin, count] : origins) std::printf(" %s %zu", origin.c_str(), count);
  std::vector<std::pair<double, std::string>> worst;
  for (const auto& [name, of_template] : by_template) worst.emplace_back(Quantile(of_template, 0.5), name);
  std::sort(worst.rbegin(), worst.rend());
  std::printf("\n  hardest:");
  for (size_t i = 0; i < worst.size() && i < 6; i++) std::printf(" %s %.2f", worst[i].second.c_str(), worst[i].first);
  std::printf("\n");
  Json figures;
  figures.Set("runs", samples.size()).Set("templates", by_template.size()).Set("p50", summary.p50);
  figures.Set("p90", summary.p90).Set("p95", summary.p95).Set("coverage", summary.coverage);
  json->Set(phase, std::move(figures.Set("samples", std::move(runs))));
  return summary;
}

std::vector<Sample> Longer(const std::vector<Sample>& samples, double shortest_ms) {
  std::vector<Sample> longer;
  for (const Sample& sample : samples) {
    if (sample.client_ms >= shortest_ms) longer.push_back(sample);
  }
  return longer;
}

}  // namespace

Verdict RunPredict(const Options& options) {
  const double timeout_ms = options.Number("timeout", 30000);
  const double shortest_ms = options.Number("shortest", 1);

  Laboratory laboratory(options, {"shared_buffers = '1GB'", "max_wal_size = '4GB'"});
  std::mt19937_64 random(options.seed());
  std::map<std::string, std::unique_ptr<Watcher>> sessions;
  for (const Template& query : laboratory.templates) {
    auto& session = sessions[query.data];
    if (session == nullptr) session = std::make_unique<Watcher>(laboratory.Connection(query));
  }
  const auto session = [&](const Template& query) { return sessions[query.data].get(); };
  const auto text_of = [&](const Template& query) { return Instantiate(query, &session(query)->runner(), &random); };

  const Exam exam = Examine(options, &laboratory, false, &random);
  const std::vector<Sample>& left_out = exam.left_out;
  const std::vector<Sample>& seen = exam.seen;

  // What no prediction can beat: the same statement twice in a row.
  std::vector<double> twice;
  for (const Template& query : laboratory.templates) {
    const std::string sql = text_of(query);
    const WatchedRun first = session(query)->RunUnwatched(sql, timeout_ms);
    const WatchedRun second = session(query)->RunUnwatched(sql, timeout_ms);
    if (!first.error.empty() || !second.error.empty() || first.total_ms < shortest_ms) continue;
    twice.push_back(std::max(first.total_ms / second.total_ms, second.total_ms / first.total_ms));
  }

  Json result;
  result.Set("same_statement_twice", ToJson(SpreadOf(twice)));
  result.Set("templates", laboratory.templates.size()).Set("failed", exam.failed).Set("shortest_ms", shortest_ms);
  std::printf("runs of %.1f ms and longer by the client's clock; %zu runs failed or took over %.0f s\n", shortest_ms,
              exam.failed, timeout_ms / 1000);
  std::printf("the same statement twice in a row: q-error p50 %.3f p90 %.3f\n", Quantile(twice, 0.5),
              Quantile(twice, 0.9));
  const Summary seen_summary = Print("seen, other constants", Longer(seen, shortest_ms), &result);
  const Summary left_out_summary = Print("left out", Longer(left_out, shortest_ms), &result);
  std::vector<Sample> all = Longer(seen, shortest_ms);
  const std::vector<Sample> more = Longer(left_out, shortest_ms);
  all.insert(all.end(), more.begin(), more.end());
  const Summary whole = Print("all", all, &result);
  Print("all of 50 ms and longer", Longer(all, 50), &result);
  PrintMembers(exam, shortest_ms, &result);
  bool met = Check("seen, p50 <= 1.2", seen_summary.p50, 1, 1.2);
  met = Check("seen, p90 <= 2", seen_summary.p90, 1, 2) && met;
  met = Check("left out, p50 <= 1.8", left_out_summary.p50, 1, 1.8) && met;
  met = Check("left out, p95 <= 8", left_out_summary.p95, 1, 8) && met;
  met = Check("interval holds 0.85 to 0.95", whole.coverage, 0.85, 0.95) && met;
  WriteResult(options, "predict", std::move(result));
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
