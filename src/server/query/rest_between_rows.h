// Statements of low priority rest while others want the machine: the tick arms the nodes (carry_out.h), the next call
// of any of them waits for a while. Pins and locks stay held, as in a pause; who holds a lock that others wait for does
// not rest.
#pragma once
#include "pg/pg.h"

struct ExplainState;

namespace query_shaper {

// Signal context, once per tick.
void TickPriority();

bool RestWanted();
bool Resting();
// Between two rows. Raises when the statement is cancelled meanwhile.
void RestHere();

void BeginRests();  // a statement of the client begins
void LeaveRests();  // its call of the executor has ended

// EXPLAIN (ANALYZE).
void NoteRests();
void ShowRests(ExplainState* explain);
void ForgetRestsShown();

}  // namespace query_shaper
