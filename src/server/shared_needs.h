// What plan nodes really needed of memory in their last runs, in shared memory: a table of fixed size in which a node
// that has not run for long gives its place to a newer one. The learner carries them to a table and back
// (store/need_tables).
#pragma once
#include "core/pool/grant_history.h"
#include "pg/pg.h"

namespace query_shaper {

struct NeedEntry {
  uint64_t name;  // of statement, plan and node; 0: free
  Oid database;
  uint32_t used_at;  // SharedNeeds::clock
  uint32_t change;   // counts what was learned, so that what is written is known to be the latest
  bool dirty;        // not in the table yet
  TimestampTz learned_at;
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

// For the learner. CopyDirtyNeeds: to `out`, at most `most`; returns how many there are.
bool NeedsDirty(Oid database);
int CopyDirtyNeeds(Oid database, NeedEntry* out, int most);
void SettleNeeds(const NeedEntry* written, int count);
// Unless shared memory knows as much already.
void PublishNeed(const NeedEntry& stored);
int NeedCapacity();

}  // namespace query_shaper
