// Bayesian ridge regression of every target's residual against what the plan itself says, over the log features.
//
// y = base(plan) + w'x + noise, w ~ N(0, prior); posterior precision A = prior + X'WX / s2, mean A^-1 X'Wy / s2
// (Bishop, Pattern Recognition and Machine Learning, 2006, 3.3).
#pragma once
#include "core/predict/predict.h"

namespace query_shaper {

void InitLinear(LinearModel* model);

// log of the target and its standard deviation.
void PredictLinear(const LinearModel& model, const FeatureVector& features, Target target, double* log, double* log_sd);

// weight: how much a new sample counts; repeats of one statement say little new about others. keep: what is left of the
// old.
void LearnLinear(const FeatureVector& features, const Actual& actual, double weight, double keep, LinearModel* model);

void SolveLinear(LinearModel* model);

// What plan and planner alone say about a target, on its log scale.
double PlanBase(const FeatureVector& features, Target target);

}  // namespace query_shaper
