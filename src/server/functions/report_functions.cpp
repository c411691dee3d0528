// report(): gathers what is known of a query, from the tables or from its running statement, and hands it to core.
#include "pg/pg.h"

#include "core/report/operator_title.h"
#include "core/report/report.h"
#include "pg/guard.h"
#include "server/functions/caller.h"
#include "server/functions/running.h"
#include "server/shared_state.h"

#include <cmath>
#include <cstring>

extern "C" {
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
}

namespace query_shaper {

enum class Format { kText, kJson, kHtml };

static Format ReadFormat(const text* name) {
  const char* const format = text_to_cstring(name);
  if (strcmp(format, "text") == 0) return Format::kText;
  if (strcmp(format, "json") == 0) return Format::kJson;
  if (strcmp(format, "html") == 0) return Format::kHtml;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unrecognized report format: \"%s\"", format),
                  errhint("Formats are text, json and html.")));
  pg_unreachable();
}

static Datum Render(const Report& report, Format format) {
  text* result = nullptr;
  {
    const std::string rendered = format == Format::kText   ? ReportText(report)
                                 : format == Format::kJson ? ReportJson(report)
                                                           : ReportHtml(report);
    const Size size = rendered.size() + VARHDRSZ;
    // Nothing may raise while the string is alive.
    if (AllocSizeIsValid(size)) result = static_cast<text*>(palloc_extended(size, MCXT_ALLOC_NO_OOM));
    if (result != nullptr) {
      SET_VARSIZE(result, size);
      std::memcpy(VARDATA(result), rendered.data(), rendered.size());
    }
  }
  if (result == nullptr) ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
  return PointerGetDatum(result);
}

// One row of the last SPI result, its texts copied to `context`.
struct ResultRow {
  int row;
  MemoryContext context;

  Datum Value(int column, bool* null) const {
    return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, null);
  }
  double Figure(int column) const {
    bool null = false;
    const Datum value = Value(column, &null);
    return null ? -1 : DatumGetFloat8(value);
  }
  int64 Whole(int column, int64 otherwise) const {
    bool null = false;
    const Datum value = Value(column, &null);
    return null ? otherwise : DatumGetInt64(value);
  }
  std::string_view Text(int column) const {
    bool null = false;
    const Datum value = Value(column, &null);
    if (null) return {};
    MemoryContext const before = MemoryContextSwitchTo(context);
    const char* const copy = TextDatumGetCString(value);
    MemoryContextSwitchTo(before);
    return copy;
  }
};

static uint64 Select(const char* sql, int parameters, Oid* types, Datum* values) {
  const int result = SPI_execute_with_args(sql, parameters, types, values, nullptr, true, 0);
  if (result != SPI_OK_SELECT) elog(ERROR, "could not read the extension's tables: %s", SPI_result_code_string(result));
  return SPI_processed;
}

template <typename Item>
static Item* Array(MemoryContext context, uint64 count) {
  return static_cast<Item*>(MemoryContextAllocZero(context, sizeof(Item) * (count + 1)));
}

// Who asks and for what; parameters $1 query id, $2 may see everything, $3 the caller's role.
struct Asker {
  Oid types[3];
  Datum values[3];
  MemoryContext context;  // of everything the report points to
};

static Asker AskerFor(int64 query_id) {
  return {{INT8OID, BOOLOID, OIDOID},
          {Int64GetDatum(query_id), BoolGetDatum(MayReadAllStatements()), ObjectIdGetDatum(GetUserId())},
          CurrentMemoryContext};
}

static const char* const kReadHistory =
    "SELECT fingerprint, query, calls - failed_calls, failed_calls,"
    " CASE WHEN calls > failed_calls THEN mean_ms END,"
    " CASE WHEN calls > failed_calls THEN sqrt(greatest(sum_square_ms, 0) / (calls - failed_calls)) END,"
    " CASE WHEN calls > failed_calls THEN min_ms END, CASE WHEN calls > failed_calls THEN max_ms END,"
    " last_run ->> 'started', last_run ->> 'error', (last_run ->> 'predicted_ms')::float8,"
    " (last_run ->> 'low_ms')::float8, (last_run ->> 'high_ms')::float8, (last_run ->> 'actual_ms')::float8,"
    " round((last_run ->> 'memory_kb')::numeric)::bigint, round((last_run ->> 'temp_kb')::numeric)::bigint, last_run,"
    " (last_run ->> 'complete')::bool"
    " FROM query_shaper.history_data WHERE query_id = $1 AND ($2 OR pg_has_role($3, user_id, 'USAGE'))"
    " ORDER BY last_seen DESC LIMIT 1";

static const char* const kReadNodes =
    "SELECT node_id, parent_id, depth, operator, relation, estimated_rows * greatest(loops, 1), refined_rows,"
    " actual_rows, loops, round(memory_kb)::bigint, round(temp_kb)::bigint"
    " FROM jsonb_to_recordset($1 -> 'nodes') AS n(node_id bigint, parent_id bigint, depth bigint, operator text,"
    " relation text, estimated_rows float8, refined_rows float8, actual_rows float8, loops float8,"
    " memory_kb numeric, temp_kb numeric)";

