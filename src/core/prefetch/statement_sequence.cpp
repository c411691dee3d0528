#include "core/prefetch/statement_sequence.h"

#include <algorithm>

#include "core/base/hash.h"

namespace query_shaper {

namespace {

constexpr int kBucket = 4;
constexpr float kSlowestShare = 1.0F / 16;
constexpr float kMemory = 64;  // answers
constexpr float kPrior = 1;

// 0 when the session has not come that far.
uint64_t ContextOf(const SessionPlace& place, int order) {
  uint64_t context = static_cast<uint64_t>(order) + 1;
  for (int i = 0; i <= order; ++i) {
    if (place.last[i] == 0) return 0;
    context = CombineHash(context, place.last[i]);
  }
  return context == 0 ? 1 : context;
}

const SequenceTransition* FindContext(const StatementSequence& sequence, int order, uint64_t context) {
  if (context == 0) return nullptr;
  const SequenceTransition* const bucket =
      &sequence.transitions[order][context % (kSequenceContexts / kBucket) * kBucket];
  for (int i = 0; i < kBucket; ++i)
    if (bucket[i].context == context) return bucket + i;
  return nullptr;
}

SequenceTransition* EnterContext(StatementSequence* sequence, int order, uint64_t context) {
  SequenceTransition* const bucket = &sequence->transitions[order][context % (kSequenceContexts / kBucket) * kBucket];
  SequenceTransition* oldest = bucket;
  for (int i = 0; i < kBucket; ++i) {
    if (bucket[i].context == context) return bucket + i;
    if (oldest->context != 0 && (bucket[i].context == 0 || bucket[i].touched < oldest->touched)) oldest = bucket + i;
  }
  *oldest = SequenceTransition{};
  oldest->context = context;
  return oldest;
}

void Follow(SequenceTransition* transition, uint64_t next) {
  ++transition->seen;
  const float rate = std::max(1.0F / static_cast<float>(transition->seen), kSlowestShare);
  int at = -1, least = 0;
  for (int i = 0; i < kSequenceSuccessors; ++i) {
    if (transition->next[i] == next && transition->share[i] > 0) at = i;
    transition->share[i] *= 1 - rate;
    if (transition->share[i] < transition->share[least]) least = i;
  }
  if (at < 0) {
    at = least;
    transition->next[at] = next;
    transition->share[at] = 0;
  }
  transition->share[at] += rate;
}

float Shown(const StatementSequence& sequence, int order) {
  return (sequence.right[order] + kPrior / 2) / (sequence.told[order] + kPrior);
}

NextStatement AnswerOf(const StatementSequence& sequence, int order, const SessionPlace& place) {
  NextStatement answer;
  const SequenceTransition* const transition = FindContext(sequence, order, ContextOf(place, order));
  if (transition == nullptr) return answer;
  const float* const best = std::max_element(transition->share, transition->share + kSequenceSuccessors);
  const auto seen = static_cast<float>(transition->seen);
  answer.fingerprint = transition->next[best - transition->share];
  answer.probability = (*best * seen + Shown(sequence, order) * kPrior) / (seen + kPrior);
  return answer;
}

}  // namespace

void StartSequence(StatementSequence* sequence) { *sequence = StatementSequence{}; }

void NoteStatement(StatementSequence* sequence, SessionPlace* place, uint64_t fingerprint) {
  ++sequence->statements;
  for (int order = 0; order < kSequenceOrders; ++order) {
    const uint64_t context = ContextOf(*place, order);
    if (context == 0) continue;
    const NextStatement answer = AnswerOf(*sequence, order, *place);
    if (answer.fingerprint != 0) {
      const float stays = 1 - 1 / kMemory;
      sequence->right[order] = sequence->right[order] * stays + static_cast<float>(answer.fingerprint == fingerprint);
      sequence->told[order] = sequence->told[order] * stays + 1;
    }
    SequenceTransition* const transition = EnterContext(sequence, order, context);
    transition->touched = sequence->statements;
    Follow(transition, fingerprint);
  }
  for (int i = kSequenceOrders - 1; i > 0; --i) place->last[i] = place->last[i - 1];
  place->last[0] = fingerprint;
}

NextStatement PredictStatement(const StatementSequence& sequence, const SessionPlace& place) {
  NextStatement best;
  float best_shown = -1;
  for (int order = 0; order < kSequenceOrders; ++order) {
    const NextStatement answer = AnswerOf(sequence, order, place);
    if (answer.fingerprint == 0 || Shown(sequence, order) < best_shown) continue;
    best = answer;
    best_shown = Shown(sequence, order);
  }
  return best;
}

}  // namespace query_shaper
