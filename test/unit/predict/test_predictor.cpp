#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "predict/made_plans.h"

using namespace query_shaper;

namespace {

struct Server {
  std::unique_ptr<Models> models = std::make_unique<Models>();
  std::vector<Profile> profiles = std::vector<Profile>(6);
  std::mt19937 random{7};
  double now_s = 1e9;
  double step_s = 10;

  Server() { InitModels(models.get()); }

  // What a short statement would be told now.
  double Load() const { return PredictLoad(models->load, now_s, 10).told; }

  double Scale() { return std::exp(std::uniform_real_distribution<double>(-1.5, 1.5)(random)); }

  // Predicts and learns one run; returns the estimate made before.
  Estimate Run(int kind, double scale, double speed, double noise, Actual* actual = nullptr) {
    const MadeRun run = MakeRun(kind, scale, speed, noise, &random);
    const Estimate made = Predict(run.features, &profiles[kind], nullptr, *models, now_s);
    Learn(run.features, made, run.actual, PaceSample{}, now_s += step_s, kHalfLife, &profiles[kind], nullptr,
          models.get());
    Train(models.get(), static_cast<int64_t>(now_s));
    if (actual != nullptr) *actual = run.actual;
    return made;
  }
};

double Quantile(std::vector<double> values, double quantile) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(quantile * (values.size() - 1))];
}

