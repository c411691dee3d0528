// _known_plans(): what a stored record of known plans holds, for the view known_plans.
#include "pg/pg.h"

#include "core/decide/plan_bytes.h"

#include <cmath>

#include "pg/guard.h"
extern "C" {
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
}

namespace query_shaper {

static const char* OriginName(PlanOrigin origin) {
  switch (origin) {
    case PlanOrigin::kStock:
      return "stock";
    case PlanOrigin::kLearned:
      return "learned";
    default:
      return "replanned";
  }
}

static const char* VerdictOf(const KnownPlan& plan, const KnownPlan* best) {
  if (&plan == best) return "best";
  return plan.weight > 0 ? "known" : "given up";
}

QUERY_SHAPER_FUNCTION(query_shaper_known_plans) {
  static KnownPlans plans;
  const bytea* state = PG_GETARG_BYTEA_PP(0);
  const GuardLimits limits = {.now_s = 0};  // nothing decays against the record's own past
  ReadKnownPlans(VARDATA_ANY(state), static_cast<uint32_t>(VARSIZE_ANY_EXHDR(state)), &plans);
  InitMaterializedSRF(fcinfo, 0);
  const auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  const KnownPlan* best = BestPlan(plans, limits);
  for (const KnownPlan& plan : plans.plans) {
    if (plan.fingerprint == 0) continue;
    bool nulls[8] = {};
    Datum values[8] = {
        Int64GetDatum(static_cast<int64>(plan.fingerprint)),
        CStringGetTextDatum(OriginName(plan.origin)),
        Float8GetDatum(plan.weight),
        Float8GetDatum(std::exp(static_cast<double>(plan.log_ms))),
        Float8GetDatum(plan.given_up),
        TimestampTzGetDatum(time_t_to_timestamptz(static_cast<pg_time_t>(plan.last_s))),
        CStringGetTextDatum(VerdictOf(plan, best)),
        BoolGetDatum(plan.fingerprint == plans.best_fingerprint && plans.best_step_count > 0),
    };
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return Datum(0);
}

}  // namespace query_shaper
