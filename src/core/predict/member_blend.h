// How the members' answers to one target become one: weights by recent squared errors on the log scale.
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

// Inverse power, sharp enough to let a clearly better member speak alone. The sequence member, which costs more than
// the others together, does not count where it weighs next to nothing.
void WeighMembers(const Member* members, const double* square, double* weights);

// The answers of all members to one target with their weights. speaker: the profile that speaks for the cache, null for
// none; own: it is the statement's own.
MemberAnswers AskMembers(Target target, const FeatureVector& features, const Regressors& regressors,
                         const Profile* speaker, bool own, const Models& models, const SequenceAnswer* sequence);

}  // namespace query_shaper
