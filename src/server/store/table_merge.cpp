#include "pg/pg.h"

#include "server/store/access_tables.h"
#include "server/store/knowledge_tables.h"
#include "server/store/row_tables.h"
#include "server/store/table_call.h"

extern "C" {
#include "access/xact.h"
#include "commands/extension.h"
#include "utils/snapmgr.h"
}

namespace query_shaper {

namespace {

// Rows of one statement, plan and user become one, as if all runs had been counted in it from the start.
const char* const kMergeHistory =
    "WITH gone AS ("
    "  DELETE FROM query_shaper.history_data h WHERE EXISTS (SELECT FROM query_shaper.history_data o"
    "    WHERE o.user_id = h.user_id AND o.query_id = h.query_id AND o.fingerprint = h.fingerprint AND o.ctid <> "
    "h.ctid)"
    "  RETURNING *),"
    " sums AS ("
    "  SELECT user_id, query_id, fingerprint, sum(calls) AS calls, sum(failed_calls) AS failed_calls,"
    "    sum(mean_ms * (calls - failed_calls)) / greatest(sum(calls - failed_calls), 1)::float8 AS mean_ms,"
    "    sum(sum_square_ms) + sum(mean_ms * mean_ms * (calls - failed_calls)) AS raw_square_ms,"
    "    min(min_ms) FILTER (WHERE calls > failed_calls) AS min_ms, max(max_ms) AS max_ms, sum(rows) AS rows,"
    "    max(peak_memory_kb) AS peak_memory_kb, sum(temp_kb) AS temp_kb, sum(blocks_read) AS blocks_read,"
    "    sum(blocks_hit) AS blocks_hit, sum(weight) AS weight, min(first_seen) AS first_seen, max(last_seen) AS "
    "last_seen"
    "  FROM gone GROUP BY user_id, query_id, fingerprint),"
    " newest AS ("
    "  SELECT DISTINCT ON (user_id, query_id, fingerprint) user_id, query_id, fingerprint, query, features, last_run"
    "  FROM gone ORDER BY user_id, query_id, fingerprint, last_seen DESC)"
    " INSERT INTO query_shaper.history_data (user_id, query_id, fingerprint, query, calls, failed_calls, mean_ms,"
    "  sum_square_ms, min_ms, max_ms, rows, peak_memory_kb, temp_kb, blocks_read, blocks_hit, weight, first_seen,"
    "  last_seen, features, last_run)"
    " SELECT user_id, query_id, fingerprint, query, calls, failed_calls, mean_ms,"
    "  greatest(raw_square_ms - mean_ms * mean_ms * (calls - failed_calls)::float8, 0), coalesce(min_ms, 0), max_ms, "
    "rows,"
    "  peak_memory_kb, temp_kb, blocks_read, blocks_hit, weight, first_seen, last_seen, features, last_run"
    " FROM sums JOIN newest USING (user_id, query_id, fingerprint)";

const char* const kMergeProfiles =
    "DELETE FROM query_shaper.profile_data p USING query_shaper.profile_data q"
    " WHERE q.query_id = p.query_id AND q.fingerprint = p.fingerprint"
    "   AND (q.last_seen > p.last_seen OR (q.last_seen = p.last_seen AND q.ctid > p.ctid))";

// The models that have been trained more often know more.
const char* const kMergeModels =
    "DELETE FROM query_shaper.model_data p USING query_shaper.model_data q"
    " WHERE q.name = p.name AND (q.version > p.version OR (q.version = p.version AND q.ctid > p.ctid))";

}  // namespace

TableResult InspectTables(DatabaseSlot* slot, bool* changed) {
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  SPI_connect();
  PushActiveSnapshot(GetTransactionSnapshot());
  const bool present = OidIsValid(get_extension_oid("query_shaper", true));
  *changed = false;
  if (present) {
    SPI_execute("SELECT version FROM query_shaper.model_data WHERE name = 'models'", true, 2);
    bool null = true;
    const int64 version =
        SPI_processed == 1 ? DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null)) : 0;
    *changed = SPI_processed > 1 || version != static_cast<int64>(slot->loaded_version);
  }
  PopActiveSnapshot();
  SPI_finish();
  CommitTransactionCommand();
  return present ? TableResult::kDone : TableResult::kAbsent;
}

void MergeDuplicates() {
  TableCall(kMergeHistory).Run();
  TableCall(kMergeProfiles).Run();
  TableCall(kMergeModels).Run();
  MergeRowDuplicates();
  MergeAccessDuplicates();
}

}  // namespace query_shaper
