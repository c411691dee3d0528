// lift_runaway(): lets statements like a stopped runaway run again.
#include "pg/pg.h"

#include "pg/guard.h"
#include "server/store/knowledge.h"
#include "server/store/row_knowledge.h"

namespace query_shaper {

QUERY_SHAPER_FUNCTION(query_shaper_lift_runaway) {
  const int64 query_id = PG_GETARG_INT64(0);
  RequireSharedState();
  static KnownPlans plans;
  if (!RecallPlans(query_id, &plans) || plans.runaway == 0) {
    ereport(NOTICE, (errmsg("no runaway of query " INT64_FORMAT " was stopped", query_id)));
    return BoolGetDatum(false);
  }
  ChangePlans(
      query_id, [](KnownPlans* known, void*) { known->runaway = 0; }, nullptr);
  RecordEvent("release", "done", query_id, -1, "lifted by function call", nullptr);
  return BoolGetDatum(true);
}

}  // namespace query_shaper
