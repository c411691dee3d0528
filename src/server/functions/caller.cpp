#include "pg/pg.h"

#include "server/functions/caller.h"
extern "C" {
#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace query_shaper {

static Oid TablesOwner() {
  const Oid schema = get_namespace_oid("query_shaper", true);
  const Oid table = OidIsValid(schema) ? get_relname_relid("history_data", schema) : InvalidOid;
  HeapTuple tuple = OidIsValid(table) ? SearchSysCache1(RELOID, ObjectIdGetDatum(table)) : nullptr;
  if (!HeapTupleIsValid(tuple))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"query_shaper.history_data\" does not exist"),
                    errhint("Create the extension anew: DROP EXTENSION query_shaper; CREATE EXTENSION query_shaper.")));
  const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
  ReleaseSysCache(tuple);
  return owner;
}

bool MayReadAllStatements() { return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS); }

bool MayReadStatementsOf(Oid user) { return MayReadAllStatements() || has_privs_of_role(GetUserId(), user); }

CallerIdentity BecomeTablesOwner() {
  const Oid owner = TablesOwner();
  CallerIdentity caller;
  GetUserIdAndSecContext(&caller.user, &caller.security_context);
  SetUserIdAndSecContext(owner, caller.security_context | SECURITY_LOCAL_USERID_CHANGE);
  return caller;
}

void BecomeCaller(const CallerIdentity& caller) { SetUserIdAndSecContext(caller.user, caller.security_context); }

bool CallerOwnsTables() { return superuser() || has_privs_of_role(GetUserId(), TablesOwner()); }

}  // namespace query_shaper
