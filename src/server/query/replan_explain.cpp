// EXPLAIN (ANALYZE): what became of the plans given up. PostgreSQL shows the plan that ended; a line below says the
// rest.
#include "pg/pg.h"

#include "server/query/replan.h"
#include "server/query/rest_between_rows.h"
#include "server/query/shape_memory.h"
extern "C" {
#include "commands/explain.h"
#include "tcop/tcopprot.h"
}

namespace query_shaper {
namespace {

ExplainOneQuery_hook_type previous_explain;

struct GivenUp {
  int plans;
  double ms;
  double kept_rows;
};
GivenUp given_up;
const Frame* explained_from;  // where the statement that is explained is run from

// What ExplainOneQuery() does when there is no hook.
void ExplainPlainly(Query* query, int options, IntoClause* into, ExplainState* explain, const char* text,
                    ParamListInfo parameters, QueryEnvironment* environment) {
  BufferUsage begun = pgBufferUsage, used = {};
  instr_time start, duration;
  INSTR_TIME_SET_CURRENT(start);
  PlannedStmt* plan = pg_plan_query(query, text, options, parameters);
  INSTR_TIME_SET_CURRENT(duration);
  INSTR_TIME_SUBTRACT(duration, start);
  if (explain->buffers) BufferUsageAccumDiff(&used, &pgBufferUsage, &begun);
  ExplainOnePlan(plan, into, explain, text, parameters, environment, &duration, explain->buffers ? &used : nullptr);
}

void ExplainHook(Query* query, int options, IntoClause* into, ExplainState* explain, const char* text,
                 ParamListInfo parameters, QueryEnvironment* environment) {
  given_up = GivenUp();
  ForgetShown();
  ForgetRestsShown();
  explained_from = innermost_frame;
  if (previous_explain != nullptr)
    previous_explain(query, options, into, explain, text, parameters, environment);
  else
    ExplainPlainly(query, options, into, explain, text, parameters, environment);
  // The other formats have closed the query's group by now.
  if (!explain->analyze || !explain->summary || explain->format != EXPLAIN_FORMAT_TEXT) return;
  ShowShaped(explain);
  ShowRests(explain);
  if (given_up.plans == 0) return;
  appendStringInfo(explain->str, "Plans Given Up: %d after %.3f ms, Kept Rows: %.0f\n", given_up.plans, given_up.ms,
                   given_up.kept_rows);
}

}  // namespace

bool ExplainedHere() { return innermost_frame == explained_from; }

void NoteGivenUp(const Tracker* tracker) {
  const PlanChanges& changes = tracker->changes;
  // Statements inside of the one that is explained have nothing to say here.
  if (changes.swaps > 0 && ExplainedHere()) given_up = GivenUp{changes.swaps, changes.swapped_ms, changes.kept_rows};
}

void InstallReplanExplain() {
  previous_explain = ExplainOneQuery_hook;
  ExplainOneQuery_hook = ExplainHook;
}

}  // namespace query_shaper