static const char* const kReadTrace =
    "SELECT elapsed_ms, progress, eta_ms, low_ms, high_ms FROM jsonb_to_recordset($1 -> 'trace')"
    " AS t(elapsed_ms float8, progress float8, eta_ms float8, low_ms float8, high_ms float8)";

static const char* const kReadPredictions =
    "SELECT date_trunc('second', at)::text, origin, predicted_ms, low_ms, high_ms, actual_ms"
    " FROM query_shaper.prediction_data WHERE query_id = $1 AND ($2 OR pg_has_role($3, user_id, 'USAGE'))"
    " ORDER BY at DESC LIMIT 10";

static const char* const kReadEvents =
    "SELECT date_trunc('second', at)::text, action, verdict, reason FROM query_shaper.event_data"
    " WHERE query_id = $1 AND ($2 OR pg_has_role($3, user_id, 'USAGE')) ORDER BY at DESC LIMIT 50";

static void ReadRun(const Asker& asker, Datum run, Report* report) {
  Oid types[1] = {JSONBOID};
  Datum values[1] = {run};
  uint64 count = Select(kReadNodes, 1, types, values);
  auto* const nodes = Array<ReportNode>(asker.context, count);
  for (uint64 i = 0; i < count; ++i) {
    const ResultRow row = {static_cast<int>(i), asker.context};
    nodes[i].node_id = static_cast<int32_t>(row.Whole(1, 0));
    nodes[i].parent_id = static_cast<int32_t>(row.Whole(2, -1));
    nodes[i].depth = static_cast<int32_t>(row.Whole(3, 0));
    nodes[i].operation = row.Text(4);
    nodes[i].relation = row.Text(5);
    nodes[i].estimated_rows = row.Figure(6);
    nodes[i].refined_rows = row.Figure(7);
    nodes[i].actual_rows = row.Figure(8);
    nodes[i].loops = row.Figure(9);
    nodes[i].progress = -1;
    nodes[i].memory_kb = row.Whole(10, -1);
    nodes[i].temp_kb = row.Whole(11, -1);
  }
  report->nodes = {nodes, static_cast<size_t>(count)};
  count = Select(kReadTrace, 1, types, values);
  auto* const trace = Array<ReportTracePoint>(asker.context, count);
  for (uint64 i = 0; i < count; ++i) {
    const ResultRow row = {static_cast<int>(i), asker.context};
    trace[i] = {row.Figure(1), row.Figure(2), row.Figure(3), row.Figure(4), row.Figure(5)};
  }
  report->trace = {trace, static_cast<size_t>(count)};
}

// False when nothing that the caller may see is known. with_run: the last run too, not only the totals.
static bool ReadHistory(Asker* asker, bool with_run, Report* report) {
  if (Select(kReadHistory, 3, asker->types, asker->values) == 0) return false;
  const ResultRow row = {0, asker->context};
  report->calls = row.Whole(3, 0);
  report->failed_calls = row.Whole(4, 0);
  report->mean_ms = row.Figure(5);
  report->stddev_ms = row.Figure(6);
  report->min_ms = row.Figure(7);
  report->max_ms = row.Figure(8);
  if (!with_run) return true;
  report->fingerprint = row.Whole(1, 0);
  report->query = row.Text(2);
  report->started = row.Text(9);
  report->error = row.Text(10);
  report->state = report->error.empty() ? "finished" : "failed";
  report->predicted_ms = row.Figure(11);
  report->predicted_low_ms = row.Figure(12);
  report->predicted_high_ms = row.Figure(13);
  report->actual_ms = row.Figure(14);
  report->memory_kb = row.Whole(15, -1);
  report->temp_kb = row.Whole(16, -1);
  bool null = false;
  const Datum run = row.Value(17, &null);
  if (!null) {
    MemoryContext const before = MemoryContextSwitchTo(asker->context);
    const Datum copy = datumCopy(run, false, -1);
    MemoryContextSwitchTo(before);
    ReadRun(*asker, copy, report);
  }
  return true;
}

static void ReadPredictionsAndEvents(Asker* asker, Report* report) {
  uint64 count = Select(kReadPredictions, 3, asker->types, asker->values);
  auto* const predictions = Array<ReportPrediction>(asker->context, count);
  for (uint64 i = 0; i < count; ++i) {
    const ResultRow row = {static_cast<int>(i), asker->context};
    predictions[i] = {row.Text(1), row.Text(2), row.Figure(3), row.Figure(4), row.Figure(5), row.Figure(6)};
  }
  report->predictions = {predictions, static_cast<size_t>(count)};
  count = Select(kReadEvents, 3, asker->types, asker->values);
  auto* const events = Array<ReportEvent>(asker->context, count);
  for (uint64 i = 0; i < count; ++i) {
    const ResultRow row = {static_cast<int>(i), asker->context};
    events[i] = {row.Text(1), row.Text(2), row.Text(3), row.Text(4)};
  }
  report->events = {events, static_cast<size_t>(count)};
}

