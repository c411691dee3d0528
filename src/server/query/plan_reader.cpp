#include "pg/pg.h"

#include "core/base/hash.h"
#include "server/prefetch_plan.h"
#include "server/query/plan_keys.h"
#include "server/query/plan_reader.h"
extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_class.h"
#include "executor/nodeHash.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "storage/buf_internals.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace query_shaper {
namespace {

constexpr int kCacheProbes = 12;

struct Reader {
  const PlannedStmt* statement;
  ReadDepth depth;
  PlanTree* tree;
  bool subplan_read[kMaxPlanNodes];  // by plan_id - 1
};

struct ExpressionFacts {
  Reader* reader;
  int aggregates;
  int sorted_inputs;
  double compare_ns;  // of the dearest of them
  double call_ns;     // of all of them
  int subplans[16];
  int subplan_count;
};

bool WalkExpression(Node* node, ExpressionFacts* facts) {
  if (node == nullptr) return false;
  if (IsA(node, Aggref)) {
    Aggref* call = reinterpret_cast<Aggref*>(node);
    ++facts->aggregates;
    facts->call_ns += ExtremeNs(call);
    List* order = call->aggdistinct != NIL ? call->aggdistinct : call->aggorder;
    if (call->aggdistinct != NIL || (order != NIL && call->aggkind == AGGKIND_NORMAL)) {
      ++facts->sorted_inputs;
      const TargetEntry* key = get_sortgroupclause_tle(linitial_node(SortGroupClause, order), call->args);
      auto* value = reinterpret_cast<Node*>(key->expr);
      facts->compare_ns = Max(facts->compare_ns, CompareNs(exprType(value), exprCollation(value)));
    }
  } else if (IsA(node, WindowFunc)) {
    ++facts->aggregates;
  } else if (IsA(node, SubPlan) && facts->subplan_count < static_cast<int>(lengthof(facts->subplans))) {
    facts->subplans[facts->subplan_count++] = reinterpret_cast<SubPlan*>(node)->plan_id;
  }
  return expression_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(WalkExpression)), facts);
}

JoinKind JoinKindOf(JoinType type) {
  switch (type) {
    case JOIN_LEFT:
      return JoinKind::kLeft;
    case JOIN_FULL:
      return JoinKind::kFull;
    case JOIN_RIGHT:
      return JoinKind::kRight;
    case JOIN_SEMI:
      return JoinKind::kSemi;
    case JOIN_ANTI:
      return JoinKind::kAnti;
    default:
      return JoinKind::kInner;
  }
}

AggStrategy AggStrategyOf(::AggStrategy strategy) {
  switch (strategy) {
    case AGG_PLAIN:
      return AggStrategy::kPlain;
    case AGG_SORTED:
      return AggStrategy::kSorted;
    case AGG_HASHED:
      return AggStrategy::kHashed;
    default:
      return AggStrategy::kMixed;
  }
}

uint64_t QualifiedNameHash(Oid relation) {
  char* name = get_rel_name(relation);
  if (name == nullptr) return 0;
  Oid schema = get_rel_namespace(relation);
  // Each session has its own schema of temporary tables; the shape is the same.
  const char* schema_name = isAnyTempNamespace(schema) ? "pg_temp" : get_namespace_name(schema);
  uint64_t h = HashBytes(name, strlen(name), schema_name ? HashBytes(schema_name, strlen(schema_name)) : 0);
  pfree(name);
  return h ? h : 1;
}

