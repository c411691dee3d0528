// The cache member: what this statement took before, moved by what the planner expects of this run's constants.
//
// Per profile, decayed: mean and co-moments of log time y and kRegressors quantities x known at the start. Prediction
// is mean(y) + b'(x - mean(x)), b the ridge solution (S + l I)^-1 (c + l b0): with few runs the prior slopes b0, with
// many the profile's own. Processor time follows the slopes of time; every other target has one slope, on what the plan
// says of it. Outcomes are Huber-weighted (Huber 1964); the first run, often cold, counts for a fifth.
#pragma once
#include "core/predict/predict.h"

namespace query_shaper {

struct Regressors {
  double values[kRegressors];
  double base[kTargets];  // what the plan alone says, see PlanBase()
};

// Nothing that is learned may enter: a regressor that moves with the models would look like another constant.
Regressors RegressorsOf(const FeatureVector& features);

// Whether the profile can answer at all.
bool HasHistory(const Profile& profile);

void PredictProfile(const Profile& profile, const Regressors& regressors, Target target, double* log, double* log_sd);

// keep: what time has left of the profile's weight, 0..1.
void LearnProfile(const Regressors& regressors, const Actual& actual, double keep, Profile* profile);

}  // namespace query_shaper
