// Holding a running statement in place: the tick arms every node (carry_out.h), the next call of any of them waits on
// the latch.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

struct BackendSlot;

// Signal context: whether this process, or the leader that it works for, is asked to pause.
bool AskedToPause(BackendSlot* slot);

// Signal context: arms the nodes of every statement that runs in this process.
void ArmPause();

// True from the request until the statement is held.
bool PauseWanted();

// True while it is held.
bool Held();

// Waits until resume() or until the statement is cancelled (raises then). Called between tuples and before a nested
// statement begins. Locks and pins stay held.
void HoldHere();

// Forgets a request that came too late: the outermost statement has ended.
void DropPause();

}  // namespace query_shaper
