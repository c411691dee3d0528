// A sampled run's row counts scaled to the whole, with limits.
//
// A node that saw k rows where every row had the probability p to be there suggests k / p rows. Rows come in clusters
// of m: those of one sampled row that meets many partners, and those of one block that are alike. So e = k / m
// independent hits tell ln(k / p) with a variance of about 1 / e (Poisson); the planner's own estimate N is worth
// kPriorHits of them:
//   ln rows = (e ln(k / p) + h ln N) / (e + h), standard deviation (e + h)^(-1/2).
// Without a hit the answer is the planner's where the sample was too small to tell, and about 1 / 2p where it was not.
// Several samples of one node are pooled: rows and probabilities add up, and where the samples differ by more than the
// Poisson spread explains (few sampled rows have most of the partners), m grows by as much.
#pragma once

namespace query_shaper {

struct SampledCount {
  double seen = 0;          // rows in the sampled run
  double contributors = 0;  // sampled rows of base relations that these come from, at most; 0: unknown
  double probability = 1;   // of one row of the whole to be seen; 1: not sampled
  double prior_rows = 0;    // the planner's estimate for the whole
  double dispersion = 1;    // variance between pooled samples over that of the Poisson spread, at least 1
  int samples = 1;          // pooled
};

struct ScaledRows {
  double rows = 0, low = 0, high = 0;  // 90 % interval
};

// Adds another sample of the same node; one of the whole replaces all samples.
void PoolSample(SampledCount* pooled, const SampledCount& more);

// Whether another sample of this size would hardly change the figure; a single one cannot tell.
bool SampleSettled(const SampledCount& count);

ScaledRows ScaleSample(const SampledCount& count);

}  // namespace query_shaper
