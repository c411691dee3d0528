// export_knowledge() and import_knowledge(): learned state as one JSON document that another server can take over.
#include "pg/pg.h"

#include "core/cardinality/row_model.h"
#include "core/decide/plan_bytes.h"
#include "core/predict/predict.h"
#include "core/predict/sequence_model.h"
#include "core/prefetch/access_model.h"
#include "pg/guard.h"
#include "server/functions/caller.h"
#include "server/functions/knowledge_functions.h"
#include "server/shared_rows.h"
#include "server/shared_state.h"
#include "server/store/knowledge.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
#include "catalog/pg_type.h"
#include "common/base64.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
}

namespace query_shaper {

static constexpr char kFormatName[] = "query_shaper knowledge";
static constexpr int kFormatVersion = 1;

// Times are seconds since the epoch: no time zone, no date style.
static const char* const kExport =
    "SELECT jsonb_build_object('format', $1, 'version', $2, 'extension_version', $3,"
    " 'history', (SELECT coalesce(jsonb_agg(jsonb_build_object('user', coalesce(r.rolname::text, ''),"
    "  'query_id', h.query_id, 'fingerprint', h.fingerprint, 'query', h.query, 'calls', h.calls,"
    "  'failed_calls', h.failed_calls, 'mean_ms', h.mean_ms, 'sum_square_ms', h.sum_square_ms, 'min_ms', h.min_ms,"
    "  'max_ms', h.max_ms, 'rows', h.rows, 'peak_memory_kb', h.peak_memory_kb, 'temp_kb', h.temp_kb,"
    "  'blocks_read', h.blocks_read, 'blocks_hit', h.blocks_hit, 'weight', h.weight,"
    "  'first_seen', extract(epoch FROM h.first_seen), 'last_seen', extract(epoch FROM h.last_seen),"
    "  'features', h.features, 'last_run', h.last_run)"
    "  ORDER BY h.query_id, h.fingerprint, r.rolname), '[]') FROM query_shaper.history_data h"
    "  LEFT JOIN pg_catalog.pg_roles r ON r.oid = h.user_id),"
    " 'profiles', (SELECT coalesce(jsonb_agg(jsonb_build_object('query_id', p.query_id, 'fingerprint', p.fingerprint,"
    "  'last_seen', extract(epoch FROM p.last_seen), 'state', translate(encode(p.state, 'base64'), E'\\n', ''))"
    "  ORDER BY p.query_id, p.fingerprint), '[]') FROM query_shaper.profile_data p),"
    " 'models', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', m.name, 'version', m.version,"
    "  'trained_at', extract(epoch FROM m.trained_at), 'samples', m.samples, 'q_error_p50', m.q_error_p50,"
    "  'q_error_p90', m.q_error_p90, 'weight', m.weight,"
    "  'state', translate(encode(m.state, 'base64'), E'\\n', '')) ORDER BY m.name), '[]')"
    "  FROM query_shaper.model_data m),"
    " 'row_estimates', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', e.key, 'kind', e.kind,"
    "  'schemas', e.schemas, 'names', e.names, 'relation_count', e.relation_count, 'clauses', e.clauses,"
    "  'planner_rows', e.planner_rows, 'planned_rows', e.planned_rows, 'actual_rows', e.actual_rows, 'seen', e.seen,"
    "  'last_seen', extract(epoch FROM e.last_seen), 'state', translate(encode(e.state, 'base64'), E'\\n', ''))"
    "  ORDER BY e.key), '[]') FROM query_shaper.row_estimate_data e),"
    " 'known_plans', (SELECT coalesce(jsonb_agg(jsonb_build_object('query_id', k.query_id,"
    "  'last_seen', extract(epoch FROM k.last_seen), 'state', translate(encode(k.state, 'base64'), E'\\n', ''))"
    "  ORDER BY k.query_id), '[]') FROM query_shaper.known_plan_data k),"
    " 'access_patterns', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', a.key, 'schema', a.schema,"
    "  'name', a.name, 'index_name', a.index_name, 'pattern', a.pattern, 'extent_blocks', a.extent_blocks,"
    "  'seen', a.seen, 'issued', a.issued, 'used', a.used, 'wasted', a.wasted, 'transitions', a.transitions,"
    "  'last_seen', extract(epoch FROM a.last_seen), 'state', translate(encode(a.state, 'base64'), E'\\n', ''))"
    "  ORDER BY a.key), '[]') FROM query_shaper.access_pattern_data a))";

enum class Kind {
  kId,
  kCount,
  kFigure,
  kSpread,
  kTime,
  kText,
  kNames,
  kObject,
  kProfile,
  kModels,
  kRows,
  kPlans,
  kAccess
};

struct Field {
  const char* name;
  Kind kind;
  bool nullable;
};

static const Field kHistoryFields[] = {
    {"user", Kind::kText, false},        {"query_id", Kind::kId, false},
    {"fingerprint", Kind::kId, false},   {"query", Kind::kText, false},
    {"calls", Kind::kCount, false},      {"failed_calls", Kind::kCount, false},
    {"mean_ms", Kind::kFigure, false},   {"sum_square_ms", Kind::kFigure, false},
    {"min_ms", Kind::kFigure, false},    {"max_ms", Kind::kFigure, false},
    {"rows", Kind::kCount, false},       {"peak_memory_kb", Kind::kCount, false},
    {"temp_kb", Kind::kCount, false},    {"blocks_read", Kind::kCount, false},
    {"blocks_hit", Kind::kCount, false}, {"weight", Kind::kFigure, false},
    {"first_seen", Kind::kTime, false},  {"last_seen", Kind::kTime, false},
    {"features", Kind::kObject, false},  {"last_run", Kind::kObject, false},
};
static const Field kProfileFields[] = {
    {"query_id", Kind::kId, false},
    {"fingerprint", Kind::kId, false},
    {"last_seen", Kind::kTime, false},
    {"state", Kind::kProfile, false},
};
static const Field kModelFields[] = {
    {"name", Kind::kText, false},      {"version", Kind::kCount, false},     {"trained_at", Kind::kTime, true},
    {"samples", Kind::kFigure, false}, {"q_error_p50", Kind::kFigure, true}, {"q_error_p90", Kind::kFigure, true},
    {"weight", Kind::kFigure, true},   {"state", Kind::kModels, true},
};
static const Field kRowFields[] = {
    {"key", Kind::kId, false},
    {"kind", Kind::kText, false},
    {"schemas", Kind::kNames, false},
    {"names", Kind::kNames, false},
    {"relation_count", Kind::kCount, false},
    {"clauses", Kind::kText, false},
    {"planner_rows", Kind::kFigure, false},
    {"planned_rows", Kind::kFigure, false},
    {"actual_rows", Kind::kFigure, false},
    {"seen", Kind::kCount, false},
    {"last_seen", Kind::kTime, false},
    {"state", Kind::kRows, false},
};
static const Field kPlanFields[] = {
    {"query_id", Kind::kId, false},
    {"last_seen", Kind::kTime, false},
    {"state", Kind::kPlans, false},
};

static const Field kAccessFields[] = {
    {"key", Kind::kId, false},         {"schema", Kind::kText, false},       {"name", Kind::kText, false},
    {"index_name", Kind::kText, true}, {"pattern", Kind::kText, false},      {"extent_blocks", Kind::kCount, false},
    {"seen", Kind::kFigure, false},    {"issued", Kind::kFigure, false},     {"used", Kind::kFigure, false},
    {"wasted", Kind::kFigure, false},  {"transitions", Kind::kCount, false}, {"last_seen", Kind::kTime, false},
    {"state", Kind::kAccess, false},
};

[[noreturn]] static void Refuse(const char* detail) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid knowledge"), errdetail("%s", detail),
                  errhint("Import what query_shaper.export_knowledge() returned, unchanged.")));
  pg_unreachable();
}

