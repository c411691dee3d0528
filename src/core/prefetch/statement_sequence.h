// Predicts the next statement of a session from those before: Markov chains of order 1 and 2 over fingerprints, the
// longer one where it has been right more often.
//
// Plain memory of fixed size: it may live in shared memory.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

constexpr int kSequenceOrders = 2;
constexpr int kSequenceContexts = 256;  // per order
constexpr int kSequenceSuccessors = 4;

struct SequenceTransition {
  uint64_t context;  // 0: free
  uint64_t next[kSequenceSuccessors];
  float share[kSequenceSuccessors];
  uint32_t touched;
  uint32_t seen;
};

struct StatementSequence {
  SequenceTransition transitions[kSequenceOrders][kSequenceContexts];
  float right[kSequenceOrders], told[kSequenceOrders];  // decayed
  uint32_t statements;
};
static_assert(std::is_trivially_copyable_v<StatementSequence>);

// The last statements of one session, the latest first; 0: none.
struct SessionPlace {
  uint64_t last[kSequenceOrders] = {};
};

struct NextStatement {
  uint64_t fingerprint = 0;  // 0: nothing is known
  float probability = 0;
};

void StartSequence(StatementSequence* sequence);

// One statement of the session, not 0.
void NoteStatement(StatementSequence* sequence, SessionPlace* place, uint64_t fingerprint);

NextStatement PredictStatement(const StatementSequence& sequence, const SessionPlace& place);

}  // namespace query_shaper
