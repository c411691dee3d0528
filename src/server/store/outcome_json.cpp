#include "pg/pg.h"

#include "server/store/outcome_json.h"

#include "core/report/operator_title.h"

#include <cmath>

extern "C" {
#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
}

namespace query_shaper {

namespace {

// JSON knows neither NaN nor infinity.
void AppendNumber(StringInfo out, double value) {
  if (std::isfinite(value)) {
    appendStringInfo(out, "%.10g", value);
  } else {
    appendStringInfoString(out, "null");
  }
}

void AppendKey(StringInfo out, const char* name) {
  const char last = out->len > 0 ? out->data[out->len - 1] : '\0';
  if (last != '{' && last != '[') appendStringInfoChar(out, ',');
  appendStringInfo(out, "\"%s\":", name);
}

void AppendMember(StringInfo out, const char* name, double value) {
  AppendKey(out, name);
  AppendNumber(out, value);
}

void AppendMember(StringInfo out, const char* name, int64 value) {
  AppendKey(out, name);
  appendStringInfo(out, INT64_FORMAT, value);
}

void AppendMember(StringInfo out, const char* name, bool value) {
  AppendKey(out, name);
  appendStringInfoString(out, value ? "true" : "false");
}

void AppendMember(StringInfo out, const char* name, const char* value) {
  AppendKey(out, name);
  if (value == nullptr) {
    appendStringInfoString(out, "null");
  } else {
    escape_json(out, value);
  }
}

// Negative stands for unknown.
void AppendKnown(StringInfo out, const char* name, double value) {
  if (value >= 0) {
    AppendMember(out, name, value);
  } else {
    AppendMember(out, name, static_cast<const char*>(nullptr));
  }
}

const char* RelationName(Oid relation) {
  if (!OidIsValid(relation)) return nullptr;
  const char* const name = get_rel_name(relation);
  if (name == nullptr) return nullptr;
  const char* const schema = get_namespace_name(get_rel_namespace(relation));
  return quote_qualified_identifier(schema, name);
}

void AppendNodes(const OutcomeRecord& outcome, StringInfo out) {
  AppendKey(out, "nodes");
  appendStringInfoChar(out, '[');
  for (int i = 0; i < outcome.node_count; ++i) {
    const NodeOutcome& node = outcome.nodes[i];
    if (i > 0) appendStringInfoChar(out, ',');
    appendStringInfoChar(out, '{');
    AppendMember(out, "node_id", static_cast<int64>(node.node_id));
    AppendMember(out, "parent_id", static_cast<int64>(node.parent_id));
    AppendMember(out, "depth", static_cast<int64>(node.depth));
    AppendMember(out, "operator", OperatorTitle(node.op, node.join, node.agg));
    AppendMember(out, "relation", RelationName(node.relation));
    AppendMember(out, "estimated_rows", static_cast<double>(node.estimated_rows));
    AppendMember(out, "refined_rows", static_cast<double>(node.refined_rows));
    AppendKnown(out, "actual_rows", CountedRows(node.op, node.actual_rows));
    AppendMember(out, "loops", node.loops);
    AppendMember(out, "memory_kb", static_cast<int64>(node.memory_kb));
    AppendKnown(out, "temp_kb", static_cast<double>(node.temp_kb));
    appendStringInfoChar(out, '}');
  }
  appendStringInfoChar(out, ']');
}

void AppendTrace(const OutcomeRecord& outcome, StringInfo out) {
  AppendKey(out, "trace");
  appendStringInfoChar(out, '[');
  for (int i = 0; i < outcome.trace_count; ++i) {
    const Progress::TracePoint& point = outcome.trace[i];
    if (i > 0) appendStringInfoChar(out, ',');
    appendStringInfoChar(out, '{');
    AppendMember(out, "elapsed_ms", static_cast<double>(point.elapsed_ms));
    AppendMember(out, "progress", static_cast<double>(point.progress));
    AppendMember(out, "eta_ms", static_cast<double>(point.eta_ms));
    AppendMember(out, "low_ms", static_cast<double>(point.low_ms));
    AppendMember(out, "high_ms", static_cast<double>(point.high_ms));
    appendStringInfoChar(out, '}');
  }
  appendStringInfoChar(out, ']');
}

bool IsJsonObject(const char* text) {
  while (*text == ' ' || *text == '\t' || *text == '\n') ++text;
  if (*text != '{') return false;
  JsonLexContext* const lexer = makeJsonLexContextCstringLen(const_cast<char*>(text), static_cast<int>(strlen(text)),
                                                             GetDatabaseEncoding(), true);
  return pg_parse_json(lexer, &nullSemAction) == JSON_SUCCESS;
}

}  // namespace

const char* ValidText(const char* text) {
  const int length = static_cast<int>(strlen(text));
  if (pg_verify_mbstr(GetDatabaseEncoding(), text, length, true)) return text;
  char* const copy = pstrdup(text);
  for (char* byte = copy; *byte != '\0'; ++byte)
    if (IS_HIGHBIT_SET(*byte)) *byte = '?';
  return copy;
}

void AppendFeaturesJson(const FeatureVector& features, StringInfo out) {
  appendStringInfoChar(out, '{');
  for (int i = 0; i < kFeatureCount; ++i) AppendMember(out, FeatureName(i), features.values[i]);
  appendStringInfoChar(out, '}');
}

void AppendRunJson(const OutcomeRecord& outcome, StringInfo out) {
  const Quantity& time = outcome.made.targets[kTimeMs];
  appendStringInfoChar(out, '{');
  AppendMember(out, "started", timestamptz_to_str(outcome.started));
  AppendMember(out, "finished", timestamptz_to_str(outcome.finished));
  AppendMember(out, "nest_level", static_cast<int64>(outcome.nest_level));
  AppendMember(out, "late", outcome.late);
  AppendMember(out, "complete", outcome.actual.complete);
  AppendMember(out, "error", outcome.error_sqlstate != 0 ? unpack_sql_state(outcome.error_sqlstate) : nullptr);
  AppendKnown(out, "predicted_ms", outcome.predicted ? time.value : -1);
  AppendKnown(out, "low_ms", outcome.predicted ? time.low : -1);
  AppendKnown(out, "high_ms", outcome.predicted ? time.high : -1);
  AppendMember(out, "origin", outcome.predicted ? OriginName(outcome.made.origin) : nullptr);
  AppendMember(out, "actual_ms", outcome.actual.targets[kTimeMs]);
  AppendMember(out, "predicted_memory_kb", outcome.made.targets[kMemoryKb].value);
  AppendMember(out, "memory_kb", outcome.actual.targets[kMemoryKb]);
  AppendMember(out, "predicted_rows", outcome.made.targets[kRows].value);
  AppendMember(out, "rows", outcome.actual.targets[kRows]);
  AppendMember(out, "temp_kb", outcome.actual.targets[kTempKb]);
  AppendMember(out, "blocks_read", static_cast<int64>(outcome.blocks_read));
  AppendMember(out, "blocks_hit", static_cast<int64>(outcome.blocks_hit));
  AppendMember(out, "cpu_ms", outcome.actual.targets[kCpuMs]);
  AppendNodes(outcome, out);
  AppendTrace(outcome, out);
  appendStringInfoChar(out, '}');
}

// Every target but time, which has columns of its own: what was predicted and what was measured.
static void AppendTargets(const OutcomeRecord& outcome, StringInfo out) {
  AppendKey(out, "targets");
  appendStringInfoChar(out, '{');
  for (int t = kTimeMs + 1; t < kTargets; ++t) {
    const Target target = static_cast<Target>(t);
    AppendKey(out, TargetName(target));
    appendStringInfoChar(out, '{');
    AppendMember(out, "predicted", outcome.made.targets[t].value);
    AppendMember(out, "low", outcome.made.targets[t].low);
    AppendMember(out, "high", outcome.made.targets[t].high);
    AppendMember(out, "actual", outcome.actual.targets[t]);
    appendStringInfoChar(out, '}');
  }
  appendStringInfoChar(out, '}');
}

void AppendPredictionJson(const OutcomeRecord& outcome, StringInfo out) {
  appendStringInfoChar(out, '{');
  for (int i = 0; i < kModels; ++i)
    if (outcome.made.model_ms[i] >= 0) AppendMember(out, OriginName(static_cast<Origin>(i)), outcome.made.model_ms[i]);
  AppendMember(out, "seen", outcome.made.seen);
  AppendMember(out, "nest_level", static_cast<int64>(outcome.nest_level));
  AppendMember(out, "complete", outcome.actual.complete);
  AppendTargets(outcome, out);
  appendStringInfoChar(out, '}');
}

void AppendDetailsJson(const char* details, StringInfo out) {
  const char* const text = ValidText(details);
  if (IsJsonObject(text)) {
    appendStringInfoString(out, text);
  } else {
    appendStringInfoChar(out, '{');
    AppendMember(out, "text", text);
    appendStringInfoChar(out, '}');
  }
}

}  // namespace query_shaper
