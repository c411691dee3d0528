#include "pg/pg.h"

#include "server/plain_explain.h"

#ifdef QUERY_SHAPER_FAULT_POINTS
#include "server/settings.h"
extern "C" {
#include "tcop/utility.h"
}

namespace query_shaper {
namespace {

ProcessUtility_hook_type previous_utility;
int explains = 0;

void UtilityHook(PlannedStmt* statement, const char* text, bool read_only, ProcessUtilityContext context,
                 ParamListInfo parameters, QueryEnvironment* environment, DestReceiver* out, QueryCompletion* done) {
  if (!IsA(statement->utilityStmt, ExplainStmt)) {
    previous_utility(statement, text, read_only, context, parameters, environment, out, done);
    return;
  }
  ++explains;
  PG_TRY();
  { previous_utility(statement, text, read_only, context, parameters, environment, out, done); }
  PG_FINALLY();
  { --explains; }
  PG_END_TRY();
}

}  // namespace

void InstallPlainExplain() {
  previous_utility = ProcessUtility_hook ? ProcessUtility_hook : standard_ProcessUtility;
  ProcessUtility_hook = UtilityHook;
}

bool ExplainsPlainly() { return explains > 0 && settings::plain_explain; }

}  // namespace query_shaper
#endif
