#include "pg/pg.h"

#include "server/scan/prefetch_path.h"

#include <cmath>

#include "pg/fault_point.h"
#include "server/plain_explain.h"
#include "server/prefetch_plan.h"
#include "server/scan/block_requests.h"
#include "server/scan/leaf_look.h"
#include "server/scan/prefetch_scan.h"
#include "server/settings.h"
#include "server/shared_state.h"
#include "server/store/access_knowledge.h"
extern "C" {
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "utils/lsyscache.h"
#include "utils/spccache.h"
}

namespace query_shaper {
namespace {

// How many times faster scattered blocks come when many are asked for at once. Disks that answer in a few tens of
// microseconds show about this, slower ones more.
constexpr double kDepthGain = 3;
constexpr double kFewBlocks = 8;  // expected reads below which there is nothing to look ahead to
constexpr int kLooks = 64;
constexpr double kRowsSwept = 2000;  // below which a look at the index costs more than can be saved

set_rel_pathlist_hook_type next_rel;
CustomPathMethods path_methods;

bool Forced() { return pg::FaultIs("prefetch", "force"); }

// The share of the relation's blocks that are not in shared buffers now, from a look at some of them. The cumulative
// statistics would tell of the past, and asking for them changes what their views show in this transaction.
double UncachedShare(Oid relation, BlockNumber pages) {
  if (pages == 0) return 0;
  Relation heap = table_open(relation, NoLock);  // locked since the query was analysed
  int missing = 0;
  for (int i = 0; i < kLooks; ++i) {
    auto block = static_cast<uint32_t>(static_cast<double>(pages) * (i + 0.5) / kLooks);
    if (!InSharedBuffers(heap, block)) ++missing;
  }
  table_close(heap, NoLock);
  return static_cast<double>(missing) / kLooks;
}

bool Suitable(const Path* path) {
  if (!IsA(path, IndexPath)) return false;
  const auto* index = reinterpret_cast<const IndexPath*>(path);
  return index->indexorderbys == NIL && index->indexinfo->relam == BTREE_AM_OID && !index->indexinfo->hypothetical;
}

// What of the path's cost is reading heap blocks: for an index-only scan those that are not all visible.
double HeapReadCost(const IndexPath* index, const RelOptInfo* rel) {
  double tuples = clamp_row_est(index->indexselectivity * rel->tuples);
  double cpu = tuples * (cpu_tuple_cost + rel->baserestrictcost.per_tuple);
  return Max(index->path.total_cost - index->indextotalcost - cpu, 0.0);
}

// add_partial_path() frees what the new path beats, which is the very path that the new one stands over.
IndexPath* CopyPath(const IndexPath* index) {
  auto* copy = static_cast<IndexPath*>(palloc(sizeof(IndexPath)));
  *copy = *index;
  return copy;
}

CustomPath* MakePath(const IndexPath* index, double saved) {
  CustomPath* path = makeNode(CustomPath);
  path->path = index->path;
  path->path.type = T_CustomPath;
  path->path.pathtype = T_CustomScan;
  // The index scan below shares itself out among workers; this node only passes on.
  path->path.parallel_aware = false;
  path->path.total_cost -= saved;
  path->flags = CUSTOMPATH_SUPPORT_BACKWARD_SCAN | CUSTOMPATH_SUPPORT_MARK_RESTORE | CUSTOMPATH_SUPPORT_PROJECTION;
  path->custom_paths = list_make1(CopyPath(index));
  path->methods = &path_methods;
  return path;
}

struct Offer {
  const RelOptInfo* rel;
  Oid relation;
  double uncached;
  double random_cost;
  double sequential_cost;
};

// What of the cost of reading heap blocks is for reads in no order. Others the kernel makes ahead of the scan. Between
// the two cost_index() has interpolated by the index's correlation, which is not kept.
double ScatteredReadCost(PlannerInfo* root, const Offer& offer, const IndexPath* index) {
  const RelOptInfo* rel = offer.rel;
  double reads = HeapReadCost(index, rel);
  if (index->path.param_info != nullptr || ScanDirectionIsBackward(index->indexscandir)) return reads;
  double share = index->path.pathtype == T_IndexOnlyScan ? 1 - rel->allvisfrac : 1;
  double tuples = clamp_row_est(index->indexselectivity * rel->tuples);
  double scattered = std::ceil(share * index_pages_fetched(tuples, rel->pages, index->indexinfo->pages, root));
  double in_order = std::ceil(share * std::ceil(index->indexselectivity * rel->pages));
  double most = scattered * offer.random_cost;
  double least = offer.random_cost + (in_order - 1) * offer.sequential_cost;
  if (most <= least) return reads;
  return most * Min(Max((reads - least) / (most - least), 0.0), 1.0);
}

bool Few(const Offer& offer, double read_cost) {
  return offer.uncached * read_cost / Max(offer.random_cost, 1e-9) < kFewBlocks;
}

bool HintedOtherwise(Oid relation, Oid index) {
  AccessAdvice advice = AdviseAccess(relation, index);
  return advice.hinted && advice.pattern != Pattern::kUnknown && advice.pattern != Pattern::kSequential;
}

// Whether rows are better fetched out of order, cached or not.
bool BetterSwept(const Offer& offer, const IndexPath* index) {
  if (!Does(settings::prefetch) || settings::prefetch_sweep == 0 || IsolationIsSerializable()) return false;
  if (index->path.pathtype != T_IndexScan || index->indexselectivity * offer.rel->tuples < kRowsSwept) return false;
  return ComesBackToBlocks(index->indexinfo->indexoid, index->indexinfo->pages);
}

// Null where looking ahead is of no use.
CustomPath* PathOver(PlannerInfo* root, const Offer& offer, const IndexPath* index) {
  double reads = ScatteredReadCost(root, offer, index);
  if (Forced()) return MakePath(index, index->path.total_cost * 1e-3);
  if (Few(offer, reads)) {
    // The cost model knows nothing of what a look-up in shared buffers takes.
    if (BetterSwept(offer, index)) return MakePath(index, index->path.total_cost * 1e-6);
    reads = HeapReadCost(index, offer.rel);
    if (Few(offer, reads)) return nullptr;
    // In order, but that is not all there is to it: stagers read ahead of whole statements.
    if (settings::prefetch_stagers == 0 && !HintedOtherwise(offer.relation, index->indexinfo->indexoid)) return nullptr;
  }
  // Advice only: the plan that stands is watched.
  if (!Does(settings::prefetch)) return MakePath(index, index->path.total_cost * 1e-6);
  double least = Min(offer.sequential_cost / Max(offer.random_cost, 1e-9), 1.0);
  double factor = Max(least, 1 - offer.uncached * (1 - 1 / kDepthGain));
  return MakePath(index, Max(reads * (1 - factor), index->path.total_cost * 1e-6));
}

List* PathsOver(PlannerInfo* root, const Offer& offer, const List* paths) {
  List* made = NIL;
  ListCell* cell;
  foreach (cell, paths) {
    if (!Suitable(static_cast<Path*>(lfirst(cell)))) continue;
    CustomPath* path = PathOver(root, offer, static_cast<const IndexPath*>(lfirst(cell)));
    if (path != nullptr) made = lappend(made, path);
  }
  return made;
}

void OfferPaths(PlannerInfo* root, RelOptInfo* rel, const RangeTblEntry* entry) {
  Offer offer = {rel, entry->relid, UncachedShare(entry->relid, rel->pages), 0, 0};
  get_tablespace_page_costs(rel->reltablespace, &offer.random_cost, &offer.sequential_cost);
  // All are made before one is added, which may free others of the list.
  List* serial = PathsOver(root, offer, rel->pathlist);
  List* partial = PathsOver(root, offer, rel->partial_pathlist);
  ListCell* cell;
  foreach (cell, serial) add_path(rel, static_cast<Path*>(lfirst(cell)));
  foreach (cell, partial) add_partial_path(rel, static_cast<Path*>(lfirst(cell)));
  list_free(serial);
  list_free(partial);
}

// Temporary relations have buffers of their own; a constant qual would stand between this node and its index scan.
bool Worthwhile(const PlannerInfo* root, RelOptInfo* rel, const RangeTblEntry* entry) {
  if (rel->rtekind != RTE_RELATION || entry->relkind == RELKIND_PARTITIONED_TABLE || entry->inh || IS_DUMMY_REL(rel))
    return false;
  if (entry->relid < FirstNormalObjectId || root->hasPseudoConstantQuals || entry->tablesample != nullptr) return false;
  if (MyBackendType != B_BACKEND || shared == nullptr) return false;
  return get_rel_persistence(entry->relid) != RELPERSISTENCE_TEMP;
}

EVERY_STATEMENT void RelationHook(PlannerInfo* root, RelOptInfo* rel, Index index, RangeTblEntry* entry) {
  if (next_rel != nullptr) next_rel(root, rel, index, entry);
  if (likely(settings::prefetch == kSwitchOff) || settings::prefetch_distance < 2) return;
  if (!Does(settings::prefetch) && !Advises(settings::prefetch)) return;
  if (!ExplainsPlainly() && Worthwhile(root, rel, entry)) OfferPaths(root, rel, entry);
}

Plan* PlanPath(PlannerInfo* root, RelOptInfo* rel, CustomPath* path, List* target, List*, List* children) {
  return &MakePrefetchScan(root, rel, path, target, static_cast<Plan*>(linitial(children)))->scan.plan;
}

}  // namespace

void InstallPrefetch() {
  path_methods.CustomName = kPrefetchScan;
  path_methods.PlanCustomPath = PlanPath;
  RegisterPrefetchScan();
  next_rel = set_rel_pathlist_hook;
  set_rel_pathlist_hook = RelationHook;
}

}  // namespace query_shaper
