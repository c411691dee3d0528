#include "pg/pg.h"

#include "core/base/hash.h"
#include "core/plan/normalise.h"
#include "server/query/statement_name.h"

#include "server/query/plan_note.h"
#include "server/shared_state.h"
extern "C" {
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "utils/queryjumble.h"
}

namespace query_shaper {

struct PendingName {
  MemoryContextCallback gone;  // when the trees go
  const PlannedStmt* statement;
  uint64 query_id;  // 0: not made yet
  // Of the query before it was planned. The planner replaces these trees, it does not change them.
  List* targets;
  List* from;
  Node* quals;
  LimitOption limit;
  Oid relation;
  bool inherits;
};

namespace {

post_parse_analyze_hook_type previous_analyze;

// Between its analysis and its planning: the query whose identifier was not made; null: another was analysed since.
const Query* unnamed_query = nullptr;
const char* unnamed_text = nullptr;

PendingName* nameless = nullptr;  // of the statement that was planned last without an identifier, while its trees exist

void Jumble(Query* query, const char* text) {
  // JumbleQuery() insists on being asked for by somebody.
  const bool wanted = query_id_enabled;
  JumbleState* volatile state = nullptr;
  query_id_enabled = true;
  PG_TRY();
  { state = JumbleQuery(query, text); }
  PG_FINALLY();
  { query_id_enabled = wanted; }
  PG_END_TRY();
  if (state == nullptr) return;
  pfree(state->clocations);
  pfree(state->jumble);
  pfree(state);
}

EVERY_STATEMENT bool IsColumnOrConstant(const Node* node) {
  if (IsA(node, RelabelType)) node = reinterpret_cast<const Node*>(reinterpret_cast<const RelabelType*>(node)->arg);
  return IsA(node, Var) || IsA(node, Const);
}

EVERY_STATEMENT bool Compares(const Node* node) {
  if (!IsA(node, OpExpr)) return false;
  const List* const sides = reinterpret_cast<const OpExpr*>(node)->args;
  return list_length(sides) == 2 && IsColumnOrConstant(static_cast<const Node*>(linitial(sides))) &&
         IsColumnOrConstant(static_cast<const Node*>(lsecond(sides)));
}

EVERY_STATEMENT bool ComparesOnly(const Node* quals) {
  if (quals == nullptr) return false;
  if (!IsA(quals, BoolExpr)) return Compares(quals);
  const auto* const both = reinterpret_cast<const BoolExpr*>(quals);
  if (both->boolop != AND_EXPR) return false;
  const ListCell* cell;
  foreach (cell, both->args)
    if (!Compares(static_cast<const Node*>(lfirst(cell)))) return false;
  return true;
}

// Columns of one table, by comparisons. The rewriter leaves such a query as it is, but for row security, which no
// identifier is made of. (Window functions, and functions that return sets, are targets.)
EVERY_STATEMENT bool IsPointQuery(const Query* query) {
  if (query->commandType != CMD_SELECT || list_length(query->rtable) != 1) return false;
  if (query->hasAggs || query->hasSubLinks || query->cteList != NIL || query->groupClause != NIL ||
      query->groupingSets != NIL || query->havingQual != nullptr || query->distinctClause != NIL ||
      query->sortClause != NIL || query->windowClause != NIL || query->limitOffset != nullptr ||
      query->limitCount != nullptr || query->rowMarks != NIL || query->setOperations != nullptr)
    return false;
  const auto* const entry = linitial_node(RangeTblEntry, query->rtable);
  if (entry->rtekind != RTE_RELATION || entry->relkind != RELKIND_RELATION || entry->tablesample != nullptr)
    return false;
  if (list_length(query->jointree->fromlist) != 1 || !ComparesOnly(query->jointree->quals)) return false;
  const ListCell* cell;
  foreach (cell, query->targetList)
    if (!IsA(lfirst_node(TargetEntry, cell)->expr, Var)) return false;
  return true;
}

// A query that clients send as text is planned once, at once, and its trees outlive its run. (One that is prepared, or
// a function's, is analysed once for many runs.)
EVERY_STATEMENT bool CanStayUnnamed(const ParseState* state, const Query* query) {
  return state->p_sourcetext == debug_query_string && state->p_paramref_hook == nullptr && IsPointQuery(query);
}

EVERY_STATEMENT void AnalyzeHook(ParseState* state, Query* query, JumbleState* jumbled) {
  unnamed_query = nullptr;
  if (query->queryId == 0 && compute_query_id != COMPUTE_QUERY_ID_OFF && !IsQueryIdEnabled()) {
    if (CanStayUnnamed(state, query)) {
      unnamed_query = query;
      unnamed_text = state->p_sourcetext;
    } else {
      Jumble(query, state->p_sourcetext);
      // EXPLAIN shows it, and plans a copy.
      if (query->utilityStmt != nullptr && IsA(query->utilityStmt, ExplainStmt)) {
        auto* const explained = reinterpret_cast<Query*>(reinterpret_cast<ExplainStmt*>(query->utilityStmt)->query);
        if (explained->queryId == 0) Jumble(explained, state->p_sourcetext);
      }
    }
  }
  if (previous_analyze != nullptr) previous_analyze(state, query, jumbled);
}

int64_t NameByText(const PlannedStmt* statement, const char* source_text) {
  if (source_text == nullptr) return 0;
  static char normalised[kStoredTextBytes];
  int location = statement->stmt_location;
  int length = statement->stmt_len;
  const char* text = CleanQuerytext(source_text, &location, &length);
  size_t written = NormaliseStatement(text, static_cast<size_t>(length), normalised, sizeof normalised);
  return static_cast<int64_t>(HashBytes(normalised, Min(written, sizeof normalised - 1)));
}

}  // namespace

EVERY_STATEMENT PendingName* TakePendingName(Query* query, const char* source_text) {
  if (unnamed_query == nullptr) return nullptr;
  // What was analysed may never have been planned, and another query lie where it lay.
  const bool pending = unnamed_query == query && unnamed_text == source_text && query->queryId == 0 &&
                       query->commandType == CMD_SELECT && query->rtable != NIL && query->jointree != nullptr;
  unnamed_query = nullptr;
  if (!pending) return nullptr;
  const auto* const entry = linitial_node(RangeTblEntry, query->rtable);
  if (entry->rtekind != RTE_RELATION) return nullptr;
  // What it points to and it itself go together.
  MemoryContext trees = GetMemoryChunkContext(query);
  auto* const name = static_cast<PendingName*>(MemoryContextAlloc(trees, sizeof(PendingName)));
  name->statement = nullptr;
  name->query_id = 0;
  name->targets = query->targetList;
  name->from = query->jointree->fromlist;
  name->quals = query->jointree->quals;
  name->limit = query->limitOption;
  name->relation = entry->relid;
  name->inherits = entry->inh;
  if (!query->hasSubLinks) return name;
  // Row security has made more of it than a point query.
  query->queryId = MakeName(name);
  return nullptr;
}

uint64 MakeName(PendingName* pending) {
  if (pending->query_id != 0 || compute_query_id == COMPUTE_QUERY_ID_OFF) return pending->query_id;
  MemoryContext caller = MemoryContextSwitchTo(GetMemoryChunkContext(pending));
  RangeTblEntry* const entry = makeNode(RangeTblEntry);
  entry->rtekind = RTE_RELATION;
  entry->relid = pending->relation;
  entry->inh = pending->inherits;
  Query* const query = makeNode(Query);
  query->commandType = CMD_SELECT;
  query->rtable = list_make1(entry);
  query->jointree = makeFromExpr(pending->from, pending->quals);
  query->targetList = pending->targets;
  query->limitOption = pending->limit;
  Jumble(query, nullptr);
  pending->query_id = query->queryId;
  MemoryContextSwitchTo(caller);
  return pending->query_id;
}

uint64 NameTextless(Query* query, const char* source_text) {
  if (query->queryId != 0 || source_text == nullptr || source_text[0] != '\0') return 0;
  Jumble(query, source_text);
  const uint64 name = query->queryId;
  query->queryId = 0;
  return name;
}

EVERY_STATEMENT uint64 UnnamedOn(Oid relation) { return static_cast<uint64>(MyDatabaseId) << 32 | relation; }

EVERY_STATEMENT uint64 UnnamedOn(const PendingName* pending) { return UnnamedOn(pending->relation); }

EVERY_STATEMENT void RunNameless(PendingName* pending, const PlannedStmt* statement) {
  pending->statement = statement;
  pending->gone.func = [](void* arg) {
    if (nameless == arg) nameless = nullptr;
  };
  pending->gone.arg = pending;
  MemoryContextRegisterResetCallback(GetMemoryChunkContext(pending), &pending->gone);
  nameless = pending;
}

PendingName* PendingNameOf(const PlannedStmt* statement) {
  return nameless != nullptr && nameless->statement == statement ? nameless : nullptr;
}

int64_t NameOf(const PlannedStmt* statement, const char* source_text) {
  uint64 query_id = statement->queryId;
  PendingName* const pending = query_id == 0 ? PendingNameOf(statement) : nullptr;
  if (pending != nullptr) query_id = MakeName(pending);
  if (query_id == 0) {
    const PlanNote* const note = NoteOf(statement);
    if (note != nullptr) query_id = note->name;
  }
  return query_id != 0 ? static_cast<int64_t>(query_id) : NameByText(statement, source_text);
}

void InstallStatementNames() {
  previous_analyze = post_parse_analyze_hook;
  post_parse_analyze_hook = AnalyzeHook;
}

}  // namespace query_shaper
