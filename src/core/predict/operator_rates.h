// The online member: time as a sum over operators of work x rate, rates followed by an iterated extended Kalman filter.
//
// State: r_k = log(ms per unit of work k). Observation: log t = log sum_k exp(r_k) w_k + noise. The gradient of it is
// each operator's share of the time. Bell and Cathey, The iterated Kalman filter update as a Gauss-Newton method, 1993.
#pragma once
#include "core/predict/predict.h"

namespace query_shaper {

void InitRates(RateModel* model);

void PredictRates(const RateModel& model, const FeatureVector& features, double* log, double* log_sd);

// log of the plan's work in milliseconds at the rates assumed a priori: the same whatever has been learned.
double NominalLog(const FeatureVector& features);

// The same in milliseconds of amounts of work that are not on the features' log scale, without the constant.
double NominalMs(const double* work);

// noise_factor >= 1 raises the observation noise of samples that say little new. The covariance never exceeds its
// prior, so long silence or one-sided load cannot wind it up.
void LearnRates(const FeatureVector& features, double log_ms, double noise_factor, RateModel* model);

}  // namespace query_shaper