// Share of the relation in shared buffers, from probes of the buffer table at evenly spaced blocks.
double CachedShare(Form_pg_class form, BlockNumber pages) {
  if (pages == 0 || !OidIsValid(form->relfilenode)) return -1;
  if (form->relpersistence == RELPERSISTENCE_TEMP) return -1;
  RelFileNode node;
  node.spcNode = OidIsValid(form->reltablespace) ? form->reltablespace : MyDatabaseTableSpace;
  node.dbNode = form->relisshared ? InvalidOid : MyDatabaseId;
  node.relNode = form->relfilenode;
  int probes = pages < kCacheProbes ? static_cast<int>(pages) : kCacheProbes;
  int found = 0;
  for (int i = 0; i < probes; ++i) {
    BlockNumber block = static_cast<BlockNumber>((static_cast<uint64>(i) * 2 + 1) * pages / (2 * probes));
    BufferTag tag;
    INIT_BUFFERTAG(tag, node, MAIN_FORKNUM, block);
    uint32 hash = BufTableHashCode(&tag);
    LWLock* lock = BufMappingPartitionLock(hash);
    LWLockAcquire(lock, LW_SHARED);
    if (BufTableLookup(&tag, hash) >= 0) ++found;
    LWLockRelease(lock);
  }
  return static_cast<double>(found) / probes;
}

void ReadRelation(Oid relation, Oid index, PlanNode* node) {
  HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(tuple)) return;
  Form_pg_class form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
  node->relation_name = QualifiedNameHash(relation);
  node->relation_pages = form->relpages > 0 ? form->relpages : 0;
  node->relation_rows = form->reltuples > 0 ? form->reltuples : 0;
  node->cached_share = CachedShare(form, static_cast<BlockNumber>(node->relation_pages));
  ReleaseSysCache(tuple);
  if (!OidIsValid(index)) return;
  tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
  if (!HeapTupleIsValid(tuple)) return;
  form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
  node->index_name = HashBytes(NameStr(form->relname), strlen(NameStr(form->relname)));
  node->index_pages = form->relpages > 0 ? form->relpages : 0;
  ReleaseSysCache(tuple);
}

Oid ScannedIndex(const Plan* node) {
  switch (nodeTag(node)) {
    case T_IndexScan:
      return reinterpret_cast<const IndexScan*>(node)->indexid;
    case T_IndexOnlyScan:
      return reinterpret_cast<const IndexOnlyScan*>(node)->indexid;
    case T_BitmapIndexScan:
      return reinterpret_cast<const BitmapIndexScan*>(node)->indexid;
    default:
      return InvalidOid;
  }
}

// A function scan is named by its function, so that shapes over different functions differ.
uint64_t FunctionName(const FunctionScan* scan) {
  if (scan->functions == NIL) return 0;
  Node* call = linitial_node(RangeTblFunction, scan->functions)->funcexpr;
  if (call == nullptr || !IsA(call, FuncExpr)) return 0;
  char* name = get_func_name(reinterpret_cast<FuncExpr*>(call)->funcid);
  return name ? HashBytes(name, strlen(name)) : 0;
}

int ListLength(const List* list) { return list ? list->length : 0; }

