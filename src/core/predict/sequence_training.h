// Training of the sequence member in slices: a bounded reservoir of past plans with their outcomes, Adam on all but the
// statements that are held out, early stopping on those.
//
// Everything stands in plain arrays, so that a slice can be the last one of its process and the next one goes on.
#pragma once
#include <functional>

#include "core/predict/sequence_model.h"

namespace query_shaper {

constexpr int kLessons = 256;
constexpr int kLessonSteps = 3072;  // of all lessons together
constexpr int kLessonsPerStatement = 3;
constexpr int kLeastLessons = 24;    // before anything is trained
constexpr int kLeastStatements = 8;  // of them, held out ones included
constexpr int kNewLessons = 12;      // before it is trained again

struct PlanLesson {
  int64_t statement = 0;  // 0 stands for any that has no name
  int32_t first = 0, count = 0;
  float log_actual[kTargets] = {};
};

// Oldest first; the steps of lesson i + 1 follow those of lesson i.
struct PlanLessons {
  int32_t count = 0, steps = 0;
  uint64_t taken = 0;  // ever
  PlanLesson lesson[kLessons];
  SequenceStep step[kLessonSteps];
};
static_assert(std::is_trivially_copyable_v<PlanLessons>);

// Keeps the latest few of a statement; where there is no room a lesson goes at random, so that old ones fade.
void AddLesson(int64_t statement, const PlanSequence& sequence, const Actual& actual, PlanLessons* lessons);

struct SequenceTraining {
  bool running = false;
  uint32_t rounds = 0;        // begun ever
  uint64_t lessons_then = 0;  // PlanLessons::taken when the last round began
  int32_t epoch = 0, since_best = 0;
  int64_t updates = 0;    // of Adam, in this round
  double best_loss = -1;  // on held out statements; negative: none yet
  double working[kSequenceParams] = {};
  double first[kSequenceParams] = {};   // moment of the gradient
  double second[kSequenceParams] = {};  // and of its square
  double best[kSequenceParams] = {};
};
static_assert(std::is_trivially_copyable_v<SequenceTraining>);

// Whether enough is new to train on; asked: whether anything is.
bool TrainingDue(const PlanLessons& lessons, const SequenceTraining& training, bool asked);

enum class SliceEnd {
  kMore,      // the budget is used up
  kRejected,  // the round is over and found nothing better than `published`
  kBetter,    // the round is over, *candidate is better on held out statements and may take the place of `published`
};

// Goes on with the round that is running, or begins one: from `published`, or anew where there is none. go_on() is
// asked after every few lessons and ends the slice when false. The lessons must be the same from slice to slice but for
// those that AddLesson() changed meanwhile.
SliceEnd TrainSlice(const PlanLessons& lessons, const SequenceModel& published, const std::function<bool()>& go_on,
                    SequenceTraining* training, SequenceModel* candidate);

// Follows how a version and the one before it do on outcomes that neither was trained on.
struct SequenceProbation {
  double mine = 0, before = 0;  // mean loss
  int32_t outcomes = 0;
};
// The loss of an answer, as the training counts it.
double SequenceLoss(const double* log, const double* actual_log);
// Adds an outcome; true when the version is worse for sure enough and should give way to the one before.
bool OnProbation(double mine, double before, SequenceProbation* probation);

}  // namespace query_shaper
