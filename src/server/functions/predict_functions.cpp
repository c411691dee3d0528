// predict() and fingerprint(): a statement is planned, described and never run.
#include "pg/pg.h"

#include "pg/guard.h"
#include "server/query/statement_facts.h"
#include "server/shared_state.h"

#include <cmath>

extern "C" {
#include "executor/executor.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/jsonb.h"
}

namespace query_shaper {

[[noreturn]] static void RefuseStatement(const char* detail) {
  ereport(
      ERROR,
      (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("statement cannot be predicted"), errdetail("%s", detail),
       errhint("Give one SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES statement, alone or inside EXPLAIN, CREATE "
               "TABLE AS, DECLARE CURSOR or COPY (query) TO.")));
  pg_unreachable();
}

// The query that a utility statement would run: the statement itself when it is a query.
static Node* InnerQuery(Node* statement) {
  for (;;) {
    switch (nodeTag(statement)) {
      case T_ExplainStmt:
        statement = reinterpret_cast<ExplainStmt*>(statement)->query;
        break;
      case T_CreateTableAsStmt:
        statement = reinterpret_cast<CreateTableAsStmt*>(statement)->query;
        break;
      case T_DeclareCursorStmt:
        statement = reinterpret_cast<DeclareCursorStmt*>(statement)->query;
        break;
      case T_CopyStmt: {
        auto* const copy = reinterpret_cast<CopyStmt*>(statement);
        if (copy->query == nullptr) RefuseStatement("COPY of a table runs no query.");
        statement = copy->query;
        break;
      }
      case T_SelectStmt: {
        // SELECT INTO is CREATE TABLE AS in disguise; the clause stands at the leftmost member of a set operation.
        auto* select = reinterpret_cast<SelectStmt*>(statement);
        while (select->larg != nullptr) select = select->larg;
        select->intoClause = nullptr;
        return statement;
      }
      case T_InsertStmt:
      case T_UpdateStmt:
      case T_DeleteStmt:
      case T_MergeStmt:
        return statement;
      default:
        RefuseStatement(psprintf("%s runs no query of its own.", GetCommandTagName(CreateCommandTag(statement))));
    }
  }
}

// Parses, analyses, rewrites and plans as EXPLAIN does, with the rights of the caller. Parameters ($1) are allowed and
// planned for generically.
static PlannedStmt* PlanText(const char* text) {
  List* const parsed = pg_parse_query(text);
  if (list_length(parsed) != 1)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("query text must hold exactly one statement"),
                    errdetail_plural("The text holds %d statement.", "The text holds %d statements.",
                                     static_cast<unsigned long>(list_length(parsed)), list_length(parsed)),
                    errhint("Call the function once for each statement.")));
  RawStmt* const raw = linitial_node(RawStmt, parsed);
  raw->stmt = InnerQuery(raw->stmt);
  Oid* parameter_types = nullptr;
  int parameters = 0;
  List* const rewritten = pg_analyze_and_rewrite_varparams(raw, text, &parameter_types, &parameters, nullptr);
  Query* chosen = nullptr;
  ListCell* cell;
  foreach (cell, rewritten) {
    Query* const query = lfirst_node(Query, cell);
    if (query->canSetTag && query->commandType != CMD_UTILITY) chosen = query;
  }
  // Rules with INSTEAD leave no query that sets the tag; the first one they put in its place stands for it.
  if (chosen == nullptr) {
    foreach (cell, rewritten) {
      Query* const query = lfirst_node(Query, cell);
      if (chosen == nullptr && query->commandType != CMD_UTILITY) chosen = query;
    }
  }
  if (chosen == nullptr) RefuseStatement("Its rules leave no query to run.");
  PlannedStmt* const planned = pg_plan_query(chosen, text, CURSOR_OPT_PARALLEL_OK, nullptr);
  ExecCheckRTPerms(planned->rtable, true);
  return planned;
}

// An error position in the text is not one in the statement that calls the function.
static void MovePosition(void* text) {
  const int position = geterrposition();
  if (position <= 0) return;
  errposition(0);
  internalerrposition(position);
  internalerrquery(static_cast<const char*>(text));
}

static PlannedStmt* PlanArgument(FunctionCallInfo fcinfo) {
  RequireSharedState();
  char* const query = text_to_cstring(PG_GETARG_TEXT_PP(0));
  ErrorContextCallback moved;
  moved.previous = error_context_stack;
  moved.callback = MovePosition;
  moved.arg = query;
  error_context_stack = &moved;
  PlannedStmt* const planned = PlanText(query);
  error_context_stack = moved.previous;
  return planned;
}

