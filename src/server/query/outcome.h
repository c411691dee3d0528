// What a tracked statement did, on its way to the learner.
#pragma once
#include "server/query/tracker.h"

namespace query_shaper {

// Sends the outcome once; does nothing when nobody learns in this database. error_sqlstate 0: ended normally.
void SendTrackedOutcome(Tracker* tracker, int error_sqlstate);

// Private memory in kB that the statement's nodes held at their peaks in this process: what its memory contexts hold,
// with hash tables, sorts and hash aggregates at the peaks that they know of themselves. Nodes hold what they have
// until the statement ends, with few exceptions, so the sum of peaks is the peak of the sum. Between calls of the
// executor.
int64_t HeldMemoryKb(Tracker* tracker);

// What this worker held and used, added to its leader's slot.
void HandWorkToLeader(Tracker* tracker);

// Gives a statement that was tracked late its query_id and fingerprint; does nothing for one that has them. Allocates
// in the query's memory.
void NameLateStatement(Tracker* tracker);

// True when a statement of this query_id, or one of those that this UnnamedOn() stands for, was planned cheap before
// and ran long all the same. One read of shared memory.
bool KnownSlow(uint64_t name);
void RememberSlow(const PlannedStmt* statement);

}  // namespace query_shaper
