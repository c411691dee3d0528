#include "pg/pg.h"

#include "server/query/clause_text.h"
extern "C" {
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
}

namespace query_shaper {
namespace {

struct Text {
  const QueryLevel* level;
  StringInfoData out;
  int constants;
  const char* separator;
};

void Append(Text* text, Node* node);

bool Full(const Text* text) { return text->out.len >= kRowClauseBytes; }

void AppendList(Text* text, const List* nodes, const char* between) {
  for (int i = 0; i < list_length(nodes) && !Full(text); ++i) {
    if (i > 0) appendStringInfoString(&text->out, between);
    Append(text, static_cast<Node*>(list_nth(nodes, i)));
  }
}

void AppendVar(Text* text, const Var* var) {
  PlannerInfo* root = text->level->root;
  if (var->varlevelsup != 0 || var->varno <= 0 || var->varno >= root->simple_rel_array_size ||
      root->simple_rte_array[var->varno] == nullptr) {
    appendStringInfoString(&text->out, "...");
    return;
  }
  RangeTblEntry* entry = root->simple_rte_array[var->varno];
  const char* relation = entry->rtekind == RTE_RELATION ? get_rel_name(entry->relid) : nullptr;
  if (relation == nullptr) relation = entry->eref->aliasname;
  const char* column = "*";
  if (entry->rtekind == RTE_RELATION && var->varattno != 0)
    column = get_attname(entry->relid, var->varattno, true);
  else if (var->varattno > 0 && var->varattno <= list_length(entry->eref->colnames))
    column = strVal(list_nth(entry->eref->colnames, var->varattno - 1));
  appendStringInfo(&text->out, "%s.%s", relation, column ? column : "?");
}

void AppendOperator(Text* text, Oid op, const List* args, const char* suffix) {
  const char* name = get_opname(op);
  if (name == nullptr) name = "?";
  appendStringInfoChar(&text->out, '(');
  if (list_length(args) == 2) {
    Append(text, static_cast<Node*>(linitial(args)));
    appendStringInfo(&text->out, " %s %s", name, suffix);
    Append(text, static_cast<Node*>(lsecond(args)));
  } else {
    appendStringInfo(&text->out, "%s ", name);
    AppendList(text, args, ", ");
  }
  appendStringInfoChar(&text->out, ')');
}

void AppendBool(Text* text, const BoolExpr* expression) {
  appendStringInfoChar(&text->out, '(');
  if (expression->boolop == NOT_EXPR) appendStringInfoString(&text->out, "NOT ");
  AppendList(text, expression->args, expression->boolop == OR_EXPR ? " OR " : " AND ");
  appendStringInfoChar(&text->out, ')');
}

void Append(Text* text, Node* node) {
  if (node == nullptr || Full(text)) return;
  check_stack_depth();
  switch (nodeTag(node)) {
    case T_RestrictInfo:
      Append(text, reinterpret_cast<Node*>(reinterpret_cast<RestrictInfo*>(node)->clause));
      break;
    case T_RelabelType:
      Append(text, reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(node)->arg));
      break;
    case T_PlaceHolderVar:
      Append(text, reinterpret_cast<Node*>(reinterpret_cast<PlaceHolderVar*>(node)->phexpr));
      break;
    case T_Var:
      AppendVar(text, reinterpret_cast<Var*>(node));
      break;
    case T_Const:
    case T_Param:
      appendStringInfo(&text->out, "$%d", ++text->constants);
      break;
    case T_OpExpr:
      AppendOperator(text, reinterpret_cast<OpExpr*>(node)->opno, reinterpret_cast<OpExpr*>(node)->args, "");
      break;
    case T_ScalarArrayOpExpr: {
      auto* op = reinterpret_cast<ScalarArrayOpExpr*>(node);
      AppendOperator(text, op->opno, op->args, op->useOr ? "ANY " : "ALL ");
      break;
    }
    case T_BoolExpr:
      AppendBool(text, reinterpret_cast<BoolExpr*>(node));
      break;
    case T_NullTest:
      Append(text, reinterpret_cast<Node*>(reinterpret_cast<NullTest*>(node)->arg));
      appendStringInfoString(&text->out,
                             reinterpret_cast<NullTest*>(node)->nulltesttype == IS_NULL ? " IS NULL" : " IS NOT NULL");
      break;
    case T_FuncExpr: {
      auto* call = reinterpret_cast<FuncExpr*>(node);
      const char* name = get_func_name(call->funcid);
      appendStringInfo(&text->out, "%s(", name ? name : "?");
      AppendList(text, call->args, ", ");
      appendStringInfoChar(&text->out, ')');
      break;
    }
    case T_RangeTblFunction:
      Append(text, reinterpret_cast<RangeTblFunction*>(node)->funcexpr);
      break;
    default:
      appendStringInfoString(&text->out, "...");
      break;
  }
}

void AppendClauses(Text* text, const List* clauses) {
  if (clauses == NIL) return;
  if (text->out.len > 0) appendStringInfoString(&text->out, " AND ");
  AppendList(text, clauses, " AND ");
}

void AppendClasses(Text* text, Relids relids) {
  ListCell* cell;
  foreach (cell, text->level->root->eq_classes) {
    auto* equal = static_cast<EquivalenceClass*>(lfirst(cell));
    if (equal->ec_merged != nullptr || equal->ec_has_const || equal->ec_has_volatile) continue;
    List* members = NIL;
    ListCell* inner;
    foreach (inner, equal->ec_members) {
      auto* member = static_cast<EquivalenceMember*>(lfirst(inner));
      if (!member->em_is_const && !member->em_is_child && !bms_is_empty(member->em_relids) &&
          bms_is_subset(member->em_relids, relids))
        members = lappend(members, member->em_expr);
    }
    if (list_length(members) < 2) continue;
    if (text->out.len > 0) appendStringInfoString(&text->out, " AND ");
    AppendList(text, members, " = ");
  }
}

}  // namespace

