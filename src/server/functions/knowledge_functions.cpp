// train(), flush(), forget() and reset(): what a user may do to what was learned.
#include "pg/pg.h"

#include "server/functions/knowledge_functions.h"

#include "pg/guard.h"
#include "server/functions/caller.h"
#include "server/store/knowledge.h"
#include "server/store/row_knowledge.h"
extern "C" {
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/proc.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
}

namespace query_shaper {

// The transaction of this process that holds the tables' locks: the learner waits for it, so it must not wait for the
// learner.
static LocalTransactionId locking_transaction = InvalidLocalTransactionId;

static bool TablesLockedHere() {
  return LocalTransactionIdIsValid(locking_transaction) && locking_transaction == MyProc->lxid;
}

uint64 RunOnTables(const char* sql, int parameters, Oid* types, Datum* values) {
  const int result = SPI_execute_with_args(sql, parameters, types, values, nullptr, false, 0);
  if (result < 0)
    elog(ERROR, "could not run a statement on the extension's tables: %s", SPI_result_code_string(result));
  return SPI_processed;
}

void LockKnowledge(const char* function) {
  PreventCommandIfReadOnly(function);
  if (TablesLockedHere()) return;
  FlushAndWait();
  // In the order in which the learner writes to them, or the two would deadlock.
  RunOnTables(
      "LOCK TABLE query_shaper.history_data, query_shaper.prediction_data, query_shaper.event_data, "
      "query_shaper.profile_data, query_shaper.model_data, query_shaper.row_estimate_data, "
      "query_shaper.known_plan_data, query_shaper.access_pattern_data, "
      "query_shaper.memory_need_data IN SHARE ROW EXCLUSIVE MODE",
      0, nullptr, nullptr);
  locking_transaction = MyProc->lxid;
}

static void RequireUnlocked(const char* function) {
  if (TablesLockedHere())
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("cannot run %s in a transaction that changed what was learned", function),
                    errdetail("The learner waits for this transaction to end."),
                    errhint("Commit first, then call %s.", function)));
}

QUERY_SHAPER_FUNCTION(query_shaper_flush) {
  RequireSharedState();
  RequireUnlocked("flush()");
  FlushAndWait();
  PG_RETURN_VOID();
}

QUERY_SHAPER_FUNCTION(query_shaper_train) {
  RequireSharedState();
  RequireUnlocked("train()");
  FlushAndWait();
  TrainNow();
  FlushAndWait();
  PG_RETURN_VOID();
}

QUERY_SHAPER_FUNCTION(query_shaper_forget) {
  const int64 query_id = PG_GETARG_INT64(0);
  RequireSharedState();
  const Oid caller_id = GetUserId();
  const bool all = CallerOwnsTables();
  Oid types[3] = {INT8OID, BOOLOID, OIDOID};
  Datum values[3] = {Int64GetDatum(query_id), BoolGetDatum(all), ObjectIdGetDatum(caller_id)};
  const CallerIdentity caller = BecomeTablesOwner();
  SPI_connect();
  LockKnowledge("forget()");
  uint64 removed = 0;
  static const char* const kForget[] = {
      "DELETE FROM query_shaper.history_data WHERE query_id = $1 AND ($2 OR pg_has_role($3, user_id, 'USAGE'))",
      "DELETE FROM query_shaper.prediction_data WHERE query_id = $1 AND ($2 OR pg_has_role($3, user_id, 'USAGE'))",
      "DELETE FROM query_shaper.event_data WHERE query_id = $1 AND ($2 OR pg_has_role($3, user_id, 'USAGE'))",
  };
  for (const char* sql : kForget) removed += RunOnTables(sql, 3, types, values);
  if (removed == 0)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("query " INT64_FORMAT " is not known", query_id),
                    errdetail("Nothing about it was learned from statements of the calling role."),
                    errhint("View query_shaper.history lists the known queries.")));
  // A profile and known plans serve every role that runs the statement: they go with the last of them.
  RunOnTables(
      "DELETE FROM query_shaper.profile_data WHERE query_id = $1 AND NOT EXISTS "
      "(SELECT FROM query_shaper.history_data WHERE query_id = $1)",
      1, types, values);
  // The mark of a stopped runaway is the administrator's to lift.
  static KnownPlans known;
  const bool marked = RecallPlans(query_id, &known) && known.runaway != 0;
  const uint64 plans = marked && !all
                           ? 0
                           : RunOnTables(
                                 "DELETE FROM query_shaper.known_plan_data WHERE query_id = $1 AND NOT EXISTS "
                                 "(SELECT FROM query_shaper.history_data WHERE query_id = $1)",
                                 1, types, values);
  SPI_finish();
  BecomeCaller(caller);
  if (plans > 0)
    ReloadWithoutPlansAtCommit(query_id);
  else
    ReloadAtCommit(Forget::kStored);
  PG_RETURN_VOID();
}

QUERY_SHAPER_FUNCTION(query_shaper_reset) {
  RequireSharedState();
  const CallerIdentity caller = BecomeTablesOwner();
  SPI_connect();
  LockKnowledge("reset()");
  static const char* const kReset[] = {
      "DELETE FROM query_shaper.history_data",     "DELETE FROM query_shaper.profile_data",
      "DELETE FROM query_shaper.model_data",       "DELETE FROM query_shaper.prediction_data",
      "DELETE FROM query_shaper.event_data",       "DELETE FROM query_shaper.row_estimate_data",
      "DELETE FROM query_shaper.known_plan_data",  "DELETE FROM query_shaper.access_pattern_data",
      "DELETE FROM query_shaper.memory_need_data",
  };
  for (const char* sql : kReset) RunOnTables(sql, 0, nullptr, nullptr);
  SPI_finish();
  BecomeCaller(caller);
  ReloadAtCommit(Forget::kAll);
  PG_RETURN_VOID();
}

}  // namespace query_shaper