// Null when the state is sound, else why not. No PostgreSQL call inside the try block.
static const char* ReadState(const char* bytes, int length, Kind kind, void* scratch, char* failure, size_t capacity) {
  const auto size = static_cast<uint32_t>(length);
  try {
    switch (kind) {
      case Kind::kProfile:
        ReadProfile(bytes, size, static_cast<Profile*>(scratch));
        break;
      case Kind::kRows:
        ReadRowProfile(bytes, size, static_cast<RowProfile*>(scratch));
        break;
      case Kind::kPlans:
        ReadKnownPlans(bytes, size, static_cast<KnownPlans*>(scratch));
        break;
      case Kind::kAccess:
        ReadAccessModel(bytes, size, static_cast<AccessModel*>(scratch));
        break;
      default:
        if (IsSequence(bytes, size)) {
          ReadSequence(bytes, size, static_cast<SequenceModel*>(scratch));
        } else {
          ReadModels(bytes, size, static_cast<Models*>(scratch));
        }
    }
    return nullptr;
  } catch (const std::exception& e) {
    std::snprintf(failure, capacity, "%s", e.what());
  }
  return failure;
}

static const char* CheckState(const JsonbValue& value, Kind kind) {
  const int length = value.val.string.len;
  const int capacity = pg_b64_dec_len(length);
  char* const bytes = static_cast<char*>(palloc(capacity + 1));
  const int decoded = pg_b64_decode(value.val.string.val, length, bytes, capacity);
  if (decoded < 0) return "state is not in base64";
  constexpr Size kLargest = Max(Max(Max(sizeof(Profile), sizeof(Models)), sizeof(SequenceModel)),
                                Max(Max(sizeof(RowProfile), sizeof(KnownPlans)), sizeof(AccessModel)));
  void* const scratch = palloc0(kLargest);
  char failure[256];
  const char* const wrong = ReadState(bytes, decoded, kind, scratch, failure, sizeof failure);
  pfree(scratch);
  pfree(bytes);
  return wrong != nullptr ? pstrdup(wrong) : nullptr;
}

