// Rows of the view staging.
#include "pg/pg.h"

#include "pg/guard.h"
#include "server/functions/caller.h"
#include "server/shared_staging.h"
#include "server/shared_state.h"
#include "server/store/learned_rows.h"

extern "C" {
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/timestamp.h"
}

namespace query_shaper {

namespace {

struct StagedRow {
  StagedExtent extent;
  StagedFile file;
};

// Of this database: the names of other databases' relations are not known here.
int CopyRows(StagedRow* rows) {
  int count = 0;
  LWLockAcquire(shared_staging->lock, LW_EXCLUSIVE);
  ExpireExtents(&shared_staging->window, EpochSeconds(GetCurrentTimestamp()));
  for (int i = 0; i < kStagedExtents; ++i) {
    const StagedExtent& entry = shared_staging->window.extents[i];
    if (entry.state == StageState::kFree || shared_staging->files[i].file.dbNode != MyDatabaseId) continue;
    rows[count++] = {entry, shared_staging->files[i]};
  }
  LWLockRelease(shared_staging->lock);
  return count;
}

void PutRow(const StagedRow& row, ReturnSetInfo* sink) {
  if (!MayReadStatementsOf(row.file.user) || get_rel_name(row.file.relation) == nullptr) return;
  Datum values[] = {
      CStringGetTextDatum(DatumGetCString(DirectFunctionCall1(regclassout, ObjectIdGetDatum(row.file.relation)))),
      Int64GetDatum(row.extent.extent.first),
      Int32GetDatum(static_cast<int32>(row.extent.extent.blocks)),
      CStringGetTextDatum(StageStateName(row.extent.state)),
      Int64GetDatum(row.extent.hits),
      Float8GetDatum(row.extent.extent.likelihood),
      Int32GetDatum(row.file.pid),
      TimestampTzGetDatum(row.file.predicted_at)};
  bool nulls[lengthof(values)] = {};
  tuplestore_putvalues(sink->setResult, sink->setDesc, values, nulls);
}

}  // namespace

QUERY_SHAPER_FUNCTION(query_shaper_staging) {
  RequireSharedState();
  InitMaterializedSRF(fcinfo, 0);
  auto* const rows = static_cast<StagedRow*>(palloc(sizeof(StagedRow) * kStagedExtents));
  const int count = CopyRows(rows);
  for (int i = 0; i < count; ++i) PutRow(rows[i], reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
  return 0;
}

}  // namespace query_shaper
