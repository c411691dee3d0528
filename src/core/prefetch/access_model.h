// Predicts the blocks that will be read next from those that were, where no index tells: Markov chains over steps
// (deltas) of order 1 to 3 and over extents (of one block, and of kModelExtent), chosen by the precision that each has
// shown, behind a gate.
//
// Every predictor is asked at each access what comes next, whether or not anything is issued; its decayed share of
// right answers orders them. The chain of the best one's answers is followed while the product of their
// probabilities, and the probability that the episode (the scan, the statement) goes on that long, stay high enough.
// What a chain names is remembered and matched against what comes: the gate is open while the lower bound of that
// precision is high. Shut, chains are followed and matched all the same, and nothing is issued.
//
// Plain memory of fixed size: it may live in shared memory and be copied.
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/prefetch/access_pattern.h"

namespace query_shaper {

constexpr int kStepOrders = 3;
constexpr int kStepContexts = 128;    // per order
constexpr int kBlockContexts = 2048;  // extents of one block
constexpr int kExtentContexts = 256;
constexpr int kPredictors = kStepOrders + 2;
constexpr int kSuccessors = 3;
constexpr uint32_t kModelExtent = 16;
constexpr int kNamed = 256;
constexpr int kEpisodeLengths = 64;
constexpr uint32_t kFollowers = 32768;  // power of 2

struct Transition {
  uint32_t context;  // hash, 0: free
  uint16_t touched;  // in units of accesses, for eviction
  uint8_t seen;      // at most 255
  uint16_t inside;   // of an extent: its blocks at the last visit, a bit each
  int32_t next[kSuccessors];
  uint16_t share[kSuccessors];  // of kWholeShare, 0: free
};

// Right answers and answers given, both decayed.
struct Precision {
  float right = 0, told = 0;
};

struct NamedBlock {
  uint32_t block;  // kNoBlockYet: free
  uint32_t at;     // number of the access at which it was named
  bool issued;
};

// Where a sequence stands: the last block and the steps that led to it.
struct AccessPlace {
  uint32_t block;  // kNoBlockYet: nothing read yet
  int32_t steps[kStepOrders];
  int32_t known_steps;
};

struct AccessModel {
  Transition steps[kStepOrders][kStepContexts];
  Transition blocks[kBlockContexts];
  Transition extents[kExtentContexts];
  Precision shown[kPredictors];
  Precision chain;  // of what chains named, while episodes went on: the gate's evidence
  Precision ends;   // the same with what was named beyond the ends of episodes
  bool open;
  NamedBlock named[kNamed];
  // The present episode.
  AccessPlace place;
  AccessPlace chain_end;  // `ahead` accesses further on, as the chain has it
  int32_t ahead;
  float chain_log;                   // logarithm of the probability that it comes so
  uint16_t inside_now;               // blocks of the present extent read at this visit
  int32_t position;                  // accesses of this episode
  int32_t lengths[kEpisodeLengths];  // of recent episodes, 0: none
  int32_t next_length;
  AccessWindow window;
  float pattern_weight[kPatterns];  // decayed accesses judged so
  float run_blocks;
  uint32_t accesses;
  double seen, issued, used, wasted;  // decayed by DecayModel()
};
static_assert(std::is_trivially_copyable_v<AccessModel>);

// Which block came after each when it was read last: of a running scan, for cycles that are longer than the tables of
// the model. It is neither shared nor stored.
struct Follower {
  uint32_t block;  // kNoBlockYet: free
  uint32_t next;
};
struct BlockFollowers {
  Follower followers[kFollowers];
  Precision shown;
};
static_assert(std::is_trivially_copyable_v<BlockFollowers>);

void StartFollowers(BlockFollowers* followers);

void StartModel(AccessModel* model);

// A new scan or statement over the relation: steps do not reach across.
void StartEpisode(AccessModel* model);

// Its end: its length is learned, and what was named and did not come is wasted.
void EndEpisode(AccessModel* model);

// One block read; one equal to the last is no access. Learns, and writes into `ask` the blocks to ask for now, at most
// `capacity`, of at most `distance` accesses ahead, all below relation_blocks and none that was asked for lately.
// Returns how many; 0 while the gate is shut. followers: null, or the same at every access.
int NoteAccess(AccessModel* model, uint32_t block, int distance, uint32_t relation_blocks, uint32_t* ask, int capacity,
               BlockFollowers* followers = nullptr);

// Requests that failed or came too late count against the gate as if they had been wrong.
void PenaliseModel(AccessModel* model, int requests);

// share: of the weight that stays, for instance 2^(-elapsed / half life).
void DecayModel(AccessModel* model, float share);

// The pattern that most accesses show, cycles longer than the window included, and the extent that suits it.
Pattern ModelPattern(const AccessModel& model);
uint32_t ModelExtentBlocks(const AccessModel& model);
int ModelTransitions(const AccessModel& model);

// Serialised, versioned, checksummed; as in core/base/bytes.h. Write returns the bytes needed. Read throws
// Error(kCorruptModel) and leaves *model as it was.
uint32_t WriteAccessModel(const AccessModel& model, char* out, uint32_t capacity);
void ReadAccessModel(const char* bytes, uint32_t length, AccessModel* model);

}  // namespace query_shaper
