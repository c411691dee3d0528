#include "core/plan/plan_tree.h"

namespace query_shaper {

const char* OperatorName(Operator op) {
  static constexpr const char* kNames[] = {
      "Other",
      "Result",
      "ProjectSet",
      "ModifyTable",
      "Append",
      "Merge Append",
      "Recursive Union",
      "BitmapAnd",
      "BitmapOr",
      "Nested Loop",
      "Merge Join",
      "Hash Join",
      "Seq Scan",
      "Sample Scan",
      "Index Scan",
      "Index Only Scan",
      "Bitmap Index Scan",
      "Bitmap Heap Scan",
      "Tid Scan",
      "Tid Range Scan",
      "Subquery Scan",
      "Function Scan",
      "Values Scan",
      "Table Function Scan",
      "CTE Scan",
      "Named Tuplestore Scan",
      "WorkTable Scan",
      "Foreign Scan",
      "Custom Scan",
      "Materialize",
      "Memoize",
      "Sort",
      "Incremental Sort",
      "Group",
      "Aggregate",
      "WindowAgg",
      "Unique",
      "Gather",
      "Gather Merge",
      "Hash",
      "SetOp",
      "LockRows",
      "Limit",
  };
  static_assert(sizeof(kNames) / sizeof(kNames[0]) == static_cast<int>(Operator::kCount));
  const int index = static_cast<int>(op);
  return index < static_cast<int>(Operator::kCount) ? kNames[index] : kNames[0];
}

}  // namespace query_shaper
