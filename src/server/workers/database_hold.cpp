#include "pg/pg.h"

#include "server/shared_shadow.h"
#include "server/shared_staging.h"
#include "server/shared_state.h"
#include "server/store/shared_profiles.h"
#include "server/workers/database_hold.h"

#include <csignal>

extern "C" {
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/wait_event.h"
}

namespace query_shaper {

namespace {

constexpr int kHoldMs = 10000;
constexpr int kLearnerEndMs = 2000;
constexpr int kPollMs = 10;

ProcessUtility_hook_type next_utility;

const char* OptionText(const List* options, const char* name) {
  const ListCell* cell;
  foreach (cell, options) {
    auto* const option = lfirst_node(DefElem, cell);
    if (strcmp(option->defname, name) == 0 && option->arg != nullptr) return defGetString(option);
  }
  return nullptr;
}

// Name of the database that nobody else may be connected to while the statement runs, or null.
const char* ContestedDatabase(Node* statement) {
  switch (nodeTag(statement)) {
    case T_DropdbStmt:
      return castNode(DropdbStmt, statement)->dbname;
    case T_CreatedbStmt: {
      const char* const source = OptionText(castNode(CreatedbStmt, statement)->options, "template");
      return source != nullptr ? source : "template1";
    }
    case T_RenameStmt: {
      const auto* const rename = castNode(RenameStmt, statement);
      return rename->renameType == OBJECT_DATABASE ? rename->subname : nullptr;
    }
    case T_AlterDatabaseStmt: {
      const auto* const alter = castNode(AlterDatabaseStmt, statement);
      return OptionText(alter->options, "tablespace") != nullptr ? alter->dbname : nullptr;
    }
    default:
      return nullptr;
  }
}

// No learner starts while the hold lasts; tells the process id of one that runs.
int SetHold(Oid database, TimestampTz until) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DatabaseSlot* const slot = FindDatabase(database);
  const int learner = slot != nullptr ? slot->learner_pid : 0;
  if (slot != nullptr) slot->hold_until = until;
  LWLockRelease(shared->lock);
  return learner;
}

int LearnerOf(Oid database) {
  LWLockAcquire(shared->lock, LW_SHARED);
  const DatabaseSlot* const slot = FindDatabase(database);
  const int learner = slot != nullptr ? slot->learner_pid : 0;
  LWLockRelease(shared->lock);
  return learner;
}

void EndLearner(Oid database, int pid) {
  const TimestampTz started = GetCurrentTimestamp();
  kill(pid, SIGTERM);
  while (LearnerOf(database) == pid && !TimestampDifferenceExceeds(started, GetCurrentTimestamp(), kLearnerEndMs)) {
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kPollMs, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
}

void ForgetDatabase(Oid database) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DatabaseSlot* const slot = FindDatabase(database);
  if (slot != nullptr) FreeDatabase(slot);
  LWLockRelease(shared->lock);
}

void HoldDuringUtility(PlannedStmt* planned, const char* text, bool read_only_tree, ProcessUtilityContext context,
                       ParamListInfo parameters, QueryEnvironment* environment, DestReceiver* receiver,
                       QueryCompletion* completion) {
  const char* const name = shared != nullptr ? ContestedDatabase(planned->utilityStmt) : nullptr;
  const Oid database = name != nullptr ? get_database_oid(name, true) : InvalidOid;
  const bool drop = IsA(planned->utilityStmt, DropdbStmt);
  if (!OidIsValid(database)) {
    next_utility(planned, text, read_only_tree, context, parameters, environment, receiver, completion);
    return;
  }
  const int learner = SetHold(database, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kHoldMs));
  PG_TRY();
  {
    // A shadow has seen it within a tick; the utility itself waits some seconds for who is about to leave.
    CancelShadowsOf(database);
    EndStagersOf(database);
    if (learner != 0) EndLearner(database, learner);
    next_utility(planned, text, read_only_tree, context, parameters, environment, receiver, completion);
    if (drop) ForgetDatabase(database);
  }
  PG_FINALLY();
  {
    SetHold(database, 0);
    WakeLauncher();
  }
  PG_END_TRY();
}

}  // namespace

void InstallDatabaseHold() {
  next_utility = ProcessUtility_hook != nullptr ? ProcessUtility_hook : standard_ProcessUtility;
  ProcessUtility_hook = HoldDuringUtility;
}

}  // namespace query_shaper