static const char* CheckNumber(const JsonbValue& value, Kind kind) {
  const char* const text = numeric_normalize(value.val.numeric);
  char* end = nullptr;
  errno = 0;
  if (kind == Kind::kId || kind == Kind::kCount) {
    const long long number = std::strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0') return "it is not an integer of 64 bits";
    return kind == Kind::kCount && number < 0 ? "it is negative" : nullptr;
  }
  const double number = std::strtod(text, &end);
  if (errno != 0 && std::fabs(number) > 1) return "it is out of range";
  if (*end != '\0' || !std::isfinite(number)) return "it is not a finite number";
  if (number < 0) return "it is negative";
  constexpr double kLatestSecond = 9e9;  // year 2255
  return kind == Kind::kTime && number > kLatestSecond ? "it is not a time in seconds since 1970" : nullptr;
}

static const char* CheckNames(const JsonbContainer* names) {
  for (uint32 i = 0; i < JsonContainerSize(names); ++i) {
    const JsonbValue* const name = getIthJsonbValueFromContainer(const_cast<JsonbContainer*>(names), i);
    if (name->type != jbvString && name->type != jbvNull) return "it holds something that is not a string";
  }
  return JsonContainerSize(names) > kRowRelations ? "it has too many elements" : nullptr;
}

// Null when the value is what the field holds, else what is wrong with it.
static const char* CheckValue(const JsonbValue& value, const Field& field) {
  if (value.type == jbvNull) return field.nullable ? nullptr : "it is null";
  switch (field.kind) {
    case Kind::kText:
      return value.type == jbvString ? nullptr : "it is not a string";
    case Kind::kObject:
      return value.type == jbvBinary && JsonContainerIsObject(value.val.binary.data) ? nullptr : "it is not an object";
    case Kind::kNames:
      if (value.type != jbvBinary || !JsonContainerIsArray(value.val.binary.data)) return "it is not an array";
      return CheckNames(value.val.binary.data);
    case Kind::kProfile:
    case Kind::kModels:
    case Kind::kRows:
    case Kind::kPlans:
    case Kind::kAccess:
      return value.type == jbvString ? CheckState(value, field.kind) : "it is not a string";
    default:
      return value.type == jbvNumeric ? CheckNumber(value, field.kind) : "it is not a number";
  }
}

static const JsonbContainer* Section(Jsonb* document, const char* name) {
  JsonbValue value;
  JsonbValue* const found = getKeyJsonValueFromContainer(&document->root, name, strlen(name), &value);
  if (found == nullptr || found->type != jbvBinary || !JsonContainerIsArray(found->val.binary.data))
    Refuse(psprintf("Member \"%s\" is not an array.", name));
  return found->val.binary.data;
}

static bool Has(Jsonb* document, const char* name) {
  JsonbValue value;
  return getKeyJsonValueFromContainer(&document->root, name, strlen(name), &value) != nullptr;
}

