// What the shared memory and the learner of one database hold, for replays without a server.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/base/hash.h"
#include "core/predict/predict.h"
#include "core/predict/sequence_training.h"

namespace query_shaper {

class ReplayedDatabase {
 public:
  static constexpr double kHalfLife_s = 30 * 86400.0;
  static constexpr int kBatch = 10;  // outcomes between two solutions of the linear model

  ReplayedDatabase() : models_(std::make_unique<Models>()), recurrent_(std::make_unique<Recurrent>()) {
    InitModels(models_.get());
  }
  ReplayedDatabase(const ReplayedDatabase& other)
      : models_(std::make_unique<Models>(*other.models_)),
        recurrent_(std::make_unique<Recurrent>(*other.recurrent_)),
        exact_(other.exact_),
        shape_(other.shape_),
        runs_(other.runs_),
        learned_(other.learned_) {}

  // sequence: the plan as the recurrent member reads it, null to leave it out.
  Estimate Predict(const std::string& query, uint64_t fingerprint, const FeatureVector& features, double at_s,
                   const PlanSequence* sequence = nullptr) const {
    SequenceAnswer answer;
    if (sequence != nullptr) AnswerSequence(recurrent_->published, *sequence, &answer);
    return query_shaper::Predict(features, Exact(query, fingerprint), Shape(fingerprint), *models_, at_s,
                                 Exact(query, 0), &answer);
  }

  void Learn(const std::string& query, uint64_t fingerprint, const FeatureVector& features, const Estimate& made,
             const Actual& actual, const PaceSample& pace, double at_s, const PlanSequence* sequence = nullptr) {
    query_shaper::Learn(features, made, actual, pace, at_s, kHalfLife_s, &exact_[{query, fingerprint}],
                        &shape_[fingerprint], models_.get());
    query_shaper::LearnStatement(features, actual, at_s, kHalfLife_s, &exact_[{query, 0}]);
    ++runs_[query];
    if (++learned_ % kBatch == 0) Train(models_.get(), static_cast<int64_t>(at_s));
    if (sequence != nullptr)
      AddLesson(static_cast<int64_t>(HashBytes(query.data(), query.size())), *sequence, actual, &recurrent_->lessons);
  }

  // A whole round of the recurrent member's training, as train() asks for; true when there is a new version.
  bool TrainSequence() {
    Recurrent& r = *recurrent_;
    if (!TrainingDue(r.lessons, r.training, true)) return false;
    if (TrainSlice(
            r.lessons, r.published, [] { return true; }, &r.training, &r.candidate) != SliceEnd::kBetter)
      return false;
    if (r.published.version == 0) BeginSequence(r.candidate.noise, models_.get());
    r.published = r.candidate;
    return true;
  }
  const SequenceModel& sequence() const { return recurrent_->published; }

  // Null: nothing known.
  const Pace* PaceOf(const std::string& query, uint64_t fingerprint) const {
    for (const Profile* profile : {Exact(query, fingerprint), Shape(fingerprint)}) {
      if (profile != nullptr && profile->pace.weight > 0) return &profile->pace;
    }
    return nullptr;
  }

  int Runs(const std::string& query) const {
    const auto found = runs_.find(query);
    return found == runs_.end() ? 0 : found->second;
  }
  const Models& models() const { return *models_; }

 private:
  const Profile* Exact(const std::string& query, uint64_t fingerprint) const {
    const auto found = exact_.find({query, fingerprint});
    return found == exact_.end() ? nullptr : &found->second;
  }
  const Profile* Shape(uint64_t fingerprint) const {
    const auto found = shape_.find(fingerprint);
    return found == shape_.end() ? nullptr : &found->second;
  }

  struct Recurrent {
    SequenceModel published, candidate;
    PlanLessons lessons;
    SequenceTraining training;
  };

  std::unique_ptr<Models> models_;
  std::unique_ptr<Recurrent> recurrent_;
  std::map<std::pair<std::string, uint64_t>, Profile> exact_;
  std::map<uint64_t, Profile> shape_;
  std::map<std::string, int> runs_;
  int learned_ = 0;
};

}  // namespace query_shaper
