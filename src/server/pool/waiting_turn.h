// The line of statements that wait for memory: join, see whether it is one's turn, leave.
//
// Why nobody waits for ever, and why no two wait for each other
//   A waiter holds nothing of the pool: it has given its own reservation back, and a process with another one (of an
//   open cursor) does not join. So whoever holds memory never waits in line, and waiting for memory alone makes no
//   circle.
//   One that holds memory may wait for a lock of a waiter's transaction. That is seen in the server's lock table: every
//   lock, of relations, rows (as waits for a transaction), advisory and virtual transactions alike, has a queue of
//   those who wait for it. A process for whose locks anybody waits does not join, and one in line leaves it, within
//   kLookMs, and runs with what is free. So a circle of waits through the pool lasts kLookMs at most.
//   What no server can see, an application that waits in one session for what it does in another, ends by
//   admission_timeout, which cannot be turned off.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

constexpr long kLookMs = 100;

void JoinLine(double priority, int64 want_kb);
bool FirstInLine();
void LeaveLine();  // also when not in it
int LineLength();

// Whether anybody waits for a lock that this process holds, or the leader of this parallel worker.
bool OthersWaitForMyLocks();

}  // namespace query_shaper