template <int n>
static void CheckSection(Jsonb* document, const char* name, const Field (&fields)[n]) {
  const JsonbContainer* const section = Section(document, name);
  MemoryContext const element_context =
      AllocSetContextCreate(CurrentMemoryContext, "query_shaper import", ALLOCSET_DEFAULT_SIZES);
  MemoryContext const caller = MemoryContextSwitchTo(element_context);
  for (uint32 i = 0; i < JsonContainerSize(section); ++i) {
    const JsonbValue* const element = getIthJsonbValueFromContainer(const_cast<JsonbContainer*>(section), i);
    if (element->type != jbvBinary || !JsonContainerIsObject(element->val.binary.data))
      Refuse(psprintf("Element %u of \"%s\" is not an object.", i, name));
    if (JsonContainerSize(element->val.binary.data) != n)
      Refuse(psprintf("Element %u of \"%s\" has %u members instead of %d.", i, name,
                      JsonContainerSize(element->val.binary.data), n));
    for (const Field& field : fields) {
      JsonbValue space;
      const JsonbValue* const value =
          getKeyJsonValueFromContainer(element->val.binary.data, field.name, strlen(field.name), &space);
      if (value == nullptr) Refuse(psprintf("Element %u of \"%s\" has no member \"%s\".", i, name, field.name));
      const char* const wrong = CheckValue(*value, field);
      if (wrong != nullptr) Refuse(psprintf("Member \"%s\" of element %u of \"%s\": %s.", field.name, i, name, wrong));
    }
    MemoryContextReset(element_context);
    CHECK_FOR_INTERRUPTS();
  }
  MemoryContextSwitchTo(caller);
  MemoryContextDelete(element_context);
}

static void CheckHeader(Jsonb* document) {
  if (!JB_ROOT_IS_OBJECT(document)) Refuse("It is not an object.");
  JsonbValue space;
  const JsonbValue* value = getKeyJsonValueFromContainer(&document->root, "format", strlen("format"), &space);
  if (value == nullptr || value->type != jbvString ||
      static_cast<size_t>(value->val.string.len) != strlen(kFormatName) ||
      memcmp(value->val.string.val, kFormatName, strlen(kFormatName)) != 0)
    Refuse(psprintf("Member \"format\" is not \"%s\".", kFormatName));
  value = getKeyJsonValueFromContainer(&document->root, "version", strlen("version"), &space);
  if (value == nullptr || value->type != jbvNumeric) Refuse("Member \"version\" is not a number.");
  if (strcmp(numeric_normalize(value->val.numeric), psprintf("%d", kFormatVersion)) != 0)
    Refuse(psprintf("Its version is %s; this server reads version %d.", numeric_normalize(value->val.numeric),
                    kFormatVersion));
}

