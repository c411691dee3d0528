#include "pg/pg.h"

#include "server/query/plan_keys.h"

#include "server/prefetch_plan.h"
extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/pg_locale.h"
#include "utils/syscache.h"
}

namespace query_shaper {
namespace {

constexpr int kDeepest = 20;

// As pg_statistic.stadistinct, by the last ANALYZE: a negative one is in proportion to the rows. 0: not known.
double DistinctValues(Oid relation, AttrNumber column) {
  if (!OidIsValid(relation) || column <= 0) return 0;
  HeapTuple tuple =
      SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relation), Int16GetDatum(column), BoolGetDatum(false));
  if (!HeapTupleIsValid(tuple)) return 0;
  double values = static_cast<double>(reinterpret_cast<Form_pg_statistic>(GETSTRUCT(tuple))->stadistinct);
  ReleaseSysCache(tuple);
  return values;
}

const Var* AsVar(const Node* node) {
  while (node != nullptr && IsA(node, RelabelType))
    node = reinterpret_cast<const Node*>(reinterpret_cast<const RelabelType*>(node)->arg);
  return node != nullptr && IsA(node, Var) ? reinterpret_cast<const Var*>(node) : nullptr;
}

const Var* Entry(const List* targets, int place) {
  if (place < 1 || place > list_length(targets)) return nullptr;
  return AsVar(reinterpret_cast<const Node*>(static_cast<TargetEntry*>(list_nth(targets, place - 1))->expr));
}

// Where a column of a scan comes from: a column of a table, or that of a place in the plan below.
struct Origin {
  const Plan* below;
  double values;  // as DistinctValues(), where there is no plan below
};

// Whether the plan is a scan; a place below it is that of the column's own number.
bool ScanOrigin(const PlannedStmt* statement, const Plan* plan, const Var* column, Origin* origin) {
  *origin = {nullptr, 0};
  switch (nodeTag(plan)) {
    case T_SeqScan:
    case T_IndexScan:
    case T_BitmapHeapScan:
      origin->values = DistinctValues(ScannedRelation(statement, plan), column->varattno);
      return true;
    case T_IndexOnlyScan:
      column = Entry(reinterpret_cast<const IndexOnlyScan*>(plan)->indextlist, column->varattno);
      if (column != nullptr) origin->values = DistinctValues(ScannedRelation(statement, plan), column->varattno);
      return true;
    case T_SubqueryScan:
      origin->below = reinterpret_cast<const SubqueryScan*>(plan)->subplan;
      return true;
    case T_CustomScan:
      origin->below = PlanReadAhead(plan);
      return true;
    default:
      return false;
  }
}

// Whether no two rows of the plan have the same value in the column of that place.
bool PlanColumnIsUnique(const PlannedStmt* statement, const Plan* plan, int place, int depth) {
  if (plan == nullptr || depth > kDeepest) return false;
  const Var* column = Entry(plan->targetlist, place);
  if (column == nullptr) return false;
  Origin origin;
  if (ScanOrigin(statement, plan, column, &origin))
    return origin.below != nullptr ? PlanColumnIsUnique(statement, origin.below, column->varattno, depth + 1)
                                   : origin.values <= -0.999;
  switch (nodeTag(plan)) {
    case T_Hash:
    case T_Sort:
    case T_IncrementalSort:
    case T_Material:
    case T_Gather:
    case T_GatherMerge:
    case T_Limit:
    case T_Unique:
    case T_LockRows:
      return PlanColumnIsUnique(statement, outerPlan(plan), column->varattno, depth + 1);
    case T_Agg: {
      auto* agg = reinterpret_cast<const Agg*>(plan);
      return agg->numCols == 1 && agg->groupingSets == NIL && !DO_AGGSPLIT_SKIPFINAL(agg->aggsplit) &&
             agg->grpColIdx[0] == column->varattno;
    }
    case T_NestLoop:
    case T_MergeJoin:
    case T_HashJoin: {
      auto* join = reinterpret_cast<const Join*>(plan);
      bool once = join->inner_unique || join->jointype == JOIN_SEMI || join->jointype == JOIN_ANTI;
      return once && column->varno == OUTER_VAR && join->jointype != JOIN_FULL && join->jointype != JOIN_RIGHT &&
             PlanColumnIsUnique(statement, outerPlan(plan), column->varattno, depth + 1);
    }
    default:
      return false;
  }
}

// As DistinctValues(), of the plan's column of that place, wherever it comes from.
double PlanColumnValues(const PlannedStmt* statement, const Plan* plan, int place, int depth) {
  if (plan == nullptr || depth > kDeepest) return 0;
  const Var* column = Entry(plan->targetlist, place);
  if (column == nullptr) return 0;
  Origin origin;
  if (ScanOrigin(statement, plan, column, &origin))
    return origin.below != nullptr ? PlanColumnValues(statement, origin.below, column->varattno, depth + 1)
                                   : origin.values;
  if (column->varno != OUTER_VAR && column->varno != INNER_VAR) return 0;
  return PlanColumnValues(statement, column->varno == OUTER_VAR ? outerPlan(plan) : innerPlan(plan), column->varattno,
                          depth + 1);
}

