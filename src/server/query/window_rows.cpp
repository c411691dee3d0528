#include "pg/pg.h"

#include "server/query/window_rows.h"
extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_statistic.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "parser/parse_clause.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"
}

namespace query_shaper {
namespace {

constexpr double kUnknownValues = 200;  // as the planner has it

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

double ValuesOf(const RangeTblEntry* relation, AttrNumber column, double rows) {
  HeapTuple tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relation->relid), Int16GetDatum(column),
                                    BoolGetDatum(relation->inh));
  if (!HeapTupleIsValid(tuple)) return kUnknownValues;
  auto distinct = static_cast<double>(reinterpret_cast<Form_pg_statistic>(GETSTRUCT(tuple))->stadistinct);
  ReleaseSysCache(tuple);
  if (distinct < 0) return -distinct * rows;
  return distinct > 0 ? distinct : kUnknownValues;
}

// Down to the scan that the column comes from.
double ValuesIn(const PlannedStmt* statement, const Plan* plan, AttrNumber column, double rows) {
  while (plan != nullptr) {
    const TargetEntry* entry = get_tle_by_resno(plan->targetlist, column);
    if (entry == nullptr || !IsA(entry->expr, Var)) return kUnknownValues;
    auto* var = reinterpret_cast<const Var*>(entry->expr);
    if (var->varattno <= 0) return kUnknownValues;
    column = var->varattno;
    if (IsA(plan, SubqueryScan)) {
      plan = reinterpret_cast<const SubqueryScan*>(plan)->subplan;
    } else if (var->varno == OUTER_VAR) {
      plan = outerPlan(plan);
    } else if (var->varno == INNER_VAR) {
      plan = innerPlan(plan);
    } else if (var->varno > 0 && var->varno <= list_length(statement->rtable)) {
      const RangeTblEntry* relation = rt_fetch(var->varno, statement->rtable);
      return relation->rtekind == RTE_RELATION ? ValuesOf(relation, column, rows) : kUnknownValues;
    } else {
      return kUnknownValues;
    }
  }
  return kUnknownValues;
}

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
  for (int key = 0; key < plan->partNumCols; ++key)
    partitions *= ValuesIn(statement, outerPlan(plan), plan->partColIdx[key], rows);
  return Max(1, Min(partitions, rows));
}

double HeldNow(const WindowAggState* window) {
  if (window->buffer == nullptr) return 0;
  int64 behind = KeepsRowsBehind(window) ? 0 : window->currentpos;
  return static_cast<double>(window->spooled_rows - behind);
}

}  // namespace query_shaper
