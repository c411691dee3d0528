// Who calls an SQL function, what that role may see, and acting on the extension's tables in the owner's name.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

// What pg_stat_activity decides by: the role's own privileges, or membership in pg_read_all_stats.
bool MayReadStatementsOf(Oid user);
bool MayReadAllStatements();

// The caller while the tables' owner acts. An error in between needs no undoing: ending the (sub)transaction does it.
struct CallerIdentity {
  Oid user;
  int security_context;
};

// Statements run between these two have the rights of the tables' owner; they must not run anything of the caller's.
CallerIdentity BecomeTablesOwner();
void BecomeCaller(const CallerIdentity& caller);

// True when the caller is a superuser or has the privileges of the tables' owner.
bool CallerOwnsTables();

}  // namespace query_shaper