char* ClauseText(const QueryLevel* level, Relids relids, RowKind kind, const List* clauses) {
  PlannerInfo* root = level->root;
  Text text = {};
  text.level = level;
  initStringInfo(&text.out);
  List* joins = NIL;
  int relation = -1;
  while ((relation = bms_next_member(relids, relation)) >= 0) {
    RelOptInfo* rel = root->simple_rel_array[relation];
    if (rel == nullptr) continue;
    if (kind == RowKind::kFunction) AppendList(&text, root->simple_rte_array[relation]->functions, ", ");
    AppendClauses(&text, rel->baserestrictinfo);
    joins = list_concat_unique_ptr(joins, rel->joininfo);
  }
  if (bms_membership(relids) == BMS_MULTIPLE) {
    AppendClasses(&text, relids);
    List* inside = NIL;
    ListCell* cell;
    foreach (cell, joins)
      if (bms_is_subset(static_cast<RestrictInfo*>(lfirst(cell))->required_relids, relids))
        inside = lappend(inside, lfirst(cell));
    AppendClauses(&text, inside);
  }
  if (kind == RowKind::kLookup) AppendClauses(&text, clauses);
  if (kind == RowKind::kGroup) {
    List* targets = root->processed_tlist != NIL ? root->processed_tlist : root->parse->targetList;
    if (text.out.len > 0) appendStringInfoChar(&text.out, ' ');
    appendStringInfoString(&text.out, "BY ");
    AppendList(&text, get_sortgrouplist_exprs(const_cast<List*>(clauses), targets), ", ");
  }
  // Cut between characters: the text goes to a table.
  text.out.data[pg_mbcliplen(text.out.data, text.out.len, kRowClauseBytes - 1)] = '\0';
  return text.out.len > 0 ? text.out.data : nullptr;
}

}  // namespace query_shaper