QUERY_SHAPER_FUNCTION(query_shaper_report_query) {
  RequireSharedState();
  const int64 query_id = PG_GETARG_INT64(0);
  const Format format = ReadFormat(PG_GETARG_TEXT_PP(1));
  Asker asker = AskerFor(query_id);
  Report report;
  report.query_id = query_id;
  const CallerIdentity caller = BecomeTablesOwner();
  SPI_connect();
  const bool known = ReadHistory(&asker, true, &report);
  if (known) ReadPredictionsAndEvents(&asker, &report);
  SPI_finish();
  BecomeCaller(caller);
  if (!known)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("query " INT64_FORMAT " is not known", query_id),
                    errdetail("No run of it that the calling role may see is in the history."),
                    errhint("View query_shaper.history lists the known queries; query_shaper.flush() brings it up to "
                            "date.")));
  return Render(report, format);
}

static const char* LiveStateName(StatementState state) {
  return state == StatementState::kPaused       ? "paused"
         : state == StatementState::kQueued     ? "queued"
         : state == StatementState::kReplanning ? "replanning"
                                                : "running";
}

static void DescribeRunning(StatementSlot* shown, int pid, Report* report) {
  const StatementSlot& statement = *shown;
  report->query_id = statement.query_id;
  report->fingerprint = static_cast<int64_t>(statement.fingerprint);
  report->query = ReadableText(shown->query);
  report->started = pstrdup(timestamptz_to_str(statement.started));
  report->state = LiveStateName(statement.state);
  report->pid = pid;
  report->progress = statement.progress;
  report->elapsed_ms = statement.elapsed_ms;
  report->eta_ms = statement.eta_ms;
  report->eta_low_ms = statement.eta_low_ms;
  report->eta_high_ms = statement.eta_high_ms;
  report->predicted_ms = statement.predicted_ms;
  report->predicted_low_ms = statement.predicted_low_ms;
  report->predicted_high_ms = statement.predicted_high_ms;
  report->memory_kb = statement.memory_kb;
  report->memory_granted_kb = statement.memory_granted_kb > 0 ? statement.memory_granted_kb : -1;
  report->temp_kb = statement.temp_kb;
  const int count = Min(statement.node_count, kMaxPlanNodes);
  auto* const nodes = Array<ReportNode>(CurrentMemoryContext, static_cast<uint64>(count));
  for (int i = 0; i < count; ++i) {
    const NodeSlot& node = statement.nodes[i];
    nodes[i].node_id = node.node_id;
    nodes[i].parent_id = node.parent_id;
    nodes[i].depth = node.depth;
    nodes[i].operation = OperatorTitle(node.op, node.join, node.agg);
    if (statement.database == MyDatabaseId && OidIsValid(node.relation) && get_rel_name(node.relation) != nullptr)
      nodes[i].relation = DatumGetCString(DirectFunctionCall1(regclassout, ObjectIdGetDatum(node.relation)));
    nodes[i].estimated_rows = node.estimated_rows * std::fmax(node.loops, 1);
    nodes[i].refined_rows = node.refined_rows;
    nodes[i].actual_rows = CountedRows(node.op, node.actual_rows);
    nodes[i].loops = node.loops;
    nodes[i].progress = node.progress;
    nodes[i].memory_kb = node.memory_kb;
    nodes[i].temp_kb = node.temp_kb;
  }
  report->nodes = {nodes, static_cast<size_t>(count)};
}

QUERY_SHAPER_FUNCTION(query_shaper_report_process) {
  RequireSharedState();
  const int pid = PG_GETARG_INT32(0);
  const Format format = ReadFormat(PG_GETARG_TEXT_PP(1));
  const RunningProcess found = FindProcess(pid);
  auto* const statement = static_cast<StatementSlot*>(palloc(sizeof(StatementSlot)));
  if (!ReadOutermost(found, pid, statement))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("no tracked statement is running in process %d", pid),
                    errhint("View query_shaper.activity lists the processes that run tracked statements.")));
  if (!MayReadStatementsOf(statement->user))
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied to report on process %d", pid),
                    errdetail("The caller is neither a member of the role whose statement it is nor of %s.",
                              "pg_read_all_stats")));
  Report report;
  DescribeRunning(statement, pid, &report);
  if (statement->database == MyDatabaseId && statement->query_id != 0) {
    Asker asker = AskerFor(statement->query_id);
    const CallerIdentity caller = BecomeTablesOwner();
    SPI_connect();
    ReadHistory(&asker, false, &report);
    ReadPredictionsAndEvents(&asker, &report);
    SPI_finish();
    BecomeCaller(caller);
  }
  return Render(report, format);
}

}  // namespace query_shaper
