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

// Functions that do not look at the frame.
bool IgnoresFrame(Oid function) {
  switch (function) {
    case F_ROW_NUMBER:
    case F_RANK_:
    case F_DENSE_RANK_:
    case F_LAG_ANYELEMENT:
    case F_LAG_ANYELEMENT_INT4:
    case F_LAG_ANYCOMPATIBLE_INT4_ANYCOMPATIBLE:
    case F_LEAD_ANYELEMENT:
    case F_LEAD_ANYELEMENT_INT4:
    case F_LEAD_ANYCOMPATIBLE_INT4_ANYCOMPATIBLE:
      return true;
    default:
      return false;
  }
}

// All rows of a partition at once: where a frame reaches to its end, or a function wants to know how many they are.
bool HoldsPartition(const WindowAggState* window) {
  const int frame = window->frameOptions;
  auto* plan = reinterpret_cast<const WindowAgg*>(window->ss.ps.plan);
  const bool to_end = (frame & FRAMEOPTION_END_UNBOUNDED_FOLLOWING) != 0 || (frame & FRAMEOPTION_EXCLUSION) != 0 ||
                      (plan->ordNumCols == 0 && (frame & FRAMEOPTION_ROWS) == 0);
  ListCell* cell;
  foreach (cell, window->funcs) {
    const Oid function = lfirst_node(WindowFuncExprState, cell)->wfunc->winfnoid;
    if (IgnoresFrame(function)) continue;
    switch (function) {
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

// All rows that order alike: those of the current one belong to its frame.
bool HoldsPeers(const WindowAggState* window) {
  auto* plan = reinterpret_cast<const WindowAgg*>(window->ss.ps.plan);
  if (plan->ordNumCols == 0 || (window->frameOptions & (FRAMEOPTION_RANGE | FRAMEOPTION_GROUPS)) == 0) return false;
  ListCell* cell;
  foreach (cell, window->funcs)
    if (!IgnoresFrame(lfirst_node(WindowFuncExprState, cell)->wfunc->winfnoid)) return true;
  return false;
}

double ValuesOf(const PlannedStmt* statement, const WindowAgg* plan, int keys, const AttrNumber* columns, double rows) {
  double all = 1;
  for (int key = 0; key < keys; ++key) {
    const double values = ColumnValues(statement, outerPlan(plan), columns[key], rows);
    all *= values > 0 ? values : kUnknownValues;
  }
  return all;
}

}  // namespace

bool HoldsPieces(const WindowAggState* window) { return HoldsPartition(window) || HoldsPeers(window); }

double PiecesOf(const PlannedStmt* statement, const WindowAggState* window, double rows) {
  auto* plan = reinterpret_cast<const WindowAgg*>(window->ss.ps.plan);
  double pieces = ValuesOf(statement, plan, plan->partNumCols, plan->partColIdx, rows);
  if (!HoldsPartition(window) && HoldsPeers(window))
    pieces *= ValuesOf(statement, plan, plan->ordNumCols, plan->ordColIdx, rows);
  return Max(1, Min(pieces, rows));
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