// Where both know a statement, what was seen last is kept: importing twice changes nothing. Roles that do not exist
// here leave their rows to the importing role.
static const char* const kImport[] = {
    "WITH incoming AS (SELECT DISTINCT ON (coalesce(r.oid, $2), i.query_id, i.fingerprint)"
    "  coalesce(r.oid, $2) AS user_id, i.* FROM jsonb_to_recordset($1 -> 'history') AS i(\"user\" text,"
    "  query_id bigint, fingerprint bigint, query text, calls bigint, failed_calls bigint, mean_ms float8,"
    "  sum_square_ms float8, min_ms float8, max_ms float8, rows bigint, peak_memory_kb bigint, temp_kb bigint,"
    "  blocks_read bigint, blocks_hit bigint, weight float8, first_seen float8, last_seen float8, features jsonb,"
    "  last_run jsonb) LEFT JOIN pg_catalog.pg_roles r ON r.rolname = i.\"user\""
    "  ORDER BY coalesce(r.oid, $2), i.query_id, i.fingerprint, i.last_seen DESC),"
    " older AS (DELETE FROM query_shaper.history_data h USING incoming i WHERE h.user_id = i.user_id"
    "  AND h.query_id = i.query_id AND h.fingerprint = i.fingerprint AND h.last_seen < to_timestamp(i.last_seen))"
    " INSERT INTO query_shaper.history_data (user_id, query_id, fingerprint, query, calls, failed_calls, mean_ms,"
    "  sum_square_ms, min_ms, max_ms, rows, peak_memory_kb, temp_kb, blocks_read, blocks_hit, weight, first_seen,"
    "  last_seen, features, last_run) SELECT i.user_id, i.query_id, i.fingerprint, i.query, i.calls, i.failed_calls,"
    "  i.mean_ms, i.sum_square_ms, i.min_ms, i.max_ms, i.rows, i.peak_memory_kb, i.temp_kb, i.blocks_read,"
    "  i.blocks_hit, i.weight, to_timestamp(i.first_seen), to_timestamp(i.last_seen), i.features, i.last_run"
    "  FROM incoming i WHERE NOT EXISTS (SELECT FROM query_shaper.history_data h WHERE h.user_id = i.user_id"
    "  AND h.query_id = i.query_id AND h.fingerprint = i.fingerprint AND h.last_seen >= to_timestamp(i.last_seen))",
    "WITH incoming AS (SELECT DISTINCT ON (i.query_id, i.fingerprint) i.* FROM"
    "  jsonb_to_recordset($1 -> 'profiles') AS i(query_id bigint, fingerprint bigint, last_seen float8, state text)"
    "  WHERE $2 IS NOT NULL ORDER BY i.query_id, i.fingerprint, i.last_seen DESC),"
    " older AS (DELETE FROM query_shaper.profile_data p USING incoming i WHERE p.query_id = i.query_id"
    "  AND p.fingerprint = i.fingerprint AND p.last_seen < to_timestamp(i.last_seen))"
    " INSERT INTO query_shaper.profile_data (query_id, fingerprint, last_seen, state) SELECT i.query_id,"
    "  i.fingerprint, to_timestamp(i.last_seen), decode(i.state, 'base64') FROM incoming i WHERE NOT EXISTS"
    "  (SELECT FROM query_shaper.profile_data p WHERE p.query_id = i.query_id AND p.fingerprint = i.fingerprint"
    "  AND p.last_seen >= to_timestamp(i.last_seen))",
    // Models cannot be added up: those that have seen more are kept, all of one server.
    "WITH incoming AS (SELECT DISTINCT ON (i.name) i.* FROM jsonb_to_recordset($1 -> 'models') AS i(name text,"
    "  version bigint, trained_at float8, samples float8, q_error_p50 float8, q_error_p90 float8, weight float8,"
    "  state text) WHERE $2 IS NOT NULL ORDER BY i.name),"
    " better AS (SELECT coalesce((SELECT samples FROM incoming WHERE name = 'models'), -1) >"
    "  coalesce((SELECT max(samples) FROM query_shaper.model_data WHERE name = 'models'), 0) AS is),"
    " older AS (DELETE FROM query_shaper.model_data WHERE (SELECT better.is FROM better))"
    " INSERT INTO query_shaper.model_data (name, version, trained_at, samples, q_error_p50, q_error_p90, weight, state)"
    "  SELECT i.name, i.version, to_timestamp(i.trained_at), i.samples, i.q_error_p50, i.q_error_p90, i.weight,"
    "  decode(i.state, 'base64') FROM incoming i WHERE (SELECT better.is FROM better)",
    "WITH incoming AS (SELECT DISTINCT ON (i.key) i.* FROM jsonb_to_recordset($1 -> 'row_estimates') AS i(key bigint,"
    "  kind text, schemas text[], names text[], relation_count int, clauses text, planner_rows float8,"
    "  planned_rows float8, actual_rows float8, seen bigint, last_seen float8, state text)"
    "  WHERE $2 IS NOT NULL ORDER BY i.key, i.last_seen DESC),"
    " older AS (DELETE FROM query_shaper.row_estimate_data e USING incoming i WHERE e.key = i.key"
    "  AND e.last_seen < to_timestamp(i.last_seen))"
    " INSERT INTO query_shaper.row_estimate_data (key, kind, schemas, names, relation_count, clauses, planner_rows,"
    "  planned_rows, actual_rows, seen, last_seen, state) SELECT i.key, i.kind, i.schemas, i.names, i.relation_count,"
    "  i.clauses, i.planner_rows, i.planned_rows, i.actual_rows, i.seen, to_timestamp(i.last_seen),"
    "  decode(i.state, 'base64') FROM incoming i WHERE NOT EXISTS (SELECT FROM query_shaper.row_estimate_data e"
    "  WHERE e.key = i.key AND e.last_seen >= to_timestamp(i.last_seen))",
    "WITH incoming AS (SELECT DISTINCT ON (i.query_id) i.* FROM jsonb_to_recordset($1 -> 'known_plans') AS"
    "  i(query_id bigint, last_seen float8, state text) WHERE $2 IS NOT NULL ORDER BY i.query_id, i.last_seen DESC),"
    " older AS (DELETE FROM query_shaper.known_plan_data k USING incoming i WHERE k.query_id = i.query_id"
    "  AND k.last_seen < to_timestamp(i.last_seen))"
    " INSERT INTO query_shaper.known_plan_data (query_id, last_seen, state) SELECT i.query_id,"
    "  to_timestamp(i.last_seen), decode(i.state, 'base64') FROM incoming i WHERE NOT EXISTS"
    "  (SELECT FROM query_shaper.known_plan_data k WHERE k.query_id = i.query_id"
    "  AND k.last_seen >= to_timestamp(i.last_seen))",
    "WITH incoming AS (SELECT DISTINCT ON (i.key) i.* FROM jsonb_to_recordset($1 -> 'access_patterns') AS i(key bigint,"
    "  schema text, name text, index_name text, pattern text, extent_blocks int, seen float8, issued float8,"
    "  used float8, wasted float8, transitions int, last_seen float8, state text)"
    "  WHERE $2 IS NOT NULL ORDER BY i.key, i.last_seen DESC),"
    " older AS (DELETE FROM query_shaper.access_pattern_data a USING incoming i WHERE a.key = i.key"
    "  AND a.last_seen < to_timestamp(i.last_seen))"
    " INSERT INTO query_shaper.access_pattern_data (key, schema, name, index_name, pattern, extent_blocks, seen,"
    "  issued, used, wasted, transitions, last_seen, state) SELECT i.key, i.schema, i.name, i.index_name, i.pattern,"
    "  i.extent_blocks, i.seen, i.issued, i.used, i.wasted, i.transitions, to_timestamp(i.last_seen),"
    "  decode(i.state, 'base64') FROM incoming i WHERE NOT EXISTS (SELECT FROM query_shaper.access_pattern_data a"
    "  WHERE a.key = i.key AND a.last_seen >= to_timestamp(i.last_seen))",
};

