// A running statement of another process, found by the process's id.
#pragma once
#include "server/shared_state.h"
extern "C" {
#include "storage/proc.h"
}

namespace query_shaper {

struct RunningProcess {
  PGPROC* process;
  BackendSlot* slot;  // null when the process never tracked a statement
};

// Raises 42704 when no backend has this id, 22023 when it is a parallel worker.
RunningProcess FindProcess(int pid);

// The outermost statement that runs there; false when none is tracked.
bool ReadOutermost(const RunningProcess& found, int pid, StatementSlot* statement);

// The text of a statement, which may be of a database in another encoding, made valid in this one's; changed in place.
const char* ReadableText(char* text);

}  // namespace query_shaper
