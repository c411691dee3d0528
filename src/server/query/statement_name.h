// What a statement is called: its query_id.
//
// Where compute_query_id is on, or something else that is loaded asks for identifiers, it is PostgreSQL's. Where it is
// auto and nothing else asks, identifiers are made here, of the analysed query as PostgreSQL makes them, and so the
// same. But that of a point query (columns of one table, by comparisons) that comes as plain text is pending at first:
// making it is most of what such a statement would pay for this extension, and hardly any of them is looked at. What it
// is made of is kept, and who asks for it has it made. Queries that PostgreSQL gives none have a name of their text, or
// where they have none either, one that is made like an identifier.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
}

namespace query_shaper {

struct PendingName;

void InstallStatementNames();  // of _PG_init

// Null: the query has its identifier, or is to have none. To be called once for each query that is planned, before
// planning, which changes it.
PendingName* TakePendingName(Query* query, const char* source_text);

// The identifier; 0 where compute_query_id is off by now.
uint64 MakeName(PendingName* pending);

// The name of a query that has neither identifier nor text, as those of functions written with BEGIN ATOMIC: PostgreSQL
// keeps them analysed, and gives them none. It is what the identifier would be, and so that of the same statement
// elsewhere, unless the rewriter or the function's result type has changed the query. It is not put into the query,
// where pg_stat_statements would find it. 0: the query has an identifier or a text. To be called before planning, which
// changes the query.
uint64 NameTextless(Query* query, const char* source_text);

// A number that stands for all point queries on the relation whose names are pending; not 0.
uint64 UnnamedOn(Oid relation);
uint64 UnnamedOn(const PendingName* pending);

// The statement is to run while its name is pending.
void RunNameless(PendingName* pending, const PlannedStmt* statement);

// Null: its name is not pending, or can be made no more.
PendingName* PendingNameOf(const PlannedStmt* statement);

// The statement's identifier, made now where it is pending; else the name that it was planned under without a text;
// else the name of its text, which may be null: PostgreSQL gives no identifier to the query inside DECLARE CURSOR and
// CREATE TABLE AS, nor to any when compute_query_id is off. The same text but for its constants has the same name. 0:
// none.
int64_t NameOf(const PlannedStmt* statement, const char* source_text);

}  // namespace query_shaper
