#include "pg/pg.h"

#include "server/shared_state.h"
#include "server/store/stored_entries.h"

namespace query_shaper {

void ReportDamaged(int64 rows, const char* what, const char* tables, Oid database) {
  if (rows == 0) return;
  Count(kMetricModelsCorrupt, static_cast<uint64_t>(rows));
  ereport(LOG, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored %s are corrupt, they are learned anew", what),
                errdetail(INT64_FORMAT " rows in %s of database with OID %u are damaged.", rows, tables, database)));
}

void TrimStored(const char* table, int capacity) {
  TableCall(psprintf("DELETE FROM query_shaper.%s WHERE ctid = ANY (ARRAY(SELECT ctid FROM query_shaper.%s"
                     " ORDER BY last_seen DESC OFFSET $1))",
                     table, table))
      .Integer(capacity)
      .Run();
}

void MergeStored(const char* table, const char* key) {
  TableCall(psprintf("DELETE FROM query_shaper.%s p USING query_shaper.%s q WHERE q.%s = p.%s"
                     " AND (q.last_seen > p.last_seen OR (q.last_seen = p.last_seen AND q.ctid > p.ctid))",
                     table, table, key, key))
      .Run();
}

}  // namespace query_shaper