void CheckSane(const Estimate& estimate) {
  for (const Quantity& quantity : estimate.targets) {
    BOOST_REQUIRE(std::isfinite(quantity.value));
    BOOST_REQUIRE(std::isfinite(quantity.low));
    BOOST_REQUIRE(std::isfinite(quantity.high));
    BOOST_REQUIRE(quantity.low >= 0);
    BOOST_REQUIRE(quantity.low <= quantity.value);
    BOOST_REQUIRE(quantity.value <= quantity.high);
  }
  BOOST_REQUIRE(std::isfinite(estimate.log_sd));
  BOOST_REQUIRE(estimate.log_sd > 0);
  BOOST_REQUIRE(std::isfinite(estimate.seen));
  BOOST_REQUIRE(OriginName(estimate.origin) != nullptr);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(predictor)

BOOST_AUTO_TEST_CASE(a_server_that_has_seen_nothing_answers_from_the_plan) {
  Server server;
  const MadeRun run = MakeRun(1, 1, 1, 0, &server.random);
  const Estimate estimate = Predict(run.features, nullptr, nullptr, *server.models, server.now_s);
  CheckSane(estimate);
  BOOST_TEST(estimate.seen == 0);
  BOOST_TEST(estimate.model_ms[0] == -1);
  BOOST_TEST(estimate.model_ms[1] > 0);
  BOOST_TEST(estimate.model_ms[2] > 0);
  BOOST_TEST(QError(estimate.targets[kTimeMs].value, run.actual.targets[kTimeMs]) < 10);
  BOOST_TEST(QError(estimate.targets[kRows].value, run.actual.targets[kRows]) < 1.1);
}

BOOST_AUTO_TEST_CASE(repeats_with_changed_constants_are_predicted_within_a_few_percent) {
  Server server;
  std::vector<double> errors;
  for (int i = 0; i < 300; ++i) {
    Actual actual;
    const Estimate made = server.Run(i % 6, server.Scale(), 1, 0.05, &actual);
    if (i >= 60) errors.push_back(QError(made.targets[kTimeMs].value, actual.targets[kTimeMs]));
  }
  BOOST_TEST(Quantile(errors, 0.5) < 1.15);
  BOOST_TEST(Quantile(errors, 0.9) < 1.4);
}

BOOST_AUTO_TEST_CASE(an_unseen_plan_is_predicted_from_the_others) {
  for (int left_out = 0; left_out < 6; ++left_out) {
    Server server;
    for (int i = 0; i < 180; ++i)
      if (i % 6 != left_out) server.Run(i % 6, server.Scale(), 0.2, 0.1);
    std::vector<double> errors;
    for (int i = 0; i < 30; ++i) {
      const MadeRun run = MakeRun(left_out, server.Scale(), 0.2, 0, &server.random);
      const Estimate made = Predict(run.features, nullptr, nullptr, *server.models, server.now_s);
      errors.push_back(QError(made.targets[kTimeMs].value, run.actual.targets[kTimeMs]));
    }
    BOOST_TEST(Quantile(errors, 0.5) < 3, "kind " << left_out << ": " << Quantile(errors, 0.5));
  }
}

// What makes a statement slow (a function, a wide row) makes it slow under its next plan, too.
BOOST_AUTO_TEST_CASE(a_statement_under_a_new_plan_is_predicted_from_its_other_plans) {
  Server server;
  for (int i = 0; i < 120; ++i) server.Run(i % 6, server.Scale(), 1, 0.05);
  Profile statement;
  for (int i = 0; i < 4; ++i) {
    const MadeRun run = MakeRun(1, 1, 0.1, 0, &server.random);
    LearnStatement(run.features, run.actual, server.now_s += 10, kHalfLife, &statement);
  }
  MadeRun run = MakeRun(1, 1.2, 0.1, 0, &server.random);
  const Estimate without = Predict(run.features, nullptr, nullptr, *server.models, server.now_s);
  const Estimate with = Predict(run.features, nullptr, nullptr, *server.models, server.now_s, &statement);
  CheckSane(with);
  const double actual = run.actual.targets[kTimeMs];
  BOOST_TEST(QError(with.targets[kTimeMs].value, actual) < 0.7 * QError(without.targets[kTimeMs].value, actual));
  BOOST_TEST(with.log_sd < without.log_sd);
  // A plan with a history of its own speaks for itself.
  const Estimate own = Predict(run.features, &server.profiles[1], nullptr, *server.models, server.now_s, &statement);
  const Estimate alone = Predict(run.features, &server.profiles[1], nullptr, *server.models, server.now_s);
  BOOST_TEST(own.targets[kTimeMs].value == alone.targets[kTimeMs].value);
  run.actual.complete = false;
  const double weight = statement.weight;
  LearnStatement(run.features, run.actual, server.now_s += 10, kHalfLife, &statement);
  BOOST_TEST(statement.weight == weight);
}

BOOST_AUTO_TEST_CASE(intervals_hold_nine_outcomes_in_ten) {
  for (const double noise : {0.05, 0.2, 0.6}) {
    Server server;
    int held = 0;
    const int runs = 900;
    for (int i = 0; i < runs + 60; ++i) {
      Actual actual;
      const Estimate made = server.Run(i % 6, server.Scale(), 1, noise, &actual);
      const Quantity& time = made.targets[kTimeMs];
      if (i >= 60) held += actual.targets[kTimeMs] >= time.low && actual.targets[kTimeMs] <= time.high;
    }
    const double coverage = static_cast<double>(held) / runs;
    BOOST_TEST(coverage > 0.85, "noise " << noise << ": " << coverage);
    BOOST_TEST(coverage < 0.95, "noise " << noise << ": " << coverage);
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_turns_slower_is_followed) {
  Server server;
  for (int i = 0; i < 120; ++i) server.Run(i % 6, server.Scale(), 1, 0.05);
  for (int i = 0; i < 120; ++i) server.Run(i % 6, server.Scale(), 0.25, 0.05);
  std::vector<double> errors;
  for (int i = 0; i < 60; ++i) {
    Actual actual;
    const Estimate made = server.Run(i % 6, server.Scale(), 0.25, 0.05, &actual);
    errors.push_back(QError(made.targets[kTimeMs].value, actual.targets[kTimeMs]));
  }
  BOOST_TEST(Quantile(errors, 0.5) < 1.3);
}

BOOST_AUTO_TEST_CASE(load_shared_by_all_statements_is_followed_and_passes) {
  Server server;
  for (int i = 0; i < 150; ++i) server.Run(i % 6, server.Scale(), 1, 0.05);
  BOOST_TEST(std::fabs(server.Load()) < 0.15);
  // Twice as slow, all of a sudden: statements that have not run since profit from those that have.
  server.step_s = 1;
  for (int i = 0; i < 8; ++i) server.Run(i % 4, server.Scale(), 0.5, 0.05);
  BOOST_TEST(server.Load() > 0.2);
  const MadeRun run = MakeRun(4, 1, 0.5, 0, &server.random);
  const Estimate made = Predict(run.features, &server.profiles[4], nullptr, *server.models, server.now_s);
  BOOST_TEST(made.load.told > 0.2);
  BOOST_TEST(QError(made.targets[kTimeMs].value, run.actual.targets[kTimeMs]) < 1.7);
  server.now_s += 3600;
  server.Run(4, 1, 1, 0.05);
  BOOST_TEST(std::fabs(server.Load()) < 0.15);
}

// Statements of a server whose errors have nothing in common: what the last one took says nothing of the next.
BOOST_AUTO_TEST_CASE(load_is_told_only_where_it_explains_errors) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  for (const bool common : {true, false}) {
    LoadLevel load;
    double with = 0, without = 0;
    double level = 0;
    for (int i = 0; i < 600; ++i) {
      const double now_s = 1e9 + i;
      level = 0.8 * level + 0.6 * 0.3 * normal(random);
      const double error = (common ? level : 0) + 0.2 * normal(random);
      const LoadShare made = PredictLoad(load, now_s, 10);
      if (i >= 100) {
        with += (error - made.told) * (error - made.told);
        without += error * error;
      }
      FollowLoad(error, common ? 0.13 : 0.04, made, 10, now_s, &load);
    }
    BOOST_TEST(with < (common ? 0.8 : 1.1) * without, common << ": " << with << " of " << without);
  }
}

BOOST_AUTO_TEST_CASE(load_passes_with_time_and_weighs_less_on_a_long_statement) {
  LoadLevel load;
  for (int i = 0; i < 20; ++i) FollowLoad(0.6, 0.05, PredictLoad(load, 1e9 + i, 10), 10, 1e9 + i, &load);
  const double now = PredictLoad(load, 1e9 + 20, 10).told;
  BOOST_TEST(now > 0.4);
  BOOST_TEST(PredictLoad(load, 1e9 + 20, 1e6).told < 0.2 * now);
  BOOST_TEST(PredictLoad(load, 1e9 + 80, 10).told < 0.6 * now);
  BOOST_TEST(PredictLoad(load, 1e9 + 3600, 10).told < 1e-6);
}

// The members that read the plan are far off, all the same way, and together they outnumber the cache.
BOOST_AUTO_TEST_CASE(a_history_that_is_right_is_not_outvoted) {
  Server server;
  const int kCache = static_cast<int>(Origin::kCache);
  for (int i = 0; i < 90; ++i) server.Run(i % 6, server.Scale(), i % 6 < 3 ? 0.1 : 4, 0.05);
  std::vector<double> blend, cache;
  for (int i = 0; i < 90; ++i) {
    Actual actual;
    const Estimate made = server.Run(i % 6, server.Scale(), i % 6 < 3 ? 0.1 : 4, 0.05, &actual);
    BOOST_TEST(made.model_weight[kCache][kTimeMs] > 0.8);
    blend.push_back(QError(made.targets[kTimeMs].value, actual.targets[kTimeMs]));
    cache.push_back(QError(made.model_ms[kCache], actual.targets[kTimeMs]));
  }
  BOOST_TEST(Quantile(blend, 0.5) < 1.03 * Quantile(cache, 0.5));
  BOOST_TEST(Quantile(blend, 0.9) < 1.05 * Quantile(cache, 0.9));
  // And one that is wrong time and again is left to the others.
  for (auto& of_target : server.models->cache_moments)
    for (auto& moments : of_target) std::copy_n((const double[]){0.9, 0.1, 0.0}, 3, moments);
  const MadeRun run = MakeRun(1, 1, 1, 0, &server.random);
  const Estimate made = Predict(run.features, &server.profiles[1], nullptr, *server.models, server.now_s);
  BOOST_TEST(made.model_weight[kCache][kTimeMs] < 0.2);
}

BOOST_AUTO_TEST_CASE(one_wild_outcome_does_not_move_the_belief) {
  Server server;
  for (int i = 0; i < 40; ++i) server.Run(0, 1, 1, 0.05);
  const double before = server.Run(0, 1, 1, 0).targets[kTimeMs].value;
  server.Run(0, 1, 1e-4, 0);  // ten thousand times slower, once
  const MadeRun run = MakeRun(0, 1, 1, 0, &server.random);
  const double after =
      Predict(run.features, &server.profiles[0], nullptr, *server.models, server.now_s).targets[kTimeMs].value;
  BOOST_TEST(QError(after, before) < 1.3);
}

BOOST_AUTO_TEST_CASE(a_cold_first_run_is_soon_forgotten) {
  Server server;
  server.Run(0, 1, 0.05, 0);
  for (int i = 0; i < 4; ++i) server.Run(0, 1, 1, 0.02);
  const MadeRun run = MakeRun(0, 1, 1, 0, &server.random);
  const Estimate made = Predict(run.features, &server.profiles[0], nullptr, *server.models, server.now_s);
  BOOST_TEST(QError(made.targets[kTimeMs].value, run.actual.targets[kTimeMs]) < 2);
}

BOOST_AUTO_TEST_CASE(the_same_plan_of_another_statement_helps) {
  Server server;
  Profile shape;
  for (int i = 0; i < 12; ++i) {
    // A statement twenty times slower than its plan looks: only history can tell.
    const MadeRun run = MakeRun(3, server.Scale(), 0.05, 0.05, &server.random);
    const Estimate made = Predict(run.features, nullptr, &shape, *server.models, server.now_s);
    Learn(run.features, made, run.actual, PaceSample{}, server.now_s += 10, kHalfLife, nullptr, &shape,
          server.models.get());
  }
  const MadeRun run = MakeRun(3, 1, 0.05, 0, &server.random);
  const Estimate made = Predict(run.features, nullptr, &shape, *server.models, server.now_s);
  BOOST_TEST(made.seen == 0);
  BOOST_TEST(made.model_ms[0] > 0);
  BOOST_TEST(QError(made.targets[kTimeMs].value, run.actual.targets[kTimeMs]) < 1.5);
}

BOOST_AUTO_TEST_CASE(history_fades_by_its_half_life) {
  Server server;
  for (int i = 0; i < 8; ++i) server.Run(0, 1, 1, 0.02);
  BOOST_CHECK_CLOSE(server.profiles[0].weight, 8, 0.1);
  server.now_s += kHalfLife;
  server.Run(0, 1, 1, 0.02);
  BOOST_CHECK_CLOSE(server.profiles[0].weight, 5, 0.1);
}

BOOST_AUTO_TEST_CASE(an_unfinished_run_teaches_only_what_exceeds_the_belief) {
  Server server;
  for (int i = 0; i < 30; ++i) server.Run(i % 6, 1, 1, 0.05);
  MadeRun run = MakeRun(0, 1, 1, 0, &server.random);
  run.actual.complete = false;
  const Estimate made = Predict(run.features, nullptr, nullptr, *server.models, server.now_s);
  const Profile profile = server.profiles[0];
  const auto believed = [&] {
    return Predict(run.features, nullptr, nullptr, *server.models, server.now_s)
        .model_ms[static_cast<int>(Origin::kOnline)];
  };
  const double before = believed();
  run.actual.targets[kTimeMs] = made.targets[kTimeMs].value / 100;
  Learn(run.features, made, run.actual, PaceSample{}, server.now_s, kHalfLife, &server.profiles[0], nullptr,
        server.models.get());
  BOOST_TEST(believed() == before);
  BOOST_TEST(server.profiles[0].weight == profile.weight);
  run.actual.targets[kTimeMs] = made.targets[kTimeMs].value * 100;
  Learn(run.features, made, run.actual, PaceSample{}, server.now_s, kHalfLife, &server.profiles[0], nullptr,
        server.models.get());
  BOOST_TEST(believed() > before);
  BOOST_TEST(server.profiles[0].weight == profile.weight);
}

BOOST_AUTO_TEST_CASE(errors_of_every_member_are_kept) {
  Server server;
  for (int i = 0; i < 60; ++i) server.Run(i % 6, server.Scale(), 1, 0.05);
  for (int m = 0; m <= kModels; ++m) {
    for (int t = 0; t < kTargets; ++t) {
      const ErrorStats& stats = server.models->errors[m][t];
      const Origin origin = static_cast<Origin>(m);
      // The sequence member was never trained, and operator rates tell of time alone.
      if (origin == Origin::kSequence || (origin == Origin::kOnline && t != kTimeMs)) {
        BOOST_TEST(stats.samples == 0);
        continue;
      }
      BOOST_TEST(stats.samples > 0);
      const double p50 = ErrorQuantile(stats, 0.5);
      BOOST_TEST(p50 >= 1);
      BOOST_TEST(ErrorQuantile(stats, 0.9) >= p50);
    }
  }
  BOOST_TEST(std::isnan(ErrorQuantile(ErrorStats{}, 0.5)));
  for (const auto& context : server.models->blend_weight)
    BOOST_CHECK_CLOSE(context[0] + context[1] + context[2] + context[3], 1, 1e-6);
  BOOST_TEST(server.models->calibration_ms_per_cost > 0);
}

BOOST_AUTO_TEST_CASE(the_quantile_of_errors_reads_the_histogram) {
  ErrorStats stats;
  stats.buckets[8] = 90;   // q-error of 2
  stats.buckets[24] = 10;  // of 8
  BOOST_CHECK_CLOSE(ErrorQuantile(stats, 0.5), 2, 10);
  BOOST_CHECK_CLOSE(ErrorQuantile(stats, 0.99), 8, 10);
}

BOOST_AUTO_TEST_CASE(early_figures_move_and_narrow_the_estimate) {
  Server server;
  const MadeRun run = MakeRun(2, 1, 1, 0, &server.random);
  const Estimate first = Predict(run.features, nullptr, nullptr, *server.models, server.now_s);
  const Quantity& old = first.targets[kTimeMs];
  const Estimate same = Revise(first, 10, 0.1, 0);
  BOOST_CHECK_CLOSE(same.targets[kTimeMs].value, old.value, 0.01);
  const Estimate more = Revise(first, 4, 1, 1);
  BOOST_CHECK_CLOSE(more.targets[kTimeMs].value, 4 * old.value, 0.01);
  BOOST_TEST(more.targets[kTimeMs].high / more.targets[kTimeMs].low < old.high / old.low);
  const Estimate faster = Revise(first, 1, 2, 1);
  BOOST_CHECK_CLOSE(faster.targets[kTimeMs].value, old.value / 2, 0.01);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CheckSane(Revise(first, nan, 0, 7));
  CheckSane(Revise(first, 1e300, 1e-300, 1));
}

BOOST_AUTO_TEST_CASE(any_state_and_any_outcome_give_finite_answers) {
  std::mt19937 random(3);
  const double wild[] = {
      0, -5, 1e30, -1e300, 1e300, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(), 3};
  const auto any = [&] { return wild[random() % 8]; };
  auto models = std::make_unique<Models>();
  for (int round = 0; round < 200; ++round) {
    Server server;
    for (int i = 0; i < 6; ++i) server.Run(i % 6, 1, 1, 0.1);
    *models = *server.models;
    Profile exact = server.profiles[0];
    // Random doubles of the state are overwritten, as torn or damaged memory would be.
    for (int i = 0; i < 40; ++i) {
      reinterpret_cast<double*>(&models->linear)[random() % (sizeof(LinearModel) / 8)] = any();
      reinterpret_cast<double*>(&models->online)[random() % (sizeof(RateModel) / 8)] = any();
      reinterpret_cast<double*>(&exact)[random() % (offsetof(Profile, pace) / 8)] = any();
    }
    models->calibration_ms_per_cost = any();
    models->interval_z[random() % 4] = static_cast<float>(any());
    models->blend_square[random() % kTargets][random() % 4] = any();
    models->target_z[random() % 2][random() % kTargets][random() % 4] = static_cast<float>(any());
    models->load = {{any(), any()}, {any(), any()}, any(), any(), {any(), any()}, {any(), any()}};
    for (double& moment : models->cache_moments[random() % kTargets][random() % 4]) moment = any();
    models->member_square[random() % 2][random() % kTargets][random() % kModels] = any();
    FeatureVector features = MakeRun(static_cast<int>(random() % 6), 1, 1, 0, &random).features;
    for (int i = 0; i < 3; ++i) features.values[random() % kFeatureCount] = any();
    for (int step = 0; step < 5; ++step) {
      SequenceAnswer wild_answer;
      wild_answer.answers = step % 2 == 1;
      for (double& log : wild_answer.log) log = any();
      for (double& sd : wild_answer.sd) sd = any();
      const Estimate made = Predict(features, &exact, nullptr, *models, any(), nullptr, &wild_answer);
      CheckSane(made);
      Actual actual;
      for (double& value : actual.targets) value = any();
      actual.complete = step % 2 == 0;
      Learn(features, made, actual, PaceSample{}, any(), kHalfLife, &exact, &exact, models.get());
      Train(models.get(), 0);
    }
    CheckSane(Predict(features, &exact, nullptr, *models, any()));
  }
}

BOOST_AUTO_TEST_CASE(an_outcome_of_nothing_at_all_keeps_a_new_model_sound) {
  Server server;
  for (int i = 0; i < 20; ++i) {
    const MadeRun run = MakeRun(i, 1e-9, 1e12, 0, &server.random);
    const Estimate made = Predict(run.features, nullptr, nullptr, *server.models, server.now_s);
    CheckSane(made);
    Learn(run.features, made, run.actual, PaceSample{}, i, kHalfLife, nullptr, nullptr, server.models.get());
    Train(server.models.get(), i);
  }
  const MadeRun usual = MakeRun(0, 1, 1, 0, &server.random);
  CheckSane(Predict(usual.features, nullptr, nullptr, *server.models, server.now_s));
}

// A grant at the upper end of the interval falls short in one run of twenty.
BOOST_AUTO_TEST_CASE(memory_exceeds_its_upper_end_in_one_run_of_twenty) {
  for (const double noise : {0.05, 0.5}) {
    Server server;
    std::normal_distribution<double> normal(0, noise);
    int above = 0, below = 0;
    const int runs = 1500;
    for (int i = 0; i < runs + 100; ++i) {
      MadeRun run = MakeRun(i % 6, server.Scale(), 1, 0.1, &server.random);
      run.actual.targets[kMemoryKb] *= std::exp(normal(server.random));
      const Estimate made = Predict(run.features, &server.profiles[i % 6], nullptr, *server.models, server.now_s);
      Learn(run.features, made, run.actual, PaceSample{}, server.now_s += 10, kHalfLife, &server.profiles[i % 6],
            nullptr, server.models.get());
      if (i % 10 == 0) Train(server.models.get(), 0);
      if (i < 100) continue;
      above += run.actual.targets[kMemoryKb] > made.targets[kMemoryKb].high;
      below += run.actual.targets[kMemoryKb] < made.targets[kMemoryKb].low;
    }
    BOOST_TEST(above <= 0.055 * runs, "noise " << noise << ": " << above);
    BOOST_TEST(above >= 0.01 * runs, "noise " << noise << ": " << above);
    BOOST_TEST(below <= 0.09 * runs, "noise " << noise << ": " << below);
  }
}

// Other constants of one statement move its memory with what the plan expects.
BOOST_AUTO_TEST_CASE(memory_of_other_constants_follows_the_plan) {
  Server server;
  std::vector<double> errors;
  for (int i = 0; i < 80; ++i) {
    Actual actual;
    const Estimate made = server.Run(1, server.Scale(), 1, 0.05, &actual);
    if (i >= 40) errors.push_back(QError(made.targets[kMemoryKb].value, actual.targets[kMemoryKb]));
  }
  BOOST_TEST(Quantile(errors, 0.5) < 1.25);
}

BOOST_AUTO_TEST_CASE(a_good_sequence_answer_gains_weight_and_a_bad_one_loses_it) {
  for (const bool good : {true, false}) {
    Server server;
    const double noise[kTargets] = {0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3};
    BeginSequence(noise, server.models.get());
    BOOST_TEST(SequenceWeighs(*server.models, nullptr, nullptr));
    SequenceAnswer answer;
    answer.answers = true;
    Estimate made;
    for (int i = 0; i < 200; ++i) {
      const MadeRun run = MakeRun(i % 6, server.Scale(), 0.3, 0.1, &server.random);
      for (int t = 0; t < kTargets; ++t) {
        answer.log[t] =
            (t == kTimeMs ? std::log(run.actual.targets[t]) : std::log1p(run.actual.targets[t])) + (good ? 0.05 : 3.0);
        answer.sd[t] = 0.5;
      }
      made = Predict(run.features, nullptr, nullptr, *server.models, server.now_s, nullptr, &answer);
      CheckSane(made);
      Learn(run.features, made, run.actual, PaceSample{}, server.now_s += 10, kHalfLife, nullptr, nullptr,
            server.models.get());
      Train(server.models.get(), 0);
    }
    const int sequence = static_cast<int>(Origin::kSequence);
    if (good) {
      BOOST_TEST(made.model_weight[sequence][kTimeMs] > 0.5);
      BOOST_TEST(SequenceWeighs(*server.models, nullptr, nullptr));
    } else {
      BOOST_TEST(made.model_weight[sequence][kTimeMs] == 0);
      BOOST_TEST(!SequenceWeighs(*server.models, nullptr, nullptr));
    }
    double weights[kModels];
    TypicalWeights(*server.models, kTimeMs, false, false, weights);
    BOOST_TEST(weights[sequence] == 0);
  }
}

BOOST_AUTO_TEST_CASE(every_target_has_a_name) {
  for (int t = 0; t < kTargets; ++t) BOOST_TEST(std::string(TargetName(static_cast<Target>(t))) != "");
}

BOOST_AUTO_TEST_CASE(every_origin_has_a_name) {
  BOOST_TEST(std::string(OriginName(Origin::kCache)) == "cache");
  BOOST_TEST(std::string(OriginName(Origin::kLinear)) == "linear");
  BOOST_TEST(std::string(OriginName(Origin::kOnline)) == "online");
  BOOST_TEST(std::string(OriginName(Origin::kSequence)) == "sequence");
  BOOST_TEST(std::string(OriginName(Origin::kBlend)) == "blend");
}

BOOST_AUTO_TEST_SUITE_END()