bool IsEquality(const Node* clause) {
  return IsA(clause, OpExpr) && list_length(reinterpret_cast<const OpExpr*>(clause)->args) == 2 &&
         get_oprrest(reinterpret_cast<const OpExpr*>(clause)->opno) == F_EQSEL;
}

bool AnyEqualsParam(const List* clauses, int param) {
  for (int i = 0; i < list_length(clauses); ++i) {
    auto* clause = static_cast<const Node*>(list_nth(clauses, i));
    if (!IsEquality(clause)) continue;
    for (int side = 0; side < 2; ++side) {
      auto* argument = static_cast<const Node*>(list_nth(reinterpret_cast<const OpExpr*>(clause)->args, side));
      if (argument == nullptr || !IsA(argument, Param)) continue;
      auto* found = reinterpret_cast<const Param*>(argument);
      if (found->paramkind == PARAM_EXEC && found->paramid == param) return true;
    }
  }
  return false;
}

// Whether the rows at the bottom of a chain of single inputs are those that equal the parameter.
bool LookedUpBy(const Plan* plan, int param, int depth) {
  if (plan == nullptr || depth > kDeepest) return false;
  switch (nodeTag(plan)) {
    case T_IndexScan:
      return AnyEqualsParam(reinterpret_cast<const IndexScan*>(plan)->indexqual, param);
    case T_IndexOnlyScan:
      return AnyEqualsParam(reinterpret_cast<const IndexOnlyScan*>(plan)->indexqual, param);
    case T_BitmapIndexScan:
      return AnyEqualsParam(reinterpret_cast<const BitmapIndexScan*>(plan)->indexqual, param);
    case T_SubqueryScan:
      return LookedUpBy(reinterpret_cast<const SubqueryScan*>(plan)->subplan, param, depth + 1);
    default:
      return innerPlan(plan) == nullptr && LookedUpBy(outerPlan(plan), param, depth + 1);
  }
}

bool AnyClauseUnique(const PlannedStmt* statement, const Plan* join, const List* clauses) {
  for (int i = 0; i < list_length(clauses); ++i) {
    auto* clause = static_cast<const Node*>(list_nth(clauses, i));
    if (!IsA(clause, OpExpr)) continue;
    const Var* outer = AsVar(static_cast<const Node*>(linitial(reinterpret_cast<const OpExpr*>(clause)->args)));
    if (outer != nullptr && outer->varno == OUTER_VAR &&
        PlanColumnIsUnique(statement, outerPlan(join), outer->varattno, 0))
      return true;
  }
  return false;
}

}  // namespace

double CompareNs(Oid type, Oid collation) {
  constexpr double kByReferenceNs = 8, kTextNs = 15, kLocaleNs = 45;
  switch (type) {
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case NAMEOID:
      return !OidIsValid(collation) || lc_collate_is_c(collation) ? kTextNs : kLocaleNs;
    default:
      return get_typbyval(type) ? 0 : kByReferenceNs;
  }
}

double ExtremeNs(const Aggref* call) {
  constexpr double kTextNs = 45, kLocaleNs = 190;
  switch (call->aggfnoid) {
    case F_MIN_TEXT:
    case F_MAX_TEXT:
    case F_MIN_BPCHAR:
    case F_MAX_BPCHAR:
      return !OidIsValid(call->inputcollid) || lc_collate_is_c(call->inputcollid) ? kTextNs : kLocaleNs;
    default:
      return 0;
  }
}

double CompareNsOf(const struct Sort* sort) {
  int place = sort->sortColIdx[0];
  if (place < 1 || place > list_length(sort->plan.targetlist)) return 0;
  auto* entry = static_cast<const TargetEntry*>(list_nth(sort->plan.targetlist, place - 1));
  return CompareNs(exprType(reinterpret_cast<const Node*>(entry->expr)), sort->collations[0]);
}

double LeadingValues(const PlannedStmt* statement, const struct Sort* sort) {
  // In proportion to the rows is far too many to matter.
  return sort->numCols > 1 ? Max(0.0, PlanColumnValues(statement, &sort->plan, sort->sortColIdx[0], 0)) : 0;
}

double ColumnValues(const PlannedStmt* statement, const Plan* plan, int place, double rows) {
  const double values = PlanColumnValues(statement, plan, place, 0);
  return values < 0 ? -values * rows : values;
}

bool OuterKeyIsUnique(const PlannedStmt* statement, const Plan* join) {
  switch (nodeTag(join)) {
    case T_HashJoin:
      return AnyClauseUnique(statement, join, reinterpret_cast<const HashJoin*>(join)->hashclauses);
    case T_MergeJoin:
      return AnyClauseUnique(statement, join, reinterpret_cast<const MergeJoin*>(join)->mergeclauses);
    case T_NestLoop: {
      const List* params = reinterpret_cast<const NestLoop*>(join)->nestParams;
      for (int i = 0; i < list_length(params); ++i) {
        auto* param = static_cast<const NestLoopParam*>(list_nth(params, i));
        const Var* outer = AsVar(reinterpret_cast<const Node*>(param->paramval));
        if (outer != nullptr && outer->varno == OUTER_VAR && LookedUpBy(innerPlan(join), param->paramno, 0) &&
            PlanColumnIsUnique(statement, outerPlan(join), outer->varattno, 0))
          return true;
      }
      return false;
    }
    default:
      return false;
  }
}

}  // namespace query_shaper
