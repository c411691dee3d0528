#include "core/prefetch/access_model.h"

#include <algorithm>
#include <cmath>

#include "core/base/hash.h"

namespace query_shaper {

namespace {

constexpr int kBlockPredictor = kStepOrders;
constexpr int kExtentPredictor = kStepOrders + 1;
constexpr int kWays = 8;
constexpr int kFollowerWays = 8;
constexpr int kSlowestRate = 16;  // a share follows at least its last 16 observations
constexpr float kWholeShare = 65535;
constexpr float kShownMemory = 128;  // answers
constexpr float kChainMemory = 64;
constexpr float kPriorAnswers = 2;   // weight of what a predictor has shown against one context's own
constexpr float kChainLeast = 0.6F;  // probability of a chain's last block while the episode goes on
constexpr float kEndsMemory = 512;
constexpr float kGoesOnLeast = 0.6F;
constexpr float kGoesOnLeastWasteful = 0.98F;
constexpr float kEndsWanted = 0.97F;
constexpr float kEndsPoor = 0.9F;
constexpr int kChainMost = 128;
constexpr float kGateLeast = 8;  // answers
constexpr float kGateOpens = 0.7F;
constexpr float kGateShuts = 0.55F;
constexpr uint32_t kExpires = kNamed;  // accesses
constexpr float kCycleShown = 0.8F;
constexpr uint32_t kSequentialExtent = 1024;
constexpr uint32_t kLargestCluster = 128;

struct Answer {
  bool any = false;
  int32_t value = 0;
  float probability = 0;
};

void Score(Precision* precision, bool right, float memory) {
  const float stays = 1 - 1 / memory;
  precision->right = precision->right * stays + static_cast<float>(right);
  precision->told = precision->told * stays + 1;
}

// Mean with half an answer of each kind as prior.
float ShareRight(const Precision& precision) { return (precision.right + 0.5F) / (precision.told + 1); }

float LowerBound(const Precision& precision) {
  const float share = ShareRight(precision);
  return share - std::sqrt(share * (1 - share) / (precision.told + 1));
}

uint32_t StepContext(const int32_t* steps, int order) {
  uint64_t hash = static_cast<uint64_t>(order);
  for (int i = 0; i < order; ++i) hash = CombineHash(hash, static_cast<uint32_t>(steps[i]));
  const uint32_t context = static_cast<uint32_t>(hash);
  return context == 0 ? 1 : context;
}

uint32_t PlaceContext(uint32_t block) {
  const uint32_t context = static_cast<uint32_t>(MixBits(block + 1ULL));
  return context == 0 ? 1 : context;
}

const Transition* Find(const Transition* table, int size, uint32_t context) {
  const Transition* const bucket = table + context % (size / kWays) * kWays;
  for (int i = 0; i < kWays; ++i)
    if (bucket[i].context == context) return bucket + i;
  return nullptr;
}

// Finds or takes the place that is worth least: seldom seen and long ago.
Transition* Enter(Transition* table, int size, uint32_t context, uint32_t accesses) {
  Transition* const bucket = table + context % (size / kWays) * kWays;
  const auto now = static_cast<uint16_t>(accesses / kNamed);
  Transition* worst = bucket;
  int worst_worth = INT32_MAX;
  for (int i = 0; i < kWays; ++i) {
    if (bucket[i].context == context) {
      bucket[i].touched = now;
      return bucket + i;
    }
    const int age = static_cast<uint16_t>(now - bucket[i].touched);
    const int worth = bucket[i].context == 0 ? -1 : static_cast<int>(bucket[i].seen) * 64 / (1 + age);
    if (worth < worst_worth) {
      worst_worth = worth;
      worst = bucket + i;
    }
  }
  *worst = Transition{};
  worst->context = context;
  worst->touched = now;
  return worst;
}

// Exact shares at first, moving ones later.
void Observe(Transition* transition, int32_t value) {
  transition->seen = static_cast<uint8_t>(std::min(transition->seen + 1, 255));
  const float rate = 1.0F / static_cast<float>(std::min<int>(transition->seen, kSlowestRate));
  int at = -1, least = 0;
  for (int i = 0; i < kSuccessors; ++i) {
    if (transition->share[i] > 0 && transition->next[i] == value) at = i;
    if (transition->share[i] < transition->share[least]) least = i;
    transition->share[i] = static_cast<uint16_t>(static_cast<float>(transition->share[i]) * (1 - rate));
  }
  if (at < 0) {
    at = least;
    transition->next[at] = value;
    transition->share[at] = 0;
  }
  const float share = static_cast<float>(transition->share[at]) + rate * kWholeShare;
  transition->share[at] = static_cast<uint16_t>(std::min(share, kWholeShare));
}

// What one context has seen, drawn towards what its predictor has shown in all.
Answer BestOf(const Transition* transition, const Precision& shown) {
  Answer answer;
  if (transition == nullptr || transition->seen == 0) return answer;
  int best = 0;
  for (int i = 1; i < kSuccessors; ++i)
    if (transition->share[i] > transition->share[best]) best = i;
  const float seen = transition->seen;
  const float share = static_cast<float>(transition->share[best]) / kWholeShare;
  answer.any = true;
  answer.value = transition->next[best];
  answer.probability = (share * seen + ShareRight(shown) * kPriorAnswers) / (seen + kPriorAnswers);
  return answer;
}

// The next block as one predictor has it.
Answer Predict(const AccessModel& model, int predictor, const AccessPlace& place) {
  Answer answer;
  if (predictor < kStepOrders) {
    const int order = predictor + 1;
    if (place.known_steps < order) return answer;
    answer =
        BestOf(Find(model.steps[predictor], kStepContexts, StepContext(place.steps, order)), model.shown[predictor]);
    if (!answer.any) return answer;
    const int64_t block = static_cast<int64_t>(place.block) + answer.value;
    answer.any = block >= 0 && block < kNoBlockYet;
    answer.value = static_cast<int32_t>(static_cast<uint32_t>(block));
    return answer;
  }
  return BestOf(Find(model.blocks, kBlockContexts, PlaceContext(place.block)), model.shown[predictor]);
}

Follower* FollowersAt(BlockFollowers* followers, uint32_t block) {
  return &followers->followers[static_cast<uint32_t>(MixBits(block)) % (kFollowers / kFollowerWays) * kFollowerWays];
}

Answer PredictFollower(BlockFollowers* followers, uint32_t block) {
  Answer answer;
  const Follower* const bucket = FollowersAt(followers, block);
  for (int i = 0; i < kFollowerWays && !answer.any; ++i)
    if (bucket[i].block == block) answer = {true, static_cast<int32_t>(bucket[i].next), ShareRight(followers->shown)};
  return answer;
}

// Which one makes room is left to chance: with more blocks than places, the oldest would always be the one needed next.
void LearnFollower(BlockFollowers* followers, uint32_t block, uint32_t next) {
  Follower* const bucket = FollowersAt(followers, block);
  int place = static_cast<int>(MixBits(next) % kFollowerWays);
  for (int i = kFollowerWays - 1; i >= 0; --i)
    if (bucket[i].block == kNoBlockYet) place = i;
  for (int i = 0; i < kFollowerWays; ++i)
    if (bucket[i].block == block) place = i;
  bucket[place] = {block, next};
}

// Of those that have an answer here, the one that has been right most often.
Answer PredictBest(const AccessModel& model, BlockFollowers* followers, const AccessPlace& place) {
  Answer best;
  float best_shown = -1;
  for (int predictor = 0; predictor <= kBlockPredictor; ++predictor) {
    const float shown = LowerBound(model.shown[predictor]);
    if (shown <= best_shown) continue;
    const Answer answer = Predict(model, predictor, place);
    if (!answer.any) continue;
    best = answer;
    best_shown = shown;
  }
  if (followers == nullptr || LowerBound(followers->shown) <= best_shown) return best;
  const Answer answer = PredictFollower(followers, place.block);
  return answer.any ? answer : best;
}

void Advance(AccessPlace* place, uint32_t block) {
  if (place->block != kNoBlockYet) {
    for (int i = kStepOrders - 1; i > 0; --i) place->steps[i] = place->steps[i - 1];
    place->steps[0] = static_cast<int32_t>(block - place->block);
    place->known_steps = std::min(place->known_steps + 1, kStepOrders);
  }
  place->block = block;
}

void Begin(AccessPlace* place) {
  *place = AccessPlace{};
  place->block = kNoBlockYet;
}

const Transition* ExtentAt(const AccessModel& model, uint32_t extent) {
  return Find(model.extents, kExtentContexts, PlaceContext(extent));
}

void ScoreAndLearn(AccessModel* model, BlockFollowers* followers, uint32_t block) {
  AccessPlace& place = model->place;
  const auto next = static_cast<int32_t>(block);
  if (followers != nullptr) {
    const Answer answer = PredictFollower(followers, place.block);
    if (answer.any) Score(&followers->shown, answer.value == next, kShownMemory);
    LearnFollower(followers, place.block, block);
  }
  for (int predictor = 0; predictor <= kBlockPredictor; ++predictor) {
    const Answer answer = Predict(*model, predictor, place);
    if (answer.any) Score(&model->shown[predictor], answer.value == next, kShownMemory);
  }
  const auto step = static_cast<int32_t>(block - place.block);
  for (int order = 1; order <= place.known_steps; ++order)
    Observe(Enter(model->steps[order - 1], kStepContexts, StepContext(place.steps, order), model->accesses), step);
  Observe(Enter(model->blocks, kBlockContexts, PlaceContext(place.block), model->accesses), next);
  const uint32_t from = place.block / kModelExtent, to = block / kModelExtent;
  if (from == to) return;
  Transition* const left = Enter(model->extents, kExtentContexts, PlaceContext(from), model->accesses);
  const Answer extent = BestOf(left, model->shown[kExtentPredictor]);
  if (extent.any) Score(&model->shown[kExtentPredictor], extent.value == static_cast<int32_t>(to), kShownMemory);
  Observe(left, static_cast<int32_t>(to));
  left->inside = model->inside_now;
  model->inside_now = 0;
}

NamedBlock* FindNamed(AccessModel* model, uint32_t block) {
  const auto at = static_cast<uint32_t>(MixBits(block)) % (kNamed / kWays) * kWays;
  for (int i = 0; i < kWays; ++i)
    if (model->named[at + i].block == block) return &model->named[at + i];
  return nullptr;
}

enum class Outcome { kRight, kWrong, kBeyondEnd };

void Settle(AccessModel* model, NamedBlock* named, Outcome outcome) {
  const bool right = outcome == Outcome::kRight;
  if (outcome != Outcome::kBeyondEnd) Score(&model->chain, right, kChainMemory);
  if (outcome != Outcome::kWrong) Score(&model->ends, right, kEndsMemory);
  if (named->issued) (right ? model->used : model->wasted) += 1;
  named->block = kNoBlockYet;
}

void Name(AccessModel* model, uint32_t block, bool issued) {
  const auto at = static_cast<uint32_t>(MixBits(block)) % (kNamed / kWays) * kWays;
  NamedBlock* oldest = &model->named[at];
  for (int i = 0; i < kWays; ++i) {
    NamedBlock* const named = &model->named[at + i];
    if (named->block == kNoBlockYet) {
      oldest = named;
      break;
    }
    if (named->at < oldest->at) oldest = named;
  }
  if (oldest->block != kNoBlockYet) Settle(model, oldest, Outcome::kWrong);
  *oldest = {block, model->accesses, issued};
  if (issued) model->issued += 1;
}

// Whether episodes that came as far as this went on for `more` accesses, as a share of the recent ones. Of longer ones
// than ever seen nothing is known but that what has lasted will last (Laplace's rule of succession).
float GoesOn(const AccessModel& model, int more) {
  int reached = 0, further = 0;
  for (const int32_t length : model.lengths) {
    reached += length >= model.position;
    further += length >= model.position + more;
  }
  const auto position = static_cast<float>(model.position);
  const float unknown = (position + 1) / (position + 1 + static_cast<float>(more));
  return (static_cast<float>(further) + unknown) / (static_cast<float>(reached) + 1);
}

void SetGate(AccessModel* model) {
  const float bound = std::min(LowerBound(model->chain), LowerBound(model->ends));
  if (model->chain.told < kGateLeast)
    model->open = false;
  else if (bound >= kGateOpens)
    model->open = true;
  else if (bound < kGateShuts)
    model->open = false;
}

struct Asking {
  BlockFollowers* followers;
  int distance;
  uint32_t relation_blocks;
  uint32_t* ask;
  int capacity;
  int count = 0;
};

bool ReadLately(const AccessWindow& window, uint32_t block) {
  bool read = false;
  for (int i = 0; i < window.filled; ++i) read |= window.blocks[i] == block;
  return read;
}

// False when there is no room to ask.
bool AskFor(AccessModel* model, uint32_t block, Asking* asking) {
  if (block >= asking->relation_blocks || FindNamed(model, block) != nullptr) return true;
  // What was just read is still cached.
  if (ReadLately(model->window, block)) return true;
  const bool issue = model->open && !KernelReadsAhead(model->window);
  if (issue && asking->count >= asking->capacity) return false;
  Name(model, block, issue);
  if (issue) asking->ask[asking->count++] = block;
  return true;
}

// The more has been named beyond ends, the surer it must be that the episode goes on: chains get shorter.
float GoesOnLeast(const AccessModel& model) {
  const float short_of = (kEndsWanted - ShareRight(model.ends)) / (kEndsWanted - kEndsPoor);
  return kGoesOnLeast + std::clamp(short_of, 0.0F, 1.0F) * (kGoesOnLeastWasteful - kGoesOnLeast);
}

void FollowChain(AccessModel* model, Asking* asking) {
  const float goes_on_least = GoesOnLeast(*model);
  while (model->ahead < asking->distance) {
    const Answer answer = PredictBest(*model, asking->followers, model->chain_end);
    if (!answer.any) return;
    const float log = model->chain_log + std::log(std::max(answer.probability, 1e-6F));
    if (std::exp(log) < kChainLeast || GoesOn(*model, model->ahead + 1) < goes_on_least) return;
    const auto block = static_cast<uint32_t>(answer.value);
    if (!AskFor(model, block, asking)) return;
    Advance(&model->chain_end, block);
    model->chain_log = log;
    ++model->ahead;
  }
}

// Where no chain of blocks holds: the blocks of the extent that mostly follows, as they were read there last.
void FollowExtents(AccessModel* model, Asking* asking) {
  const Transition* const here = ExtentAt(*model, model->place.block / kModelExtent);
  const Answer next = BestOf(here, model->shown[kExtentPredictor]);
  if (!next.any || next.probability * GoesOn(*model, 1) < kChainLeast) return;
  const Transition* const there = ExtentAt(*model, static_cast<uint32_t>(next.value));
  if (there == nullptr) return;
  for (uint32_t i = 0; i < kModelExtent; ++i)
    if ((there->inside >> i & 1) != 0 && !AskFor(model, static_cast<uint32_t>(next.value) * kModelExtent + i, asking))
      return;
}

}  // namespace

void StartFollowers(BlockFollowers* followers) {
  for (Follower& follower : followers->followers) follower = {kNoBlockYet, 0};
  followers->shown = {};
}

void StartModel(AccessModel* model) {
  *model = AccessModel{};
  for (NamedBlock& named : model->named) named.block = kNoBlockYet;
  model->run_blocks = 1;
  StartEpisode(model);
}

void StartEpisode(AccessModel* model) {
  Begin(&model->place);
  Begin(&model->chain_end);
  model->ahead = 0;
  model->chain_log = 0;
  model->inside_now = 0;
  model->position = 0;
  model->window = AccessWindow{};
}

void EndEpisode(AccessModel* model) {
  for (NamedBlock& named : model->named)
    if (named.block != kNoBlockYet) Settle(model, &named, Outcome::kBeyondEnd);
  SetGate(model);
  if (model->position > 0) {
    model->lengths[model->next_length] = model->position;
    model->next_length = (model->next_length + 1) % kEpisodeLengths;
    if (model->place.block != kNoBlockYet) {
      const uint32_t extent = model->place.block / kModelExtent;
      Enter(model->extents, kExtentContexts, PlaceContext(extent), model->accesses)->inside = model->inside_now;
    }
  }
  StartEpisode(model);
}

int NoteAccess(AccessModel* model, uint32_t block, int distance, uint32_t relation_blocks, uint32_t* ask, int capacity,
               BlockFollowers* followers) {
  AccessPlace& place = model->place;
  if (block == place.block || block == kNoBlockYet) return 0;
  ++model->accesses;
  ++model->position;
  model->seen += 1;
  NamedBlock* const named = FindNamed(model, block);
  if (named != nullptr) Settle(model, named, Outcome::kRight);
  NamedBlock* const due = &model->named[model->accesses % kNamed];
  if (due->block != kNoBlockYet && model->accesses - due->at > kExpires) Settle(model, due, Outcome::kWrong);

  if (place.block != kNoBlockYet) {
    const Answer answer = PredictBest(*model, followers, place);
    const bool as_chained = answer.any && answer.value == static_cast<int32_t>(block) && model->ahead > 0;
    ScoreAndLearn(model, followers, block);
    if (as_chained) {
      --model->ahead;
      model->chain_log = std::min(model->chain_log - std::log(std::max(answer.probability, 1e-6F)), 0.0F);
    } else {
      model->ahead = 0;
    }
  }
  Advance(&place, block);
  model->inside_now = static_cast<uint16_t>(model->inside_now | 1U << block % kModelExtent);
  NoteStep(&model->window, block);
  const Pattern pattern = JudgedPattern(model->window);
  model->pattern_weight[static_cast<int>(pattern)] += 1;
  if (pattern == Pattern::kClustered) model->run_blocks += (model->window.run_blocks - model->run_blocks) / kNamed;
  if (model->ahead == 0) {
    model->chain_end = place;
    model->chain_log = 0;
  }
  SetGate(model);
  Asking asking = {followers, std::min(distance, kChainMost), relation_blocks, ask, capacity};
  FollowChain(model, &asking);
  if (model->ahead == 0) FollowExtents(model, &asking);
  return asking.count;
}

void PenaliseModel(AccessModel* model, int requests) {
  for (int i = 0; i < std::min(requests, static_cast<int>(kChainMemory)); ++i)
    Score(&model->chain, false, kChainMemory);
  SetGate(model);
}

void DecayModel(AccessModel* model, float share) {
  const float stays = std::clamp(share, 0.0F, 1.0F);
  for (Precision& shown : model->shown) shown = {shown.right * stays, shown.told * stays};
  model->chain = {model->chain.right * stays, model->chain.told * stays};
  model->ends = {model->ends.right * stays, model->ends.told * stays};
  for (float& weight : model->pattern_weight) weight *= stays;
  for (double* const figure : {&model->seen, &model->issued, &model->used, &model->wasted}) *figure *= stays;
  SetGate(model);
}

Pattern ModelPattern(const AccessModel& model) {
  int best = 0;
  for (int i = 1; i < kPatterns; ++i)
    if (model.pattern_weight[i] > 0 && (best == 0 || model.pattern_weight[i] > model.pattern_weight[best])) best = i;
  const auto pattern = static_cast<Pattern>(best);
  const Precision& blocks = model.shown[kBlockPredictor];
  // A cycle longer than the window looks like anything; only its blocks tell.
  if ((pattern == Pattern::kRandom || pattern == Pattern::kClustered) && blocks.told > kWindow &&
      LowerBound(blocks) >= kCycleShown)
    return Pattern::kCyclic;
  return pattern;
}

uint32_t ModelExtentBlocks(const AccessModel& model) {
  const Pattern pattern = ModelPattern(model);
  if (pattern == Pattern::kSequential) return kSequentialExtent;
  if (pattern != Pattern::kClustered) return 1;
  uint32_t blocks = 1;
  while (blocks < kLargestCluster && static_cast<float>(blocks) < model.run_blocks) blocks *= 2;
  return blocks;
}

int ModelTransitions(const AccessModel& model) {
  const auto count = [](const Transition* table, int size) {
    int used = 0;
    for (int i = 0; i < size; ++i) used += table[i].context != 0;
    return used;
  };
  int transitions = count(model.blocks, kBlockContexts) + count(model.extents, kExtentContexts);
  for (const auto& order : model.steps) transitions += count(order, kStepContexts);
  return transitions;
}

}  // namespace query_shaper
