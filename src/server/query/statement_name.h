// What a statement is called: its query_id.
//
// Where compute_query_id is auto and nothing else loaded asks for identifiers, they are made here, of the analysed
// query as PostgreSQL makes them, and so the same. But a point query that comes as plain text is left without at first:
// making the identifier is most of what such a statement would pay for this extension, and hardly any of them is looked
// at. Planning keeps what the identifier is made of, and who asks for it has it made.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
}

namespace query_shaper {

struct LeftName;

void InstallStatementNames();  // of _PG_init

// Null: the query has its identifier, or is to have none. To be called once, before planning, which changes the query.
LeftName* TakeLeftName(Query* query, const char* source_text);

uint64 MakeName(LeftName* left);

// The name of a query that has neither identifier nor text, as those of functions written with BEGIN ATOMIC: PostgreSQL
// keeps them analysed, and gives them none. It is what the identifier would be, and so that of the same statement
// elsewhere, unless the rewriter or the function's result type has changed the query. It is not put into the query,
// where pg_stat_statements would find it. 0: the query has an identifier or a text. To be called before planning, which
// changes the query.
uint64 NameTextless(Query* query, const char* source_text);

// A number for all statements that are left without a name on the same relation; not 0.
uint64 KindOf(Oid relation);
uint64 KindOf(const LeftName* left);

// The statement runs without its identifier.
void RunNameless(LeftName* left, const PlannedStmt* statement);

// Null: it has its identifier, or none can be made any more.
LeftName* LeftNameOf(const PlannedStmt* statement);

// The statement's identifier, made now where it was left; else the name that it was planned under without a text; else
// the name of its text, which may be null: PostgreSQL gives no identifier to the query inside DECLARE CURSOR and CREATE
// TABLE AS, nor to any when compute_query_id is off. The same text but for its constants has the same name. 0: none.
int64_t NameOf(const PlannedStmt* statement, const char* source_text);

}  // namespace query_shaper
