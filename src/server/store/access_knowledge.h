// Access models of relations in shared memory, as scans use them: recalled when a scan begins, taught when it ends. The
// learner carries them to the table and back (access_tables.h).
#pragma once
#include "server/shared_access.h"
#include "server/shared_state.h"

namespace query_shaper {

constexpr int kTracedBlocks = 256;

// The first distinct steps of one scan, in the order in which its blocks were read.
struct AccessTrace {
  int32_t count;
  uint32_t blocks[kTracedBlocks];
};

inline void TraceBlock(AccessTrace* trace, uint32_t block) {
  const bool same = trace->count > 0 && trace->blocks[trace->count - 1] == block;
  if (!same && trace->count < kTracedBlocks) trace->blocks[trace->count++] = block;
}

// What the requests of one scan were worth.
struct AccessFigures {
  double visited;  // distinct blocks that it came to
  double issued;   // of these asked for ahead
  double used;     // of these read later, and in time
  double wasted;   // asked for and never come to
};

// A copy of what is known of the relation under that index (InvalidOid: of scans without one); false, and a model that
// knows nothing, when that is nothing. Inside a transaction; raises only what naming the relations may raise.
bool RecallAccess(Oid relation, Oid index, AccessModel* model);

// The same for the end of a scan that went well. Nothing is learned of temporary relations.
void LearnAccess(Oid relation, Oid index, const AccessTrace& trace, const AccessFigures& figures);

struct AccessAdvice {
  bool hinted;      // the owner or the statement said something
  Pattern pattern;  // kUnknown: nothing is known
  uint32_t extent_blocks;
};

// What hints on the relation come to beside what was measured under that index. Inside a transaction; may raise as
// catalog look-ups do.
AccessAdvice AdviseAccess(Oid relation, Oid index);

// Under shared_access->lock, exclusive. Finds or creates, making room by evicting the one that was seen longest ago.
AccessEntry* EnterAccess(Oid database, uint64_t name);
// At least shared. Null when unknown.
AccessEntry* FindAccess(const AccessKey& key);
AccessKey KeyOfAccess(Oid database, uint64_t name);
uint64_t AccessName(Oid relation, Oid index);

// Take shared_access->lock. kept_dirty: not what is yet to be written.
void ForgetAccess(Oid database, bool kept_dirty);
bool AccessDirty(Oid database);

}  // namespace query_shaper
