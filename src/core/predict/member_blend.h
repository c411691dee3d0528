// How the members' answers to one target become one. The cache's rest on other grounds than the others', which all read
// the plan: the others are weighed among themselves by recent squared errors on the log scale, the cache against them
// all by the moments of both errors (Bates and Granger 1969).
#pragma once
#include "core/predict/profile_cache.h"
#include "core/predict/predict.h"

namespace query_shaper {

struct Member {
  bool answers = false;
  double log = 0;
  double sd = 1;
};

// context 0: neither statement nor plan seen, 1: seen.
struct MemberAnswers {
  Member member[kModels];
  double square[kModels];   // expected squared error of each
  double weights[kModels];  // sum to 1
};

// Mean squared error of a member before anything is known of it.
double PriorSquare(int context, Target target, int member);
// Of the blend, by times seen (SeenBucket()).
double PriorBlendSquare(Target target, int bucket);

double RecentSquare(double square, double prior);

// Index into Models::cache_moments; own: of the statement itself, seen so many times.
int HistoryBucket(double seen, bool own);

// What the cache weighs against the others, 0 to 1.
double CacheWeight(const Models& models, Target target, int history);

// Learns what the cache and the others together said of a target; load: what of y is none of theirs.
void ScoreCache(const Estimate& made, Target target, double y, double load, Models* models);

// What each member weighs; sum to 1. history: where the cache answers. The others' weights go by an inverse power of
// their squares, sharp enough to let a clearly better one speak alone. The sequence member, which costs more than the
// others together, does not count where it weighs next to nothing.
void WeighMembers(const Models& models, Target target, int history, const Member* members, const double* square,
                  double* weights);

// The answers of all members to one target with their weights. speaker: the profile that speaks for the cache, null for
// none; own: it is the statement's own.
MemberAnswers AskMembers(Target target, const FeatureVector& features, const Regressors& regressors,
                         const Profile* speaker, bool own, const Models& models, const SequenceAnswer* sequence);

}  // namespace query_shaper