QUERY_SHAPER_FUNCTION(query_shaper_export_knowledge) {
  RequireSharedState();
  MemoryContext const result_context = CurrentMemoryContext;
  Oid types[3] = {TEXTOID, INT4OID, TEXTOID};
  Datum values[3] = {CStringGetTextDatum(kFormatName), Int32GetDatum(kFormatVersion),
                     CStringGetTextDatum(QUERY_SHAPER_VERSION)};
  const CallerIdentity caller = BecomeTablesOwner();
  SPI_connect();
  const int result = SPI_execute_with_args(kExport, 3, types, values, nullptr, true, 1);
  if (result != SPI_OK_SELECT || SPI_processed != 1)
    elog(ERROR, "could not read the extension's tables: %s", SPI_result_code_string(result));
  bool null = false;
  const Datum exported = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
  MemoryContext const spi_context = MemoryContextSwitchTo(result_context);
  const Datum copy = datumCopy(exported, false, -1);
  MemoryContextSwitchTo(spi_context);
  SPI_finish();
  BecomeCaller(caller);
  return copy;
}

QUERY_SHAPER_FUNCTION(query_shaper_import_knowledge) {
  RequireSharedState();
  Jsonb* const document = PG_GETARG_JSONB_P(0);
  CheckHeader(document);
  CheckSection(document, "history", kHistoryFields);
  CheckSection(document, "profiles", kProfileFields);
  CheckSection(document, "models", kModelFields);
  // Older documents lack these.
  if (Has(document, "row_estimates")) CheckSection(document, "row_estimates", kRowFields);
  if (Has(document, "known_plans")) CheckSection(document, "known_plans", kPlanFields);
  if (Has(document, "access_patterns")) CheckSection(document, "access_patterns", kAccessFields);
  Oid types[2] = {JSONBOID, OIDOID};
  Datum values[2] = {JsonbPGetDatum(document), ObjectIdGetDatum(GetUserId())};
  const CallerIdentity caller = BecomeTablesOwner();
  SPI_connect();
  LockKnowledge("import_knowledge()");
  for (const char* sql : kImport) RunOnTables(sql, 2, types, values);
  SPI_finish();
  BecomeCaller(caller);
  ReloadAtCommit(Forget::kStored);
  PG_RETURN_VOID();
}

}  // namespace query_shaper
