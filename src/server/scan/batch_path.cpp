#include "pg/pg.h"

#include "server/scan/batch_path.h"

#include "pg/fault_point.h"
#include "server/plain_explain.h"
#include "server/prefetch_plan.h"
#include "server/scan/batch_reader.h"
#include "server/scan/block_requests.h"
#include "server/scan/index_probe.h"
#include "server/settings.h"
#include "server/shared_state.h"
#include "server/store/knowledge.h"
extern "C" {
#include "access/relation.h"
#include "access/transam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/spccache.h"
}

namespace query_shaper {
namespace {

// How many times faster a look-up's blocks come when those of many rows are asked for at once, on fast disks.
constexpr double kBatchGain = 2.5;
constexpr double kFewReads = 64;  // expected blocks below which the first rows, read one by one, are most of the work
constexpr double kReadsWorthAnEvent = 10000;
constexpr double kMostReadsOfRow = 32;
constexpr int kCacheLooks = 64;

set_join_pathlist_hook_type next_join;
CustomPathMethods batch_path_methods;

bool ForcedJoins() { return pg::FaultIs("prefetch", "force") || pg::FaultIs("prefetch", "force_joins"); }

const IndexPath* LookupOf(const Path* inner) {
  if (IsA(inner, CustomPath)) {
    const auto* custom = reinterpret_cast<const CustomPath*>(inner);
    if (strcmp(custom->methods->CustomName, kPrefetchScan) != 0) return nullptr;
    inner = static_cast<const Path*>(linitial(custom->custom_paths));
  }
  if (!IsA(inner, IndexPath) || inner->param_info == nullptr) return nullptr;
  const auto* index = reinterpret_cast<const IndexPath*>(inner);
  bool fits = index->indexorderbys == NIL && index->indexinfo->relam == BTREE_AM_OID &&
              !index->indexinfo->hypothetical && ScanDirectionIsForward(index->indexscandir);
  return fits ? index : nullptr;
}

// Rows of these are the same and lock nothing, however far ahead they are read. A CTE of a level above may do both.
bool MayRunAhead(PlannerInfo* root, const Path* path) {
  check_stack_depth();
  switch (nodeTag(path)) {
    case T_Path:
      if (path->pathtype == T_CteScan) return planner_rt_fetch(path->parent->relid, root)->ctelevelsup == 0;
      return path->pathtype != T_WorkTableScan && path->pathtype != T_NamedTuplestoreScan;
    case T_IndexPath:
    case T_BitmapHeapPath:
    case T_TidPath:
    case T_TidRangePath:
    case T_GroupResultPath:
    case T_MinMaxAggPath:
      return true;
    case T_SubqueryScanPath: {
      const auto* scan = reinterpret_cast<const SubqueryScanPath*>(path);
      return MayRunAhead(scan->path.parent->subroot, scan->subpath);
    }
    case T_AppendPath:
    case T_MergeAppendPath: {
      const List* members = IsA(path, AppendPath) ? reinterpret_cast<const AppendPath*>(path)->subpaths
                                                  : reinterpret_cast<const MergeAppendPath*>(path)->subpaths;
      for (int i = 0; i < list_length(members); ++i)
        if (!MayRunAhead(root, static_cast<const Path*>(list_nth(members, i)))) return false;
      return true;
    }
    case T_MaterialPath:
      return MayRunAhead(root, reinterpret_cast<const MaterialPath*>(path)->subpath);
    case T_MemoizePath:
      return MayRunAhead(root, reinterpret_cast<const MemoizePath*>(path)->subpath);
    case T_UniquePath:
      return MayRunAhead(root, reinterpret_cast<const UniquePath*>(path)->subpath);
    case T_GatherPath:
      return MayRunAhead(root, reinterpret_cast<const GatherPath*>(path)->subpath);
    case T_GatherMergePath:
      return MayRunAhead(root, reinterpret_cast<const GatherMergePath*>(path)->subpath);
    case T_ProjectionPath:
      return MayRunAhead(root, reinterpret_cast<const ProjectionPath*>(path)->subpath);
    case T_ProjectSetPath:
      return MayRunAhead(root, reinterpret_cast<const ProjectSetPath*>(path)->subpath);
    case T_SortPath:
    case T_IncrementalSortPath:
      return MayRunAhead(root, reinterpret_cast<const SortPath*>(path)->subpath);
    case T_GroupPath:
      return MayRunAhead(root, reinterpret_cast<const GroupPath*>(path)->subpath);
    case T_UpperUniquePath:
      return MayRunAhead(root, reinterpret_cast<const UpperUniquePath*>(path)->subpath);
    case T_AggPath:
      return MayRunAhead(root, reinterpret_cast<const AggPath*>(path)->subpath);
    case T_GroupingSetsPath:
      return MayRunAhead(root, reinterpret_cast<const GroupingSetsPath*>(path)->subpath);
    case T_WindowAggPath:
      return MayRunAhead(root, reinterpret_cast<const WindowAggPath*>(path)->subpath);
    case T_SetOpPath:
      return MayRunAhead(root, reinterpret_cast<const SetOpPath*>(path)->subpath);
    case T_LimitPath:
      return MayRunAhead(root, reinterpret_cast<const LimitPath*>(path)->subpath);
    case T_NestPath:
    case T_MergePath:
    case T_HashPath: {
      const auto* join = reinterpret_cast<const JoinPath*>(path);
      return MayRunAhead(root, join->outerjoinpath) && MayRunAhead(root, join->innerjoinpath);
    }
    case T_CustomPath: {
      const auto* custom = reinterpret_cast<const CustomPath*>(path);
      bool ours = strcmp(custom->methods->CustomName, kPrefetchScan) == 0 ||
                  strcmp(custom->methods->CustomName, kBatchReader) == 0;
      return ours && MayRunAhead(root, static_cast<const Path*>(linitial(custom->custom_paths)));
    }
    default:
      return false;
  }
}

// The share of the relation's blocks that are not in shared buffers now, from a look at some of them.
double MissingShare(Oid oid, BlockNumber pages) {
  if (pages == 0) return 0;
  Relation relation = relation_open(oid, NoLock);  // locked since it was planned for
  int missing = 0;
  for (int i = 0; i < kCacheLooks; ++i) {
    auto block = static_cast<uint32_t>(static_cast<double>(pages) * (i + 0.5) / kCacheLooks);
    if (!InSharedBuffers(relation, block)) ++missing;
  }
  relation_close(relation, NoLock);
  return static_cast<double>(missing) / kCacheLooks;
}

// Of one look-up's cost, what is reading blocks.
struct LookupReads {
  double heap, leaf;                  // cost
  double heap_missing, leaf_missing;  // shares
  double blocks;                      // that are not cached
};

LookupReads ReadsOf(const IndexPath* index, bool prefetched, Oid heap) {
  const RelOptInfo* rel = index->path.parent;
  double random_cost, sequential_cost;
  get_tablespace_page_costs(rel->reltablespace, &random_cost, &sequential_cost);
  random_cost = Max(random_cost, 1e-9);
  double tuples = clamp_row_est(index->indexselectivity * rel->tuples);
  LookupReads reads = {};
  reads.heap =
      index->path.total_cost - index->indextotalcost - tuples * (cpu_tuple_cost + rel->baserestrictcost.per_tuple);
  // A prefetch scan below waits for its first block alone.
  reads.heap = Min(Max(reads.heap, 0.0), random_cost * (prefetched ? 1 : kMostReadsOfRow));
  reads.leaf = index->indextotalcost - tuples * (cpu_index_tuple_cost + cpu_operator_cost) - 200 * cpu_operator_cost;
  reads.leaf = Min(Max(reads.leaf, 0.0), random_cost);
  reads.heap_missing = MissingShare(heap, rel->pages);
  reads.leaf_missing = MissingShare(index->indexinfo->indexoid, index->indexinfo->pages);
  reads.blocks = (reads.heap * reads.heap_missing + reads.leaf * reads.leaf_missing) / random_cost;
  return reads;
}

bool Permanent(const RangeTblEntry* entry) {
  return entry->rtekind == RTE_RELATION && entry->relid >= FirstNormalObjectId &&
         get_rel_persistence(entry->relid) != RELPERSISTENCE_TEMP;
}

// Events of planning are told once per query level: the last one is remembered.
void Decline(PlannerInfo* root, double reads, const char* reason) {
  static const PlannerInfo* told;
  static uint64 told_query;
  if (reads < kReadsWorthAnEvent || (told == root && told_query == root->parse->queryId)) return;
  told = root;
  told_query = root->parse->queryId;
  RecordEvent("prefetch", "declined", static_cast<int64_t>(root->parse->queryId), -1, reason, "{}");
}

// Columns of other relations than the outer ones are not at hand there.
bool OfOuterRows(PlannerInfo* root, const List* values, const RelOptInfo* outer) {
  return bms_is_subset(pull_varnos(root, reinterpret_cast<Node*>(const_cast<List*>(values))), outer->relids);
}

Path* ReadAheadOf(Path* outer, List* description, List* values, bool single) {
  CustomPath* path = makeNode(CustomPath);
  path->path = *outer;
  path->path.type = T_CustomPath;
  path->path.pathtype = T_CustomScan;
  // The outer plan shares itself out among workers; this node only passes on.
  path->path.parallel_aware = false;
  path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
  path->custom_paths = list_make1(outer);
  path->custom_private = BatchPrivate(description, values, single);
  path->methods = &batch_path_methods;
  return &path->path;
}

bool IsBatched(const Path* path) {
  return IsA(path, CustomPath) &&
         strcmp(reinterpret_cast<const CustomPath*>(path)->methods->CustomName, kBatchReader) == 0;
}

// A copy of the nested loop, for add_path() may free the one there is; null where it is of no use.
NestPath* BatchedLoop(PlannerInfo* root, const NestPath* loop) {
  const JoinPath& join = loop->jpath;
  const IndexPath* lookup = LookupOf(join.innerjoinpath);
  if (lookup == nullptr || IsBatched(join.outerjoinpath)) return nullptr;
  const RangeTblEntry* entry = planner_rt_fetch(lookup->path.parent->relid, root);
  double rows = join.outerjoinpath->rows;
  if (!ForcedJoins() && rows * 2 < kFewReads) return nullptr;
  if (!Permanent(entry)) return nullptr;
  LookupReads reads = ReadsOf(lookup, IsA(join.innerjoinpath, CustomPath), entry->relid);
  if (!ForcedJoins() && rows * reads.blocks < kFewReads) return nullptr;
  List* values = NIL;
  List* description = DescribeProbe(lookup, entry->relid, &values);
  const char* refusal = nullptr;
  if (description == NIL || !OfOuterRows(root, values, join.outerjoinpath->parent))
    refusal = "the inner index is looked up by more than columns of the outer rows";
  else if (!MayRunAhead(root, join.outerjoinpath))
    refusal = "the outer rows may lock or depend on when they are read";
  else if (contain_volatile_functions(reinterpret_cast<Node*>(root->parse)))
    refusal = "the query has volatile functions";
  if (refusal != nullptr) {
    Decline(root, rows * reads.blocks, refusal);
    return nullptr;
  }
  bool single = join.inner_unique || join.jointype == JOIN_SEMI || join.jointype == JOIN_ANTI;
  double gain = Does(settings::prefetch) ? 1 - 1 / kBatchGain : 0;
  double saved = rows * (reads.heap * reads.heap_missing + reads.leaf * reads.leaf_missing) * gain;
  auto* batched = static_cast<NestPath*>(palloc(sizeof(NestPath)));
  *batched = *loop;
  Path* path = &batched->jpath.path;
  // Forced, or advice only: it is taken where the plain one would be.
  double least = path->total_cost * (ForcedJoins() ? 1e-3 : 1e-6);
  double spare = (path->total_cost - path->startup_cost) / 2;
  path->total_cost -= Max(Min(saved, spare), Min(least, spare));
  batched->jpath.outerjoinpath = ReadAheadOf(join.outerjoinpath, description, values, single);
  return batched;
}

bool OfPair(const Path* path, const RelOptInfo* outer, const RelOptInfo* inner) {
  if (!IsA(path, NestPath)) return false;
  const auto* join = reinterpret_cast<const JoinPath*>(path);
  return join->outerjoinpath->parent == outer && join->innerjoinpath->parent == inner;
}

List* BatchedLoops(PlannerInfo* root, const List* paths, const RelOptInfo* outer, const RelOptInfo* inner) {
  List* batched = NIL;
  for (int i = 0; i < list_length(paths); ++i) {
    const auto* path = static_cast<const Path*>(list_nth(paths, i));
    if (!OfPair(path, outer, inner)) continue;
    NestPath* loop = BatchedLoop(root, reinterpret_cast<const NestPath*>(path));
    if (loop != nullptr) batched = lappend(batched, loop);
  }
  return batched;
}

// Made before any is added: adding one may free others.
void OfferLoops(PlannerInfo* root, RelOptInfo* join, const RelOptInfo* outer, const RelOptInfo* inner) {
  List* whole = BatchedLoops(root, join->pathlist, outer, inner);
  List* partial = BatchedLoops(root, join->partial_pathlist, outer, inner);
  ListCell* cell;
  foreach (cell, whole) add_path(join, static_cast<Path*>(lfirst(cell)));
  foreach (cell, partial) add_partial_path(join, static_cast<Path*>(lfirst(cell)));
}

// A constant qual would stand between the reader and the nested loop's inputs.
void LoopHook(PlannerInfo* root, RelOptInfo* join, RelOptInfo* outer, RelOptInfo* inner, JoinType type,
              JoinPathExtraData* extra) {
  if (next_join != nullptr) next_join(root, join, outer, inner, type, extra);
  if (likely(settings::prefetch == kSwitchOff) || settings::prefetch_distance < 2) return;
  if (!Does(settings::prefetch) && !Advises(settings::prefetch)) return;
  if (MyBackendType != B_BACKEND || shared == nullptr || root->hasPseudoConstantQuals || ExplainsPlainly()) return;
  if (inner->reloptkind == RELOPT_BASEREL || inner->reloptkind == RELOPT_OTHER_MEMBER_REL)
    OfferLoops(root, join, outer, inner);
}

Plan* PlanBatch(PlannerInfo*, RelOptInfo*, CustomPath* path, List* target, List*, List* children) {
  return &MakeBatchReader(path, target, static_cast<Plan*>(linitial(children)))->scan.plan;
}

}  // namespace

void InstallBatches() {
  batch_path_methods.CustomName = kBatchReader;
  batch_path_methods.PlanCustomPath = PlanBatch;
  RegisterBatchReader();
  next_join = set_join_pathlist_hook;
  set_join_pathlist_hook = LoopHook;
}

}  // namespace query_shaper
