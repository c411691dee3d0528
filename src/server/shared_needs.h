// What plan nodes really needed of memory in their last runs, in shared memory: a table of fixed size in which a node
// that has not run for long gives its place to a newer one. It is not kept over a restart: predictions stand in until
// the next run.
#pragma once
#include "core/pool/grant_history.h"
#include "pg/pg.h"

namespace query_shaper {

struct NeedEntry {
  uint64_t name;  // of statement, plan and node; 0: free
  Oid database;
  uint32_t used_at;  // SharedNeeds::clock
  NeedHistory history;
};

constexpr int kNeedWays = 8;  // places that a name may have

struct SharedNeeds {
  LWLock* lock;  // shared to recall, exclusive to learn; no other is taken under it
  uint32_t clock;
  int sets;
  NeedEntry entries[FLEXIBLE_ARRAY_MEMBER];  // sets x kNeedWays
};

// Called by shared_state.cpp from the hooks for request and startup of shared memory.
Size SharedNeedsSize();
void AttachSharedNeeds(LWLock* lock);

struct NodeLesson {
  uint64_t name;
  double needed_kb, predicted_kb;
};

// Of this backend's database; histories of unknown names are empty.
void RecallNeeds(const uint64_t* names, int count, NeedHistory* histories);
void LearnNeeds(const NodeLesson* lessons, int count);
void ForgetNeeds(Oid database);

}  // namespace query_shaper