static TupleDesc RowType(FunctionCallInfo fcinfo) {
  TupleDesc row_type;
  if (get_call_result_type(fcinfo, nullptr, &row_type) != TYPEFUNC_COMPOSITE)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("function returning record called in context that cannot accept type record")));
  return BlessTupleDesc(row_type);
}

static Datum WholeNumber(double value) {
  constexpr double kLargest = 9e18;
  return Int64GetDatum(value > 0 ? static_cast<int64>(std::llround(std::fmin(value, kLargest))) : 0);
}

// Of every target what each member says and weighs.
static Datum MembersJson(const Estimate& estimate) {
  StringInfoData json;
  initStringInfo(&json);
  for (int t = 0; t < kTargets; ++t) {
    appendStringInfo(&json, "%s\"%s\":{", t > 0 ? "," : "{", TargetName(static_cast<Target>(t)));
    const char* separator = "";
    for (int m = 0; m < kModels; ++m) {
      const double value = estimate.model_value[m][t];
      if (!(value >= 0) || !std::isfinite(value)) continue;
      appendStringInfo(&json, "%s\"%s\":{\"value\":%s,\"weight\":%s}", separator, OriginName(static_cast<Origin>(m)),
                       float8out_internal(value), float8out_internal(estimate.model_weight[m][t]));
      separator = ",";
    }
    appendStringInfoChar(&json, '}');
  }
  appendStringInfoChar(&json, '}');
  return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

QUERY_SHAPER_FUNCTION(query_shaper_predict) {
  PlannedStmt* const planned = PlanArgument(fcinfo);
  auto* const tree = static_cast<PlanTree*>(palloc0(sizeof(PlanTree)));
  StatementFacts facts;
  DescribeStatement(planned, nullptr, tree, &facts, true);
  const Quantity* const targets = facts.estimate.targets;
  bool nulls[25] = {};
  Datum values[25] = {
      Float8GetDatum(targets[kTimeMs].value),
      Float8GetDatum(targets[kTimeMs].low),
      Float8GetDatum(targets[kTimeMs].high),
      WholeNumber(targets[kMemoryKb].value),
      WholeNumber(targets[kRows].value),
      WholeNumber(targets[kTempKb].value),
      WholeNumber(targets[kBlocks].value),
      CStringGetTextDatum(OriginName(facts.estimate.origin)),
      Int64GetDatum(static_cast<int64>(facts.fingerprint)),
      Int64GetDatum(tree->query_id),
      WholeNumber(targets[kMemoryKb].low),
      WholeNumber(targets[kMemoryKb].high),
      WholeNumber(targets[kRows].low),
      WholeNumber(targets[kRows].high),
      WholeNumber(targets[kTempKb].low),
      WholeNumber(targets[kTempKb].high),
      WholeNumber(targets[kBlocks].low),
      WholeNumber(targets[kBlocks].high),
      Float8GetDatum(targets[kCpuMs].value),
      Float8GetDatum(targets[kCpuMs].low),
      Float8GetDatum(targets[kCpuMs].high),
      WholeNumber(targets[kBlocksRead].value),
      WholeNumber(targets[kBlocksRead].low),
      WholeNumber(targets[kBlocksRead].high),
      MembersJson(facts.estimate),
  };
  return HeapTupleGetDatum(heap_form_tuple(RowType(fcinfo), values, nulls));
}

static Datum FeaturesJson(const FeatureVector& features) {
  StringInfoData json;
  initStringInfo(&json);
  appendStringInfoChar(&json, '{');
  for (int i = 0; i < kFeatureCount; ++i) {
    const double value = features.values[i];
    appendStringInfo(&json, "%s\"%s\":%s", i > 0 ? "," : "", FeatureName(i),
                     std::isfinite(value) ? float8out_internal(value) : "null");
  }
  appendStringInfoChar(&json, '}');
  return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

QUERY_SHAPER_FUNCTION(query_shaper_fingerprint) {
  PlannedStmt* const planned = PlanArgument(fcinfo);
  auto* const tree = static_cast<PlanTree*>(palloc0(sizeof(PlanTree)));
  StatementFacts facts;
  DescribeStatement(planned, nullptr, tree, &facts);
  bool nulls[3] = {};
  Datum values[3] = {Int64GetDatum(tree->query_id), Int64GetDatum(static_cast<int64>(facts.fingerprint)),
                     FeaturesJson(facts.features)};
  return HeapTupleGetDatum(heap_form_tuple(RowType(fcinfo), values, nulls));
}

}  // namespace query_shaper
