#include <boost/test/unit_test.hpp>

#include <memory>

#include "core/predict/scale.h"
#include "core/predict/sequence_training.h"
#include "predict/made_plans.h"

using namespace query_shaper;

namespace {

struct School {
  std::unique_ptr<PlanLessons> lessons = std::make_unique<PlanLessons>();
  std::unique_ptr<SequenceTraining> training = std::make_unique<SequenceTraining>();
  std::unique_ptr<SequenceModel> published = std::make_unique<SequenceModel>();
  std::unique_ptr<SequenceModel> candidate = std::make_unique<SequenceModel>();
  std::mt19937 random{17};

  double Scale() { return std::exp(std::uniform_real_distribution<double>(-1.5, 1.5)(random)); }

  // speed: far from what the plan's own figures assume, so that there is something to learn.
  void Teach(int statements, double speed) {
    for (int i = 0; i < statements; ++i) {
      const MadeRun run = MakeRun(i % 6, Scale(), speed, 0.05, &random);
      AddLesson(1000 + i, run.sequence, run.actual, lessons.get());
    }
  }

  SliceEnd Round() {
    const SliceEnd end = TrainSlice(
        *lessons, *published, [] { return true; }, training.get(), candidate.get());
    if (end == SliceEnd::kBetter) *published = *candidate;
    return end;
  }

  double MeanQError(double speed) {
    double sum = 0;
    for (int i = 0; i < 60; ++i) {
      const MadeRun run = MakeRun(i % 6, Scale(), speed, 0, &random);
      double log[kTargets];
      RunSequence(published->params, run.sequence, log);
      sum += std::fabs(log[kTimeMs] - ToLog(kTimeMs, run.actual.targets[kTimeMs]));
    }
    return std::exp(sum / 60);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sequence_training)

BOOST_AUTO_TEST_CASE(a_round_learns_what_plans_take_on_this_server) {
  School school;
  school.Teach(60, 0.1);
  const double before = school.MeanQError(0.1);
  BOOST_TEST(TrainingDue(*school.lessons, *school.training, false));
  BOOST_TEST((school.Round() == SliceEnd::kBetter));
  BOOST_TEST(school.published->version == 1U);
  BOOST_TEST(school.published->noise[kTimeMs] < 0.5);
  const double after = school.MeanQError(0.1);
  BOOST_TEST(after < 1.6, "mean q-error " << before << " before, " << after << " after");
  BOOST_TEST(after < before / 2);
  // Nothing new: no reason to train again.
  BOOST_TEST(!TrainingDue(*school.lessons, *school.training, true));
}

BOOST_AUTO_TEST_CASE(too_little_is_not_trained_on) {
  School school;
  school.Teach(10, 1);
  BOOST_TEST(!TrainingDue(*school.lessons, *school.training, true));
  // One statement alone says nothing of others.
  const MadeRun run = MakeRun(2, 1, 1, 0, &school.random);
  for (int i = 0; i < 100; ++i) AddLesson(7, run.sequence, run.actual, school.lessons.get());
  BOOST_TEST(school.lessons->count == 10 + kLessonsPerStatement);
  BOOST_TEST(!TrainingDue(*school.lessons, *school.training, true));
}

BOOST_AUTO_TEST_CASE(slices_give_what_one_round_gives) {
  School whole, sliced;
  whole.Teach(50, 0.3);
  sliced.Teach(50, 0.3);
  const SliceEnd end = whole.Round();
  int slices = 0;
  SliceEnd last = SliceEnd::kMore;
  while (last == SliceEnd::kMore) {
    int asked = 0;
    last = TrainSlice(
        *sliced.lessons, *sliced.published, [&] { return ++asked < 5; }, sliced.training.get(), sliced.candidate.get());
    BOOST_REQUIRE(++slices < 5000);
    BOOST_TEST(sliced.training->running == (last == SliceEnd::kMore));
  }
  BOOST_TEST(slices > 5);
  BOOST_TEST((last == end));
  for (int i = 0; i < kSequenceParams; i += 101) BOOST_TEST(sliced.candidate->params[i] == whole.candidate->params[i]);
}

BOOST_AUTO_TEST_CASE(what_is_no_better_on_held_out_statements_is_not_offered) {
  School school;
  school.Teach(60, 0.2);
  BOOST_TEST((school.Round() == SliceEnd::kBetter));
  // Outcomes that have nothing to do with their plans.
  School noise;
  *noise.published = *school.published;
  for (int i = 0; i < 60; ++i) {
    MadeRun run = MakeRun(i % 6, noise.Scale(), 0.2, 0, &noise.random);
    for (double& target : run.actual.targets)
      target = std::exp(std::uniform_real_distribution<double>(-4, 4)(noise.random));
    AddLesson(1000 + i, run.sequence, run.actual, noise.lessons.get());
  }
  noise.Round();
  BOOST_TEST(noise.training->epoch < 120);  // stopped early
  // Learning goes on from where it stands: the same lessons again give nothing new.
  School again;
  again.Teach(60, 0.2);
  *again.published = *school.published;
  again.Round();
  BOOST_TEST((again.Round() == SliceEnd::kRejected || again.published->version <= 3U));
}

BOOST_AUTO_TEST_CASE(the_reservoir_stays_within_its_bounds) {
  School school;
  for (int i = 0; i < 5000; ++i) {
    MadeRun run = MakeRun(i % 6, school.Scale(), 1, 0.1, &school.random);
    // Longer plans, so that steps run out before lessons do.
    if (i > 2000) {
      run.sequence.count = 1 + static_cast<int>(school.random() % kSequenceSteps);
      for (int k = 0; k < run.sequence.count; ++k) run.sequence.steps[k].op = static_cast<uint8_t>(i % 43);
    }
    AddLesson(static_cast<int64_t>(school.random() % 900), run.sequence, run.actual, school.lessons.get());
    const PlanLessons& lessons = *school.lessons;
    BOOST_REQUIRE(lessons.count >= 1);
    BOOST_REQUIRE(lessons.count <= kLessons);
    BOOST_REQUIRE(lessons.steps <= kLessonSteps);
    int steps = 0;
    for (int k = 0; k < lessons.count; ++k) {
      BOOST_REQUIRE_EQUAL(lessons.lesson[k].first, steps);
      steps += lessons.lesson[k].count;
    }
    BOOST_REQUIRE_EQUAL(steps, lessons.steps);
    if (i > 2000) {
      const PlanLesson& last = lessons.lesson[lessons.count - 1];
      BOOST_REQUIRE_EQUAL(int{lessons.step[last.first + last.count - 1].op}, i % 43);
    }
  }
  Actual unfinished;
  const uint64_t taken = school.lessons->taken;
  AddLesson(1, MakeRun(0, 1, 1, 0, &school.random).sequence, unfinished, school.lessons.get());
  BOOST_TEST(school.lessons->taken == taken);
}

BOOST_AUTO_TEST_CASE(a_version_that_predicts_worse_gives_way) {
  SequenceProbation worse, better, young;
  std::mt19937 random(3);
  std::uniform_real_distribution<double> spread(0.5, 1.5);
  bool gave_way = false;
  for (int i = 0; i < 40; ++i) {
    gave_way = gave_way || OnProbation(2 * spread(random), spread(random), &worse);
    BOOST_TEST(!OnProbation(0.8 * spread(random), spread(random), &better));
  }
  BOOST_TEST(gave_way);
  for (int i = 0; i < 10; ++i) BOOST_TEST(!OnProbation(5, 1, &young));
  BOOST_TEST(!OnProbation(std::nan(""), 1, &young));
}

BOOST_AUTO_TEST_SUITE_END()