void ReadOperator(const Plan* plan, const Reader* reader, PlanNode* node) {
  const double sort_kb = work_mem;
  switch (nodeTag(plan)) {
    case T_NestLoop: {
      auto* join = reinterpret_cast<const NestLoop*>(plan);
      node->join = JoinKindOf(join->join.jointype);
      node->quals += ListLength(join->join.joinqual);
      break;
    }
    case T_MergeJoin: {
      auto* join = reinterpret_cast<const MergeJoin*>(plan);
      node->join = JoinKindOf(join->join.jointype);
      node->keys = ListLength(join->mergeclauses);
      node->quals += ListLength(join->join.joinqual);
      break;
    }
    case T_HashJoin: {
      auto* join = reinterpret_cast<const HashJoin*>(plan);
      node->join = JoinKindOf(join->join.jointype);
      node->keys = ListLength(join->hashclauses);
      node->quals += ListLength(join->join.joinqual);
      break;
    }
    case T_Hash:
      node->memory_limit_kb = static_cast<double>(get_hash_memory_limit()) / 1024;
      node->keys = ListLength(reinterpret_cast<const Hash*>(plan)->hashkeys);
      break;
    case T_Agg: {
      auto* agg = reinterpret_cast<const Agg*>(plan);
      node->agg = AggStrategyOf(agg->aggstrategy);
      node->keys = agg->numCols;
      node->groups = agg->numCols > 0 ? agg->numGroups : 1;
      if (agg->aggstrategy == AGG_HASHED || agg->aggstrategy == AGG_MIXED)
        node->memory_limit_kb = static_cast<double>(get_hash_memory_limit()) / 1024;
      break;
    }
    case T_Sort:
      node->keys = reinterpret_cast<const Sort*>(plan)->numCols;
      node->memory_limit_kb = sort_kb;
      break;
    case T_IncrementalSort:
      node->keys = reinterpret_cast<const IncrementalSort*>(plan)->sort.numCols;
      node->memory_limit_kb = sort_kb;
      break;
    case T_Material:
      node->memory_limit_kb = sort_kb;
      break;
    case T_WindowAgg: {
      auto* window = reinterpret_cast<const WindowAgg*>(plan);
      node->keys = window->partNumCols + window->ordNumCols;
      break;
    }
    case T_Group:
      node->keys = reinterpret_cast<const Group*>(plan)->numCols;
      break;
    case T_Unique:
      node->keys = reinterpret_cast<const Unique*>(plan)->numCols;
      break;
    case T_Gather:
      node->workers = reinterpret_cast<const Gather*>(plan)->num_workers;
      break;
    case T_GatherMerge:
      node->workers = reinterpret_cast<const GatherMerge*>(plan)->num_workers;
      break;
    case T_IndexScan:
      node->backward = ScanDirectionIsBackward(reinterpret_cast<const IndexScan*>(plan)->indexorderdir);
      break;
    case T_Limit: {
      auto* limit = reinterpret_cast<const Limit*>(plan);
      if (limit->limitCount && IsA(limit->limitCount, Const)) {
        auto* count = reinterpret_cast<const Const*>(limit->limitCount);
        if (!count->constisnull) node->limit_rows = static_cast<double>(DatumGetInt64(count->constvalue));
        if (node->limit_rows >= 0 && limit->limitOffset && IsA(limit->limitOffset, Const)) {
          auto* offset = reinterpret_cast<const Const*>(limit->limitOffset);
          if (!offset->constisnull) node->limit_rows += static_cast<double>(DatumGetInt64(offset->constvalue));
        }
      }
      break;
    }
    default:
      break;
  }
  if (reader->depth == ReadDepth::kMemoryOnly) return;
  Oid relation = ScannedRelation(reader->statement, plan);
  if (OidIsValid(relation)) ReadRelation(relation, ScannedIndex(plan), node);
  if (IsA(plan, FunctionScan)) node->relation_name = FunctionName(reinterpret_cast<const FunctionScan*>(plan));
}

void ReadNode(Reader* reader, const Plan* plan, int parent, ChildRole role, bool under_gather, int level);

void ReadSubPlan(Reader* reader, int plan_id, int parent, ChildRole role, int level) {
  if (plan_id < 1 || plan_id > kMaxPlanNodes || plan_id > ListLength(reader->statement->subplans)) return;
  if (reader->subplan_read[plan_id - 1]) return;
  reader->subplan_read[plan_id - 1] = true;
  ReadNode(reader, static_cast<Plan*>(list_nth(reader->statement->subplans, plan_id - 1)), parent, role, false, level);
}

void ReadMembers(Reader* reader, const List* plans, int parent, bool under_gather, int level) {
  for (int i = 0; i < ListLength(plans); ++i)
    ReadNode(reader, static_cast<Plan*>(list_nth(plans, i)), parent, ChildRole::kMember, under_gather, level);
}

void ReadInitPlans(Reader* reader, const Plan* plan, int parent, int level) {
  for (int i = 0; i < ListLength(plan->initPlan); ++i)
    ReadSubPlan(reader, static_cast<SubPlan*>(list_nth(plan->initPlan, i))->plan_id, parent, ChildRole::kInitPlan,
                level);
}

