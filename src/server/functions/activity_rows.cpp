// Rows of the views activity and activity_nodes: what tracked backends published in shared memory.
#include "pg/pg.h"

#include "core/report/operator_title.h"
#include "core/report/progress_bar.h"
#include "pg/guard.h"
#include "server/functions/caller.h"
#include "server/functions/running.h"
#include "server/shared_state.h"

#include <cmath>
#include <cstring>

extern "C" {
#include "commands/dbcommands.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
}

namespace query_shaper {

static const char* StateName(StatementState state) {
  switch (state) {
    case StatementState::kPaused:
      return "paused";
    case StatementState::kQueued:
      return "queued";
    case StatementState::kReplanning:
      return "replanning";
    default:
      return "running";
  }
}

// Filled column by column; a column that is not known stays null.
struct Row {
  Datum values[32];
  bool nulls[32];
  int columns;
};

static void Put(Row* row, Datum value) {
  row->nulls[row->columns] = false;
  row->values[row->columns++] = value;
}

static void PutNull(Row* row) {
  row->nulls[row->columns] = true;
  row->values[row->columns++] = 0;
}

static void PutText(Row* row, const char* text) {
  if (text == nullptr)
    PutNull(row);
  else
    Put(row, CStringGetTextDatum(text));
}

static void PutFigure(Row* row, double value) {
  if (std::isfinite(value) && value >= 0)
    Put(row, Float8GetDatum(value));
  else
    PutNull(row);
}

static void PutSize(Row* row, int64 kb) {
  if (kb >= 0)
    Put(row, Int64GetDatum(kb));
  else
    PutNull(row);
}

static void PutInterval(Row* row, double ms) {
  constexpr double kLongestMs = 1e15;  // about 31,700 years; the interval counts microseconds in 64 bits
  if (!(ms >= 0)) {
    PutNull(row);
    return;
  }
  auto* const interval = static_cast<Interval*>(palloc0(sizeof(Interval)));
  interval->time = static_cast<TimeOffset>(std::fmin(ms, kLongestMs) * 1000);
  Put(row, IntervalPGetDatum(interval));
}

static const char* BarOf(const StatementSlot& statement) {
  char* const text = static_cast<char*>(palloc(kBarColumns + 128));
  BarFigures figures;
  figures.progress = statement.progress;
  figures.eta_ms = statement.eta_ms;
  figures.low_ms = statement.eta_low_ms;
  figures.high_ms = statement.eta_high_ms;
  figures.state = statement.state == StatementState::kRunning ? "" : StateName(statement.state);
  figures.stalled = statement.stalled;
  const std::string bar = ProgressBar(figures);
  const size_t length = Min(bar.size(), static_cast<size_t>(kBarColumns + 127));
  std::memcpy(text, bar.data(), length);
  text[length] = '\0';
  return text;
}

// Calls visit(pid, statement, sink) for every running statement that the caller may see.
static void ForEachStatement(void (*visit)(int pid, StatementSlot* statement, ReturnSetInfo* sink),
                             ReturnSetInfo* sink) {
  auto* const statement = static_cast<StatementSlot*>(palloc(sizeof(StatementSlot)));
  MemoryContext row_context =
      AllocSetContextCreate(CurrentMemoryContext, "query_shaper activity", ALLOCSET_DEFAULT_SIZES);
  for (int i = 0; i < shared->backends; ++i) {
    BackendSlot* const backend = BackendAt(i);
    const int pid = backend->pid;
    if (pid == 0 || backend->leader_pid != 0) continue;
    for (int level = 0; level < kNestLevels; ++level) {
      if (!ReadStatement(backend, level, statement)) continue;
      if (backend->pid != pid || !MayReadStatementsOf(statement->user)) continue;
      MemoryContext caller = MemoryContextSwitchTo(row_context);
      visit(pid, statement, sink);
      MemoryContextSwitchTo(caller);
      MemoryContextReset(row_context);
    }
    CHECK_FOR_INTERRUPTS();
  }
  MemoryContextDelete(row_context);
}

static void PutStatement(int pid, StatementSlot* statement, ReturnSetInfo* sink) {
  Row row{};
  Put(&row, Int32GetDatum(pid));
  Put(&row, Int32GetDatum(statement->nest_level));
  PutText(&row, get_database_name(statement->database));
  PutText(&row, GetUserNameFromId(statement->user, true));
  Put(&row, Int64GetDatum(statement->query_id));
  Put(&row, Int64GetDatum(static_cast<int64>(statement->fingerprint)));
  PutText(&row, ReadableText(statement->query));
  PutText(&row, StateName(statement->state));
  Put(&row, TimestampTzGetDatum(statement->started));
  PutInterval(&row, statement->elapsed_ms);
  PutFigure(&row, std::isfinite(statement->progress) ? Min(statement->progress, 1.0) : -1);
  PutInterval(&row, statement->eta_ms);
  PutInterval(&row, statement->eta_low_ms);
  PutInterval(&row, statement->eta_high_ms);
  PutFigure(&row, statement->predicted_ms);
  PutFigure(&row, statement->predicted_ms < 0 ? -1 : statement->predicted_low_ms);
  PutFigure(&row, statement->predicted_ms < 0 ? -1 : statement->predicted_high_ms);
  if (std::isfinite(statement->discrepancy))
    Put(&row, Float8GetDatum(statement->discrepancy));
  else
    PutNull(&row);
  PutSize(&row, statement->memory_kb);
  PutSize(&row, statement->memory_granted_kb);
  PutSize(&row, statement->temp_kb);
  Put(&row, Int32GetDatum(statement->workers));
  PutText(&row, BarOf(*statement));
  Put(&row, BoolGetDatum(statement->stalled));
  Put(&row, BoolGetDatum(statement->late));
  PutFigure(&row, statement->time_share);
  tuplestore_putvalues(sink->setResult, sink->setDesc, row.values, row.nulls);
}

// As regclass would show it; relations of other databases and dropped ones have no name here.
static const char* RelationText(Oid database, Oid relation) {
  if (database != MyDatabaseId || !OidIsValid(relation) || get_rel_name(relation) == nullptr) return nullptr;
  return DatumGetCString(DirectFunctionCall1(regclassout, ObjectIdGetDatum(relation)));
}

static void PutNodes(int pid, StatementSlot* statement, ReturnSetInfo* sink) {
  const int count = Min(statement->node_count, kMaxPlanNodes);
  for (int i = 0; i < count; ++i) {
    const NodeSlot& node = statement->nodes[i];
    Row row{};
    Put(&row, Int32GetDatum(pid));
    Put(&row, Int32GetDatum(statement->nest_level));
    Put(&row, Int32GetDatum(node.node_id));
    if (node.parent_id >= 0)
      Put(&row, Int32GetDatum(node.parent_id));
    else
      PutNull(&row);
    Put(&row, Int32GetDatum(node.depth));
    PutText(&row, OperatorTitle(node.op, node.join, node.agg));
    PutText(&row, RelationText(statement->database, node.relation));
    PutFigure(&row, node.estimated_rows);
    PutFigure(&row, node.refined_rows);
    PutFigure(&row, CountedRows(node.op, node.actual_rows));
    PutFigure(&row, node.loops);
    PutFigure(&row, std::isfinite(node.progress) ? Min(node.progress, 1.0f) : -1);
    PutSize(&row, node.memory_kb);
    PutSize(&row, node.memory_limit_kb);
    Put(&row, Int32GetDatum(node.batches));
    PutSize(&row, node.temp_kb);
    tuplestore_putvalues(sink->setResult, sink->setDesc, row.values, row.nulls);
  }
}

static Datum ReadStatements(FunctionCallInfo fcinfo, void (*visit)(int, StatementSlot*, ReturnSetInfo*)) {
  RequireSharedState();
  InitMaterializedSRF(fcinfo, 0);
  ForEachStatement(visit, reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
  return 0;
}

QUERY_SHAPER_FUNCTION(query_shaper_activity) { return ReadStatements(fcinfo, PutStatement); }

QUERY_SHAPER_FUNCTION(query_shaper_activity_nodes) { return ReadStatements(fcinfo, PutNodes); }

}  // namespace query_shaper
