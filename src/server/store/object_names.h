// 64-bit names of catalog objects that outlive dump and restore: by schema and name where an OID would differ on
// another server. Keys of learned rows are made of them.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "access/attnum.h"
}

namespace query_shaper {

// Any object that has an identity: relation, function, operator, type, collation (class_id: its catalog). Those that
// every server of this major version has under the same OID are named by it. Cached until the object changes; about
// 30 ns, some microseconds the first time. Inside a transaction; may raise as catalog look-ups do.
uint64_t ObjectNameHash(Oid class_id, Oid object);

// "schema"."name"; temporary tables of all sessions have one schema.
uint64_t RelationNameHash(Oid relation);

// Of a table's column (or system column), by name. Not cached.
uint64_t ColumnNameHash(Oid relation, AttrNumber column);

}  // namespace query_shaper
