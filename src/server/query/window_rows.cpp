#include "pg/pg.h"

#include "server/query/window_rows.h"

#include "server/query/plan_keys.h"
extern "C" {
#include "nodes/plannodes.h"
#include "utils/fmgroids.h"
}

namespace query_shaper {
namespace {

constexpr double kUnknownValues = 200;  // as the planner has it

}  // namespace

bool HoldsPartition(const WindowAggState* window) {
  const int frame = window->frameOptions;
  auto* plan = reinterpret_cast<const WindowAgg*>(window->ss.ps.plan);
  const bool to_end = (frame & FRAMEOPTION_END_UNBOUNDED_FOLLOWING) != 0 || (frame & FRAMEOPTION_EXCLUSION) != 0 ||
                      (plan->ordNumCols == 0 && (frame & FRAMEOPTION_ROWS) == 0);
  ListCell* cell;
  foreach (cell, window->funcs) {
    switch (lfirst_node(WindowFuncExprState, cell)->wfunc->winfnoid) {
      case F_ROW_NUMBER:
      case F_RANK_:
      case F_DENSE_RANK_:
      case F_LAG_ANYELEMENT:
      case F_LAG_ANYELEMENT_INT4:
      case F_LAG_ANYCOMPATIBLE_INT4_ANYCOMPATIBLE:
      case F_LEAD_ANYELEMENT:
      case F_LEAD_ANYELEMENT_INT4:
      case F_LEAD_ANYCOMPATIBLE_INT4_ANYCOMPATIBLE:
        break;
      case F_NTILE:
      case F_PERCENT_RANK_:
      case F_CUME_DIST_:
      case F_FIRST_VALUE:
      case F_NTH_VALUE:
        return true;
      default:
        if (to_end) return true;
    }
  }
  return false;
}

double PartitionsOf(const PlannedStmt* statement, const WindowAgg* plan, double rows) {
  double partitions = 1;
  for (int key = 0; key < plan->partNumCols; ++key) {
    const double values = ColumnValues(statement, outerPlan(plan), plan->partColIdx[key], rows);
    partitions *= values > 0 ? values : kUnknownValues;
  }
  return Max(1, Min(partitions, rows));
}

bool KeepsRowsBehind(const WindowAggState* window) {
  constexpr int kMoves = FRAMEOPTION_START_OFFSET_PRECEDING | FRAMEOPTION_EXCLUSION;
  if ((window->frameOptions & kMoves) != 0) return true;
  ListCell* cell;
  foreach (cell, window->funcs) {
    switch (lfirst_node(WindowFuncExprState, cell)->wfunc->winfnoid) {
      case F_FIRST_VALUE:
      case F_LAST_VALUE:
      case F_NTH_VALUE:
        return true;
      default:
        break;
    }
  }
  return false;
}

double HeldNow(const WindowAggState* window, bool keeps_behind) {
  if (window->buffer == nullptr) return 0;
  int64 behind = keeps_behind ? 0 : window->currentpos;
  return static_cast<double>(window->spooled_rows - behind);
}

}  // namespace query_shaper