void ReadNode(Reader* reader, const Plan* plan, int parent, ChildRole role, bool under_gather, int level) {
  if (plan == nullptr) return;
  // The rows of a node that reads ahead are those of the plan below, in step but for the few that a batch reads ahead:
  // they are one.
  const Plan* top = plan;
  if (PlanReadAhead(plan) != nullptr) plan = PlanReadAhead(plan);
  PlanTree* tree = reader->tree;
  if (tree->count >= kMaxPlanNodes || level > 200) {
    ++tree->left_out;
    return;
  }
  int me = tree->count++;
  PlanNode* node = &tree->nodes[me];
  *node = PlanNode();
  node->node_id = plan->plan_node_id;
  node->parent = parent;
  node->depth = static_cast<int16_t>(level);
  node->role = role;
  node->op = OperatorOf(plan);
  node->parallel_aware = plan->parallel_aware;
  node->under_gather = under_gather;
  node->width = top->plan_width;
  node->rows = plan->plan_rows;
  node->startup_cost = top->startup_cost;
  node->total_cost = top->total_cost;
  node->quals = static_cast<int16_t>(ListLength(plan->qual));
  ReadOperator(plan, reader, node);
  if (node->op == Operator::kSort && parent >= 0 && tree->nodes[parent].op == Operator::kLimit)
    node->bounded = tree->nodes[parent].limit_rows >= 0;

  ExpressionFacts facts = {};
  if (reader->depth == ReadDepth::kFull) {
    facts.reader = reader;
    WalkExpression(reinterpret_cast<Node*>(top->targetlist), &facts);
    if (top != plan) WalkExpression(reinterpret_cast<Node*>(plan->targetlist), &facts);
    WalkExpression(reinterpret_cast<Node*>(plan->qual), &facts);
    if (IsA(plan, NestLoop) || IsA(plan, HashJoin) || IsA(plan, MergeJoin)) {
      WalkExpression(reinterpret_cast<Node*>(reinterpret_cast<const Join*>(plan)->joinqual), &facts);
      node->inner_unique = reinterpret_cast<const Join*>(plan)->inner_unique;
      node->outer_unique = OuterKeyIsUnique(reader->statement, plan);
    }
    if (IsA(plan, Sort)) {
      auto* sort = reinterpret_cast<const Sort*>(plan);
      node->leading_values = LeadingValues(reader->statement, sort);
      node->compare_ns = CompareNsOf(sort);
    }
    node->aggregates = static_cast<int16_t>(facts.aggregates);
    node->call_ns = facts.call_ns;
    if (node->op == Operator::kAgg && facts.sorted_inputs > 0) {
      node->distinct_input = true;
      node->sorted_inputs = static_cast<int16_t>(facts.sorted_inputs);
      node->compare_ns = facts.compare_ns;
      if (node->memory_limit_kb <= 0) node->memory_limit_kb = work_mem;
    }
  }

  bool gather = under_gather || IsA(plan, Gather) || IsA(plan, GatherMerge);
  ReadInitPlans(reader, top, me, level + 1);
  if (top != plan) ReadInitPlans(reader, plan, me, level + 1);
  ReadNode(reader, outerPlan(plan), me, ChildRole::kOuter, gather, level + 1);
  ReadNode(reader, innerPlan(plan), me, ChildRole::kInner, gather, level + 1);
  switch (nodeTag(plan)) {
    case T_Append:
      ReadMembers(reader, reinterpret_cast<const Append*>(plan)->appendplans, me, gather, level + 1);
      break;
    case T_MergeAppend:
      ReadMembers(reader, reinterpret_cast<const MergeAppend*>(plan)->mergeplans, me, gather, level + 1);
      break;
    case T_BitmapAnd:
      ReadMembers(reader, reinterpret_cast<const BitmapAnd*>(plan)->bitmapplans, me, gather, level + 1);
      break;
    case T_BitmapOr:
      ReadMembers(reader, reinterpret_cast<const BitmapOr*>(plan)->bitmapplans, me, gather, level + 1);
      break;
    case T_SubqueryScan:
      ReadNode(reader, reinterpret_cast<const SubqueryScan*>(plan)->subplan, me, ChildRole::kOuter, gather, level + 1);
      break;
    case T_CustomScan:
      ReadMembers(reader, reinterpret_cast<const CustomScan*>(plan)->custom_plans, me, gather, level + 1);
      break;
    default:
      break;
  }
  for (int i = 0; i < facts.subplan_count; ++i)
    ReadSubPlan(reader, facts.subplans[i], me, ChildRole::kSubPlan, level + 1);
}

}  // namespace

