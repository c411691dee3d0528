// Partition hints: what the owner of a relation says of how it is read.
#include "pg/pg.h"

#include "core/prefetch/partition_hint.h"
#include "pg/guard.h"
#include "server/functions/caller.h"
#include "server/functions/knowledge_functions.h"
#include "server/shared_state.h"

extern "C" {
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
}

namespace query_shaper {

// Keeps it from being dropped until the transaction ends.
static void RequireOwnRelation(Oid relation) {
  LockRelationOid(relation, AccessShareLock);
  const char* const name = get_rel_name(relation);
  if (name == nullptr)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("relation with OID %u does not exist", relation)));
  const char kind = get_rel_relkind(relation);
  if (!pg_class_ownercheck(relation, GetUserId())) aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(kind), name);
  if (kind != RELKIND_RELATION && kind != RELKIND_MATVIEW && kind != RELKIND_PARTITIONED_TABLE)
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" cannot have a partition hint", name),
                    errdetail("Hints are for tables, partitioned tables and materialized views.")));
  if (get_rel_persistence(relation) == RELPERSISTENCE_TEMP)
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" cannot have a partition hint", name),
                    errdetail("Temporary tables end with their session."),
                    errhint("Use the setting query_shaper.partition_hint.")));
}

[[noreturn]] static void RefuseHint(const char* what, const char* detail) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", what), errdetail("%s", detail)));
  pg_unreachable();
}

QUERY_SHAPER_FUNCTION(query_shaper_set_partition_hint) {
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
    RefuseHint("invalid partition hint", "Relation and pattern must not be null.");
  const Oid relation = PG_GETARG_OID(0);
  const char* const pattern = text_to_cstring(PG_GETARG_TEXT_PP(1));
  PreventCommandIfReadOnly("set_partition_hint()");
  if (PatternOf(pattern) == Pattern::kUnknown)
    RefuseHint(psprintf("unknown access pattern \"%s\"", pattern),
               "Patterns are sequential, strided, clustered, cyclic and random.");
  if (!PG_ARGISNULL(2) && (PG_GETARG_INT32(2) < 1 || PG_GETARG_INT32(2) > kHintBlocksMost))
    RefuseHint(psprintf("invalid number of blocks: %d", PG_GETARG_INT32(2)),
               psprintf("It must be between 1 and %d.", kHintBlocksMost));
  if (!PG_ARGISNULL(4) && !JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(4)))
    RefuseHint("invalid metadata of a partition hint", "It must be a JSON object.");
  RequireOwnRelation(relation);
  Oid types[5] = {REGCLASSOID, TEXTOID, INT4OID, TEXTOID, JSONBOID};
  Datum values[5] = {0};
  char nulls[6] = "     ";
  for (int i = 0; i < 5; ++i) {
    values[i] = PG_GETARG_DATUM(i);
    nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
  }
  const CallerIdentity caller = BecomeTablesOwner();
  SPI_connect();
  RunOnTables("LOCK TABLE query_shaper.partition_hint_data IN SHARE ROW EXCLUSIVE MODE", 0, nullptr, nullptr);
  RunOnTables("DELETE FROM query_shaper.partition_hint_data WHERE relation = $1", 1, types, values);
  const int result = SPI_execute_with_args(
      "INSERT INTO query_shaper.partition_hint_data (relation, access_pattern, suggested_blocks, data_type, metadata)"
      " VALUES ($1, $2, $3, $4, coalesce($5, '{}'))",
      5, types, values, nulls, false, 0);
  if (result < 0) elog(ERROR, "could not store a partition hint: %s", SPI_result_code_string(result));
  SPI_finish();
  BecomeCaller(caller);
  PG_RETURN_VOID();
}

QUERY_SHAPER_FUNCTION(query_shaper_drop_partition_hint) {
  const Oid relation = PG_GETARG_OID(0);
  PreventCommandIfReadOnly("drop_partition_hint()");
  RequireOwnRelation(relation);
  Oid types[1] = {REGCLASSOID};
  Datum values[1] = {ObjectIdGetDatum(relation)};
  const CallerIdentity caller = BecomeTablesOwner();
  SPI_connect();
  const uint64 removed =
      RunOnTables("DELETE FROM query_shaper.partition_hint_data WHERE relation = $1", 1, types, values);
  SPI_finish();
  BecomeCaller(caller);
  PG_RETURN_BOOL(removed > 0);
}

QUERY_SHAPER_FUNCTION(query_shaper_partition_hints_changed) {
  if (!CALLED_AS_TRIGGER(fcinfo))
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("function \"_partition_hints_changed\" was not called by a trigger")));
  CacheInvalidateRelcache(reinterpret_cast<TriggerData*>(fcinfo->context)->tg_relation);
  PG_RETURN_POINTER(nullptr);
}

}  // namespace query_shaper
