#include "pg/pg.h"

#include "server/query/query_levels.h"

namespace query_shaper {
namespace {

constexpr uint64 kNumbered = UINT64CONST(0x7175657279000000);  // far from chance
constexpr uint64 kNumberMask = 0xffff;

void NumberBelow(Query* query, uint64* last);

void Number(Query* query, uint64* last) {
  // Beyond the mask they stay without.
  query->queryId = *last < kNumberMask ? kNumbered | ++*last : 0;
  NumberBelow(query, last);
}

void NumberBelow(Query* query, uint64* last) {
  check_stack_depth();
  ListCell* cell;
  foreach (cell, query->cteList) {
    auto* cte = lfirst_node(CommonTableExpr, cell);
    if (IsA(cte->ctequery, Query)) Number(reinterpret_cast<Query*>(cte->ctequery), last);
  }
  foreach (cell, query->rtable) {
    auto* entry = lfirst_node(RangeTblEntry, cell);
    if (entry->rtekind == RTE_SUBQUERY && entry->subquery != nullptr) Number(entry->subquery, last);
  }
}

}  // namespace

void NumberLevels(Query* query) {
  uint64 last = 0;
  NumberBelow(query, &last);
}

int LevelNumber(const PlannerInfo* root) {
  if (root->parent_root == nullptr) return 0;
  uint64 id = root->parse->queryId;
  // min() and max() by an index are planned as a changed copy of the query, below it.
  if ((id & ~kNumberMask) != kNumbered || root->parent_root->parse->queryId == id) return -1;
  return static_cast<int>(id & kNumberMask);
}

}  // namespace query_shaper