Oid ScannedRelation(const PlannedStmt* statement, const Plan* node) {
  Index rti = 0;
  switch (nodeTag(node)) {
    case T_SeqScan:
    case T_SampleScan:
    case T_IndexScan:
    case T_IndexOnlyScan:
    case T_BitmapIndexScan:
    case T_BitmapHeapScan:
    case T_TidScan:
    case T_TidRangeScan:
    case T_ForeignScan:
    case T_CustomScan:
      rti = reinterpret_cast<const Scan*>(node)->scanrelid;
      break;
    case T_ModifyTable:
      rti = reinterpret_cast<const ModifyTable*>(node)->nominalRelation;
      break;
    default:
      break;
  }
  if (rti == 0 || rti > static_cast<Index>(ListLength(statement->rtable))) return InvalidOid;
  auto* rte = static_cast<RangeTblEntry*>(list_nth(statement->rtable, static_cast<int>(rti) - 1));
  return rte->rtekind == RTE_RELATION ? rte->relid : InvalidOid;
}

Operator OperatorOf(const Plan* node) {
  switch (nodeTag(node)) {
#define MAP(tag) \
  case T_##tag:  \
    return Operator::k##tag
    MAP(Result);
    MAP(ProjectSet);
    MAP(ModifyTable);
    MAP(Append);
    MAP(MergeAppend);
    MAP(RecursiveUnion);
    MAP(BitmapAnd);
    MAP(BitmapOr);
    MAP(NestLoop);
    MAP(MergeJoin);
    MAP(HashJoin);
    MAP(SeqScan);
    MAP(SampleScan);
    MAP(IndexScan);
    MAP(IndexOnlyScan);
    MAP(BitmapIndexScan);
    MAP(BitmapHeapScan);
    MAP(TidScan);
    MAP(TidRangeScan);
    MAP(SubqueryScan);
    MAP(FunctionScan);
    MAP(ValuesScan);
    MAP(TableFuncScan);
    MAP(CteScan);
    MAP(NamedTuplestoreScan);
    MAP(WorkTableScan);
    MAP(ForeignScan);
    MAP(CustomScan);
    MAP(Material);
    MAP(Memoize);
    MAP(Sort);
    MAP(IncrementalSort);
    MAP(Group);
    MAP(Agg);
    MAP(WindowAgg);
    MAP(Unique);
    MAP(Gather);
    MAP(GatherMerge);
    MAP(Hash);
    MAP(SetOp);
    MAP(LockRows);
    MAP(Limit);
#undef MAP
    default:
      return Operator::kOther;
  }
}

void ReadPlan(const PlannedStmt* statement, ReadDepth depth, PlanTree* tree) {
  Reader reader = {statement, depth, tree, {}};
  tree->count = 0;
  tree->left_out = 0;
  tree->query_id = static_cast<int64_t>(statement->queryId);
  tree->has_returning = statement->hasReturning;
  tree->uses_jit = statement->jitFlags != 0;
  switch (statement->commandType) {
    case CMD_SELECT:
      tree->command = CommandKind::kSelect;
      break;
    case CMD_INSERT:
      tree->command = CommandKind::kInsert;
      break;
    case CMD_UPDATE:
      tree->command = CommandKind::kUpdate;
      break;
    case CMD_DELETE:
      tree->command = CommandKind::kDelete;
      break;
    case CMD_MERGE:
      tree->command = CommandKind::kMerge;
      break;
    default:
      tree->command = CommandKind::kUtility;
      break;
  }
  ReadNode(&reader, statement->planTree, -1, ChildRole::kRoot, false, 0);
  // Subplans whose caller was not found in the expressions read above.
  for (int i = 1; i <= ListLength(statement->subplans); ++i) ReadSubPlan(&reader, i, 0, ChildRole::kSubPlan, 1);
}

}  // namespace query_shaper
