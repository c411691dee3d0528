// For tests: teaches an access model what a scan would, and tells what it would ask for. Not in release builds.
#include "pg/pg.h"

#ifdef QUERY_SHAPER_FAULT_POINTS
#include "core/prefetch/access_model.h"
#include "pg/guard.h"
#include "server/store/access_knowledge.h"
#include "server/store/hint_store.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
}

namespace query_shaper {

// (relation oid, index oid, blocks int[], issued float8, used float8, wasted float8)
QUERY_SHAPER_FUNCTION(query_shaper_teach_access) {
  Datum* values = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), INT4OID, 4, true, TYPALIGN_INT, &values, &nulls, &count);
  auto* const trace = static_cast<AccessTrace*>(palloc0(sizeof(AccessTrace)));
  for (int i = 0; i < count; ++i) TraceBlock(trace, static_cast<uint32_t>(DatumGetInt32(values[i])));
  LearnAccess(PG_GETARG_OID(0), PG_GETARG_OID(1), *trace,
              {static_cast<double>(count), PG_GETARG_FLOAT8(3), PG_GETARG_FLOAT8(4), PG_GETARG_FLOAT8(5)});
  PG_RETURN_VOID();
}

// (relation oid, index oid) returns text: known or not, pattern and extent as a scan would go by.
QUERY_SHAPER_FUNCTION(query_shaper_recall_access) {
  auto* const model = static_cast<AccessModel*>(palloc(sizeof(AccessModel)));
  PartitionHint hint;
  const bool known = RecallAccess(PG_GETARG_OID(0), PG_GETARG_OID(1), model);
  const bool hinted = PartitionHintOf(PG_GETARG_OID(0), &hint);
  PG_RETURN_TEXT_P(
      cstring_to_text(psprintf("%s %s %s %u", known ? "known" : "new", hinted ? "hinted" : "plain",
                               PatternName(AdvisedPattern(hint, *model)), AdvisedExtentBlocks(hint, *model))));
}

}  // namespace query_shaper
#endif
