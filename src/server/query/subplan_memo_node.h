// The plan state of a memo and what its sources share.
#pragma once
#include "pg/pg.h"
#include "server/query/memo_table.h"

#include <csignal>

extern "C" {
#include "nodes/execnodes.h"
#include "nodes/extensible.h"
}

namespace query_shaper {

enum MemoStanding : sig_atomic_t {
  kMemoCounting,  // runs only
  kMemoSampling,  // looks whether parameters repeat
  kMemoKeeping,   // answers from memory
  kMemoResting,   // taken out until rest_until_ns
  kMemoRefused,   // taken out: its results may differ from run to run
  kMemoOver,      // taken out: nothing more to do
};

enum class MemoPhase { kStart, kReplay, kFill, kPass, kDone };

struct SubplanMemo {
  CustomScanState node;  // first: this is what the SubPlanStates see
  PlanState* child;      // the subplan's own top node
  SubPlanState** users;
  int user_count;
  SubLinkType kind;
  Bitmapset* parameters;  // set by the outer query before each run
  int part_count;
  MemoKeyPart* parts;
  MemoKey key;
  MemoTable table;
  MemoSample sample;
  TupleTableSlot* slot;
  bool advise;  // samples and says what it saw
  bool worth;   // advise: keeping results would have paid

  volatile MemoStanding standing;
  volatile int64_t rest_until_ns;
  const char* refusal;  // why it was refused
  bool frozen;          // memory is full: nothing is added until it is emptied

  MemoPhase phase;  // of the present run
  MemoEntry* entry;
  int position;

  uint64_t runs, hits, misses, clears, rests;
  uint64_t runs_at_judgement, hits_at_judgement;
  uint64_t judge_at;        // runs
  uint32_t judge_interval;  // runs
  uint32_t sample_interval;
  uint64_t rows_kept;     // since the last judgement
  uint64_t draws;         // since memory was empty
  uint32_t epoch;         // grows when parameters from further out change
  double resting_runs;    // estimated, while it rested
  double run_ns;          // 0: unknown
  int64_t timed_from_ns;  // 0: this run is not timed
  int64_t timed_ns;
  uint32_t untimed;  // runs until the next is timed
};

struct StatementMemos {
  int count;
  bool reported;
  SubplanMemo* memos[FLEXIBLE_ARRAY_MEMBER];
};

bool IsMemo(const PlanState* state);

// Makes a memo over the user's subplan and puts it in place. In the query's memory.
SubplanMemo* MakeMemo(SubPlanState* user);

void AttachMemo(SubplanMemo* memo);  // plain stores: safe in signal context
void DetachMemo(SubplanMemo* memo);

// Why the results of this subplan may not be kept, null when they may. Reads catalogs.
const char* MemoRefusal(PlanState* subplan);

}  // namespace query_shaper
