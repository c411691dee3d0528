#include "pg/pg.h"

#include "server/query/query_blocks.h"

extern "C" {
#include "catalog/pg_class.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
}

namespace query_shaper {

namespace {

// What keeps the planner from merging a subquery into the query around it (see is_simple_subquery()).
bool PlannedApart(const Query* query) {
  return query->setOperations != nullptr || query->hasAggs || query->hasWindowFuncs || query->hasTargetSRFs ||
         query->groupClause != NIL || query->groupingSets != NIL || query->havingQual != nullptr ||
         query->sortClause != NIL || query->distinctClause != NIL || query->limitOffset != nullptr ||
         query->limitCount != nullptr || query->hasForUpdate || query->cteList != NIL;
}

struct Outwards {
  int depth;
};

bool RefersOutwards(Node* node, Outwards* outwards) {
  if (node == nullptr) return false;
  if (IsA(node, Query)) {
    ++outwards->depth;
    const bool found = query_tree_walker(reinterpret_cast<Query*>(node), reinterpret_cast<bool (*)()>(RefersOutwards),
                                         outwards, QTW_EXAMINE_RTES_BEFORE);
    --outwards->depth;
    return found;
  }
  const auto outside = [&](Index levels_up) { return static_cast<int>(levels_up) >= outwards->depth; };
  switch (nodeTag(node)) {
    case T_Var:
      return outside(reinterpret_cast<Var*>(node)->varlevelsup);
    case T_Aggref:
      if (outside(reinterpret_cast<Aggref*>(node)->agglevelsup)) return true;
      break;
    case T_GroupingFunc:
      if (outside(reinterpret_cast<GroupingFunc*>(node)->agglevelsup)) return true;
      break;
    case T_RangeTblEntry: {
      const auto* const entry = reinterpret_cast<RangeTblEntry*>(node);
      // QTW_EXAMINE_RTES_BEFORE: the walker goes on into the entry by itself.
      return entry->rtekind == RTE_CTE && outside(entry->ctelevelsup);
    }
    default:
      break;
  }
  return expression_tree_walker(node, reinterpret_cast<bool (*)()>(RefersOutwards), outwards);
}

bool StandsAlone(Query* query) {
  Outwards outwards = {0};
  return query->commandType == CMD_SELECT && !RefersOutwards(reinterpret_cast<Node*>(query), &outwards);
}

void AddBlocks(Query* query, bool apart, List** blocks) {
  const ListCell* cell;
  check_stack_depth();
  foreach (cell, query->cteList) {
    auto* const cte = lfirst_node(CommonTableExpr, cell);
    auto* const inner = castNode(Query, cte->ctequery);
    if (!cte->cterecursive) AddBlocks(inner, true, blocks);
  }
  foreach (cell, query->rtable) {
    const auto* const entry = lfirst_node(RangeTblEntry, cell);
    if (entry->rtekind != RTE_SUBQUERY || entry->subquery == nullptr) continue;
    AddBlocks(entry->subquery, query->setOperations != nullptr || PlannedApart(entry->subquery), blocks);
  }
  if (apart && query->setOperations == nullptr && query->jointree->fromlist != NIL && StandsAlone(query))
    *blocks = lappend(*blocks, query);
}

void AddTables(Query* query, Node* item, List** tables) {
  check_stack_depth();
  switch (nodeTag(item)) {
    case T_FromExpr: {
      const ListCell* cell;
      foreach (cell, reinterpret_cast<FromExpr*>(item)->fromlist)
        AddTables(query, static_cast<Node*>(lfirst(cell)), tables);
      break;
    }
    case T_JoinExpr: {
      const auto* const join = reinterpret_cast<JoinExpr*>(item);
      if (join->jointype == JOIN_INNER || join->jointype == JOIN_LEFT) AddTables(query, join->larg, tables);
      if (join->jointype == JOIN_INNER || join->jointype == JOIN_RIGHT) AddTables(query, join->rarg, tables);
      break;
    }
    case T_RangeTblRef: {
      RangeTblEntry* const entry = rt_fetch(reinterpret_cast<RangeTblRef*>(item)->rtindex, query->rtable);
      if (entry->rtekind == RTE_RELATION && entry->tablesample == nullptr &&
          (entry->relkind == RELKIND_RELATION || entry->relkind == RELKIND_MATVIEW ||
           entry->relkind == RELKIND_PARTITIONED_TABLE))
        *tables = lappend(*tables, entry);
      else if (entry->rtekind == RTE_SUBQUERY && !PlannedApart(entry->subquery) && !entry->security_barrier &&
               !entry->lateral)
        AddTables(entry->subquery, reinterpret_cast<Node*>(entry->subquery->jointree), tables);
      break;
    }
    default:
      break;
  }
}

}  // namespace

Query* CopyQuery(const Query* query) { return static_cast<Query*>(copyObjectImpl(query)); }

List* FindBlocks(const Query* query) {
  List* blocks = NIL;
  AddBlocks(const_cast<Query*>(query), true, &blocks);
  return blocks;
}

Query* JoinsOnly(const Query* block) {
  Query* const joins = CopyQuery(block);
  joins->queryId = 0;  // nameless, it stays out of pg_stat_statements
  // The columns stay: a join that nobody looks at would be removed.
  List* const columns = pull_var_clause(reinterpret_cast<Node*>(list_make2(joins->targetList, joins->havingQual)),
                                        PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS | PVC_RECURSE_PLACEHOLDERS);
  joins->targetList = NIL;
  const ListCell* cell;
  foreach (cell, columns)
    joins->targetList = lappend(
        joins->targetList, makeTargetEntry(static_cast<Expr*>(lfirst(cell)),
                                           static_cast<AttrNumber>(foreach_current_index(cell) + 1), nullptr, false));
  joins->groupClause = joins->groupingSets = joins->windowClause = joins->distinctClause = joins->sortClause = NIL;
  joins->havingQual = joins->limitOffset = joins->limitCount = nullptr;
  joins->hasAggs = joins->hasWindowFuncs = joins->hasTargetSRFs = joins->hasDistinctOn = false;
  return joins;
}

List* FindSampleable(Query* block) {
  List* tables = NIL;
  AddTables(block, reinterpret_cast<Node*>(block->jointree), &tables);
  return tables;
}

}  // namespace query_shaper
