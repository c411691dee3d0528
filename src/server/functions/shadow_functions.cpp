// shadow(): a query's joins counted on a sample.
#include "pg/pg.h"

#include "pg/guard.h"
#include "server/query/sampled_query.h"
#include "server/shared_state.h"

extern "C" {
#include "executor/executor.h"
#include "funcapi.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
}

namespace query_shaper {

constexpr uint32 kSeedByHand = 1;  // the same sample for the same data

// Parses, analyses and rewrites with the rights of the caller.
static Query* AnalyseText(const char* text) {
  List* const parsed = pg_parse_query(text);
  if (list_length(parsed) != 1)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("query text must hold exactly one statement"),
                    errdetail_plural("The text holds %d statement.", "The text holds %d statements.",
                                     static_cast<unsigned long>(list_length(parsed)), list_length(parsed)),
                    errhint("Call the function once for each statement.")));
  List* const rewritten = pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, parsed), text, nullptr, 0, nullptr);
  return list_length(rewritten) == 1 ? linitial_node(Query, rewritten) : nullptr;
}

static void MoveErrorPosition(void* text) {
  const int position = geterrposition();
  if (position <= 0) return;
  errposition(0);
  internalerrposition(position);
  internalerrquery(static_cast<const char*>(text));
}

static void RunByHand(const char* text, double fraction, SampledRun* run) {
  ErrorContextCallback moved;
  moved.previous = error_context_stack;
  moved.callback = MoveErrorPosition;
  moved.arg = const_cast<char*>(text);
  error_context_stack = &moved;
  const Query* const query = AnalyseText(text);
  const char* const why = query != nullptr ? WhyNotSampled(query) : "it is not a plain SELECT";
  if (why != nullptr)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("query cannot be run on a sample"),
                    errdetail("It cannot because %s.", why),
                    errhint("Give one SELECT without volatile functions and without FOR UPDATE or SHARE.")));
  const SampledOrder order = {query, text, nullptr, false, GetActiveSnapshot(), fraction, kSeedByHand, 1000};
  RunSampled(order, run);
  error_context_stack = moved.previous;
}

QUERY_SHAPER_FUNCTION(query_shaper_shadow) {
  RequireSharedState();
  const double fraction = PG_GETARG_FLOAT8(1);
  if (!(fraction > 0 && fraction <= 1))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("fraction must be greater than 0 and at most 1")));
  char* const statement = text_to_cstring(PG_GETARG_TEXT_PP(0));
  auto* const run = static_cast<SampledRun*>(palloc0(sizeof(SampledRun)));
  RunByHand(statement, fraction, run);
  InitMaterializedSRF(fcinfo, 0);
  const auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  for (int i = 0; i < run->count; ++i) {
    const SampledNode& node = run->nodes[i];
    bool nulls[7] = {node.node_id < 0};
    Datum values[7] = {
        Int32GetDatum(node.node_id),
        CStringGetTextDatum(node.relations),
        Float8GetDatum(node.count.prior_rows),
        Float8GetDatum(node.rows.rows),
        Float8GetDatum(node.rows.low),
        Float8GetDatum(node.rows.high),
        Float8GetDatum(node.count.probability),
    };
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return Datum(0);
}

}  // namespace query_shaper
