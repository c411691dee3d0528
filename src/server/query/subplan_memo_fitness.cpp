// Which subplans may be answered from memory: those that give the same rows for the same parameters within a statement.
#include "pg/pg.h"

#include "server/prefetch_plan.h"
#include "server/query/subplan_memo_node.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_proc.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace query_shaper {
namespace {

constexpr const char* kVolatile = "a volatile function in the subplan";

bool VolatileFunction(Oid function) { return OidIsValid(function) && func_volatile(function) == PROVOLATILE_VOLATILE; }

// pg_proc calls every aggregate immutable, whatever its functions are.
bool VolatileAggregate(Oid aggregate) {
  HeapTuple tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));
  if (!HeapTupleIsValid(tuple)) return VolatileFunction(aggregate);
  auto* form = reinterpret_cast<Form_pg_aggregate>(GETSTRUCT(tuple));
  bool found = VolatileFunction(form->aggtransfn) || VolatileFunction(form->aggfinalfn) ||
               VolatileFunction(form->aggmtransfn) || VolatileFunction(form->aggminvtransfn) ||
               VolatileFunction(form->aggmfinalfn) || VolatileFunction(form->aggcombinefn);
  ReleaseSysCache(tuple);
  return found;
}

bool AggregateWalker(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, Aggref) && VolatileAggregate(reinterpret_cast<Aggref*>(node)->aggfnoid)) return true;
  if (IsA(node, WindowFunc) && VolatileAggregate(reinterpret_cast<WindowFunc*>(node)->winfnoid)) return true;
  return expression_tree_walker(node, reinterpret_cast<bool (*)()>(AggregateWalker), context);
}

template <class Expression>
bool Volatile(Expression* expression) {
  auto* node = const_cast<Node*>(reinterpret_cast<const Node*>(expression));
  return node != nullptr && (contain_volatile_functions(node) || AggregateWalker(node, nullptr));
}

template <class... Expression>
const char* Check(Expression*... expressions) {
  return (Volatile(expressions) || ...) ? kVolatile : nullptr;
}

// Whitelist: what is not known here has rows of its own making (foreign and sampled scans, other modules' nodes), side
// effects (ModifyTable, LockRows) or processes that outlive a run (Gather).
const char* NodeRefusal(PlanState* state) {
  Plan* plan = state->plan;
  if (const char* refusal = Check(plan->targetlist, plan->qual)) return refusal;
  switch (nodeTag(plan)) {
    case T_Append:
    case T_MergeAppend:
    case T_SeqScan:
    case T_BitmapAnd:
    case T_BitmapOr:
    case T_SubqueryScan:
    case T_Material:
    case T_Sort:
    case T_IncrementalSort:
    case T_Agg:
    case T_Group:
    case T_Unique:
    case T_SetOp:
    case T_ProjectSet:
    case T_CteScan:
    case T_RecursiveUnion:
    case T_WorkTableScan:
    case T_NamedTuplestoreScan:
      return nullptr;
    case T_Result:
      return Check(reinterpret_cast<Result*>(plan)->resconstantqual);
    case T_Memoize:
      return Check(reinterpret_cast<Memoize*>(plan)->param_exprs);
    case T_Hash:
      return Check(reinterpret_cast<Hash*>(plan)->hashkeys);
    case T_IndexScan:
      return Check(reinterpret_cast<IndexScan*>(plan)->indexqual, reinterpret_cast<IndexScan*>(plan)->indexorderby);
    case T_IndexOnlyScan:
      return Check(reinterpret_cast<IndexOnlyScan*>(plan)->indexqual,
                   reinterpret_cast<IndexOnlyScan*>(plan)->indexorderby);
    case T_BitmapIndexScan:
      return Check(reinterpret_cast<BitmapIndexScan*>(plan)->indexqual);
    case T_BitmapHeapScan:
      return Check(reinterpret_cast<BitmapHeapScan*>(plan)->bitmapqualorig);
    case T_TidScan:
      return Check(reinterpret_cast<TidScan*>(plan)->tidquals);
    case T_TidRangeScan:
      return Check(reinterpret_cast<TidRangeScan*>(plan)->tidrangequals);
    case T_FunctionScan:
      return Check(reinterpret_cast<FunctionScan*>(plan)->functions);
    case T_TableFuncScan:
      return Check(reinterpret_cast<TableFuncScan*>(plan)->tablefunc);
    case T_ValuesScan:
      return Check(reinterpret_cast<ValuesScan*>(plan)->values_lists);
    case T_Limit:
      return Check(reinterpret_cast<Limit*>(plan)->limitOffset, reinterpret_cast<Limit*>(plan)->limitCount);
    case T_WindowAgg:
      return Check(reinterpret_cast<WindowAgg*>(plan)->startOffset, reinterpret_cast<WindowAgg*>(plan)->endOffset,
                   reinterpret_cast<WindowAgg*>(plan)->runCondition);
    case T_NestLoop:  // its parameters are columns
      return Check(reinterpret_cast<Join*>(plan)->joinqual);
    case T_MergeJoin:
      return Check(reinterpret_cast<Join*>(plan)->joinqual, reinterpret_cast<MergeJoin*>(plan)->mergeclauses);
    case T_HashJoin:
      return Check(reinterpret_cast<Join*>(plan)->joinqual, reinterpret_cast<HashJoin*>(plan)->hashclauses);
    case T_ForeignScan:
      return "a foreign scan in the subplan";
    case T_SampleScan:
      return "a sampled scan in the subplan";
    case T_CustomScan:
      return IsMemo(state) || PlanReadAhead(plan) != nullptr ? nullptr : "a custom scan in the subplan";
    default:
      return "a kind of node in the subplan whose rows may differ from run to run";
  }
}

bool FitnessWalker(PlanState* state, const char** refusal) {
  if (state == nullptr) return false;
  *refusal = NodeRefusal(state);
  return *refusal != nullptr || planstate_tree_walker(state, reinterpret_cast<bool (*)()>(FitnessWalker), refusal);
}

}  // namespace

const char* MemoRefusal(PlanState* subplan) {
  const char* refusal = nullptr;
  FitnessWalker(subplan, &refusal);
  return refusal;
}

}  // namespace query_shaper
