#include "core/predict/sequence_training.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/hash.h"
#include "core/predict/scale.h"

namespace query_shaper {

namespace {

constexpr int kBatch = 8;
constexpr int kEpochs = 120;
constexpr int kPatience = 12;
constexpr double kStep = 4e-3;
constexpr double kKeepFirst = 0.9, kKeepSecond = 0.999;
constexpr double kDecay = 0.02;     // of weights, per unit of step (Loshchilov and Hutter 2019)
constexpr double kLongest = 2.0;    // norm of a batch's gradient
constexpr double kBetterBy = 0.98;  // of the published version's loss
constexpr int kHeldOutOf = 5;

constexpr double kTargetWeight[kTargets] = {1.0, 0.7, 0.2, 0.2, 0.3, 0.7, 0.2};

// The same statements in every round, so that no version was ever trained on them.
bool HeldOut(const PlanLesson& lesson) {
  return MixBits(static_cast<uint64_t>(lesson.statement) ^ 0x5e9ce) % kHeldOutOf == 0;
}

void Remove(int i, PlanLessons* lessons) {
  const int first = lessons->lesson[i].first;
  const int count = lessons->lesson[i].count;
  memmove(static_cast<void*>(lessons->step + first), lessons->step + first + count,
          sizeof(SequenceStep) * static_cast<size_t>(lessons->steps - first - count));
  lessons->steps -= count;
  memmove(static_cast<void*>(lessons->lesson + i), lessons->lesson + i + 1,
          sizeof(PlanLesson) * static_cast<size_t>(lessons->count - i - 1));
  --lessons->count;
  for (int k = i; k < lessons->count; ++k) lessons->lesson[k].first -= count;
}

void SequenceOf(const PlanLessons& lessons, const PlanLesson& lesson, PlanSequence* sequence) {
  sequence->count = std::clamp(lesson.count, 0, kSequenceSteps);
  if (lesson.first < 0 || lesson.first + sequence->count > kLessonSteps) sequence->count = 0;
  memcpy(static_cast<void*>(sequence->steps), lessons.step + (sequence->count > 0 ? lesson.first : 0),
         sizeof(SequenceStep) * static_cast<size_t>(sequence->count));
}

struct Split {
  int trained[kLessons], held[kLessons];
  int trained_count = 0, held_count = 0;
  double weight[kLessons];  // of each lesson: a statement counts once, however many lessons it gave
};

Split SplitLessons(const PlanLessons& lessons) {
  Split split;
  const int count = std::clamp(lessons.count, 0, kLessons);
  for (int i = 0; i < count; ++i) {
    int same = 0;
    for (int k = 0; k < count; ++k) same += lessons.lesson[k].statement == lessons.lesson[i].statement;
    split.weight[i] = 1.0 / std::max(same, 1);
    if (HeldOut(lessons.lesson[i])) {
      split.held[split.held_count++] = i;
    } else {
      split.trained[split.trained_count++] = i;
    }
  }
  return split;
}

double HeldOutLoss(const PlanLessons& lessons, const Split& split, const double* params, double* square) {
  PlanSequence sequence;
  double loss = 0, weight = 0;
  for (int t = 0; square != nullptr && t < kTargets; ++t) square[t] = 0;
  for (int k = 0; k < split.held_count; ++k) {
    const PlanLesson& lesson = lessons.lesson[split.held[k]];
    SequenceOf(lessons, lesson, &sequence);
    if (sequence.count == 0) continue;
    double log[kTargets], actual[kTargets];
    RunSequence(params, sequence, log);
    std::copy(lesson.log_actual, lesson.log_actual + kTargets, actual);
    const double w = split.weight[split.held[k]];
    loss += w * SequenceLoss(log, actual);
    for (int t = 0; square != nullptr && t < kTargets; ++t)
      square[t] += w * std::min((log[t] - actual[t]) * (log[t] - actual[t]), 9.0);
    weight += w;
  }
  if (!(weight > 0)) return 0;
  for (int t = 0; square != nullptr && t < kTargets; ++t) square[t] /= weight;
  return loss / weight;
}

void Update(double* gradient, SequenceTraining* training) {
  double norm = 0;
  for (int i = 0; i < kSequenceParams; ++i) norm += gradient[i] * gradient[i];
  if (!std::isfinite(norm)) return;
  const double shrink = norm > kLongest * kLongest ? kLongest / std::sqrt(norm) : 1;
  ++training->updates;
  const double updates = static_cast<double>(std::min<int64_t>(training->updates, 100000));
  const double first_bias = 1 - std::pow(kKeepFirst, updates);
  const double second_bias = 1 - std::pow(kKeepSecond, updates);
  for (int i = 0; i < kSequenceParams; ++i) {
    const double g = gradient[i] * shrink;
    training->first[i] = kKeepFirst * training->first[i] + (1 - kKeepFirst) * g;
    training->second[i] = kKeepSecond * training->second[i] + (1 - kKeepSecond) * g * g;
    const double direction = training->first[i] / first_bias / (std::sqrt(training->second[i] / second_bias) + 1e-8);
    training->working[i] -= kStep * (direction + kDecay * training->working[i]);
  }
}

void BeginRound(const PlanLessons& lessons, const SequenceModel& published, SequenceTraining* training) {
  const uint32_t rounds = training->rounds + 1;
  *training = SequenceTraining{};
  training->running = true;
  training->rounds = rounds;
  training->lessons_then = lessons.taken;
  if (published.version > 0) {
    std::copy(published.params, published.params + kSequenceParams, training->working);
  } else {
    InitSequence(rounds, training->working);
  }
  std::copy(training->working, training->working + kSequenceParams, training->best);
}

}  // namespace

void AddLesson(int64_t statement, const PlanSequence& sequence, const Actual& actual, PlanLessons* lessons) {
  if (sequence.count <= 0 || !actual.complete) return;
  int same = 0, oldest = -1;
  for (int i = lessons->count - 1; i >= 0; --i) {
    if (lessons->lesson[i].statement != statement) continue;
    ++same;
    oldest = i;
  }
  if (statement != 0 && same >= kLessonsPerStatement) Remove(oldest, lessons);
  while (lessons->count > 0 && (lessons->count == kLessons || lessons->steps + sequence.count > kLessonSteps))
    Remove(static_cast<int>(MixBits(lessons->taken + static_cast<uint64_t>(lessons->steps)) %
                            static_cast<uint64_t>(lessons->count)),
           lessons);
  PlanLesson& lesson = lessons->lesson[lessons->count];
  lesson.statement = statement;
  lesson.first = lessons->steps;
  lesson.count = sequence.count;
  for (int t = 0; t < kTargets; ++t)
    lesson.log_actual[t] = static_cast<float>(ToLog(static_cast<Target>(t), Finite(actual.targets[t], 0)));
  memcpy(static_cast<void*>(lessons->step + lesson.first), sequence.steps,
         sizeof(SequenceStep) * static_cast<size_t>(sequence.count));
  lessons->steps += sequence.count;
  ++lessons->count;
  ++lessons->taken;
}

bool TrainingDue(const PlanLessons& lessons, const SequenceTraining& training, bool asked) {
  if (training.running) return true;
  if (lessons.count < kLeastLessons) return false;
  const uint64_t fresh = lessons.taken - training.lessons_then;
  if (training.rounds > 0 && fresh < static_cast<uint64_t>(asked ? 1 : kNewLessons)) return false;
  int statements = 0, held = 0;
  for (int i = 0; i < lessons.count; ++i) {
    bool before = false;
    for (int k = 0; k < i && !before; ++k) before = lessons.lesson[k].statement == lessons.lesson[i].statement;
    statements += !before;
    held += !before && HeldOut(lessons.lesson[i]);
  }
  return statements >= kLeastStatements && held > 0 && held < statements;
}

SliceEnd TrainSlice(const PlanLessons& lessons, const SequenceModel& published, const std::function<bool()>& go_on,
                    SequenceTraining* training, SequenceModel* candidate) {
  if (!training->running) BeginRound(lessons, published, training);
  const Split split = SplitLessons(lessons);
  double gradient[kSequenceParams];
  PlanSequence sequence;
  const int batches = (split.trained_count + kBatch - 1) / kBatch;
  // A slice goes on with its epoch at the batch that stands in the number of updates: lessons are drawn by hash, so
  // that the order needs no memory.
  while (training->epoch < kEpochs && training->since_best < kPatience && batches > 0 && split.held_count > 0) {
    for (int batch = static_cast<int>(training->updates % batches);;) {
      std::fill(gradient, gradient + kSequenceParams, 0.0);
      for (int k = 0; k < kBatch; ++k) {
        const uint64_t draw = CombineHash(CombineHash(training->rounds, static_cast<uint64_t>(training->updates)),
                                          static_cast<uint64_t>(k));
        const int chosen = split.trained[draw % static_cast<uint64_t>(split.trained_count)];
        const PlanLesson& lesson = lessons.lesson[chosen];
        SequenceOf(lessons, lesson, &sequence);
        if (sequence.count == 0) continue;
        double actual[kTargets], weight[kTargets];
        std::copy(lesson.log_actual, lesson.log_actual + kTargets, actual);
        for (int t = 0; t < kTargets; ++t) weight[t] = kTargetWeight[t] * split.weight[chosen] / kBatch;
        SequenceGradient(training->working, sequence, actual, weight, gradient);
      }
      const int64_t before = training->updates;
      Update(gradient, training);
      if (training->updates == before) ++training->updates;
      if (++batch >= batches) break;
      if (!go_on()) return SliceEnd::kMore;
    }
    ++training->epoch;
    const double loss = HeldOutLoss(lessons, split, training->working, nullptr);
    if (std::isfinite(loss) && (training->best_loss < 0 || loss < training->best_loss)) {
      training->best_loss = loss;
      training->since_best = 0;
      std::copy(training->working, training->working + kSequenceParams, training->best);
    } else {
      ++training->since_best;
    }
    if (!go_on()) return SliceEnd::kMore;
  }
  training->running = false;
  *candidate = SequenceModel{};
  std::copy(training->best, training->best + kSequenceParams, candidate->params);
  const double loss = HeldOutLoss(lessons, split, candidate->params, candidate->noise);
  // Where nothing is published yet, the plan's own figures, which zero heads give, are what has to be beaten.
  SequenceModel plain;
  const bool first = published.version == 0;
  const double known = HeldOutLoss(lessons, split, first ? plain.params : published.params, nullptr);
  candidate->version = published.version + 1;
  candidate->samples = split.trained_count;
  return std::isfinite(loss) && split.held_count > 0 && loss < kBetterBy * known ? SliceEnd::kBetter
                                                                                 : SliceEnd::kRejected;
}

double SequenceLoss(const double* log, const double* actual_log) {
  double loss = 0;
  for (int t = 0; t < kTargets; ++t) {
    const double size = std::fabs(log[t] - actual_log[t]);
    loss += kTargetWeight[t] * (size <= 1.5 ? 0.5 * size * size : 1.5 * (size - 0.75));
  }
  return loss;
}

bool OnProbation(double mine, double before, SequenceProbation* probation) {
  constexpr int kEnough = 20;
  constexpr double kWorse = 1.1;
  if (!std::isfinite(mine) || !std::isfinite(before)) return false;
  const double gain = std::max(1.0 / ++probation->outcomes, 0.02);
  probation->mine += gain * (mine - probation->mine);
  probation->before += gain * (before - probation->before);
  return probation->outcomes >= kEnough && probation->mine > kWorse * probation->before;
}

}  // namespace query_shaper
