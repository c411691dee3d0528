#include "pg/pg.h"

#include "core/base/hash.h"
#include "server/query/plan_shape.h"

extern "C" {
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "utils/lsyscache.h"
}

namespace query_shaper {

struct ForcedPair {
  const PlanStep* step;
  RelOptInfo* outer;
  RelOptInfo* inner;
  JoinType type;
  JoinPathExtraData extra;
};

namespace {

// The planner's switches that choose between kinds of paths. What is off is not asked for.
struct Switch {
  bool* on;
  Operator op;
};
const Switch kScans[] = {{&enable_seqscan, Operator::kSeqScan},
                         {&enable_indexscan, Operator::kIndexScan},
                         {&enable_indexonlyscan, Operator::kIndexOnlyScan},
                         {&enable_bitmapscan, Operator::kBitmapHeapScan},
                         {&enable_tidscan, Operator::kTidScan}};
const Switch kJoins[] = {{&enable_nestloop, Operator::kNestLoop},
                         {&enable_hashjoin, Operator::kHashJoin},
                         {&enable_mergejoin, Operator::kMergeJoin},
                         {&enable_memoize, Operator::kMemoize},
                         {&enable_material, Operator::kMaterial}};
constexpr int kMostSwitches = 5;

template <int count, class Make>
void WithOnly(const Switch (&switches)[count], Operator op, Operator other, Make make) {
  bool before[kMostSwitches];
  static_assert(count <= kMostSwitches);
  for (int i = 0; i < count; ++i) {
    before[i] = *switches[i].on;
    *switches[i].on = before[i] && (switches[i].op == op || switches[i].op == other);
  }
  PG_TRY();
  { make(); }
  PG_FINALLY();
  {
    for (int i = 0; i < count; ++i) *switches[i].on = before[i];
  }
  PG_END_TRY();
}

template <int count>
bool Switchable(const Switch (&switches)[count], Operator op) {
  for (const Switch& each : switches)
    if (each.op == op) return true;
  return false;
}

template <int count>
bool IsOn(const Switch (&switches)[count], const PlanStep* step) {
  for (const Switch& each : switches)
    if (each.op == static_cast<Operator>(step->op)) return *each.on;
  return false;
}

// Null: none, or several that differ (relations of one name are read in two ways).
const PlanStep* ScanStep(const PlanningOrder* order, uint64_t key) {
  const PlanStep* found = nullptr;
  for (int i = 0; i < order->step_count; ++i) {
    const PlanStep& step = order->steps[i];
    if (step.key != key || !Switchable(kScans, static_cast<Operator>(step.op))) continue;
    if (found != nullptr && (found->op != step.op || found->input != step.input)) return nullptr;
    found = &step;
  }
  return found;
}

const PlanStep* JoinStep(const PlanningOrder* order, uint64_t key, uint64_t outer) {
  for (int i = 0; i < order->step_count; ++i) {
    const PlanStep& step = order->steps[i];
    if (step.key == key && step.input == outer && Switchable(kJoins, static_cast<Operator>(step.op))) return &step;
  }
  return nullptr;
}

// Keeps the paths that are wanted, where there are any.
template <class Wanted>
void Keep(RelOptInfo* rel, Wanted wanted) {
  List* kept = NIL;
  ListCell* cell;
  foreach (cell, rel->pathlist)
    if (wanted(static_cast<Path*>(lfirst(cell)))) kept = lappend(kept, lfirst(cell));
  if (kept != NIL) rel->pathlist = kept;
}

bool UsesIndex(const Path* path, uint64_t name) {
  if (!IsA(path, IndexPath)) return false;
  const char* index = get_rel_name(reinterpret_cast<const IndexPath*>(path)->indexinfo->indexoid);
  return index != nullptr && HashBytes(index, strlen(index)) == name;
}

const NestPath* NestOver(const Path* path, NodeTag inner) {
  if (!IsA(path, NestPath)) return nullptr;
  auto* nest = reinterpret_cast<const NestPath*>(path);
  return nodeTag(nest->jpath.innerjoinpath) == inner ? nest : nullptr;
}

// Costs of a nested loop over a cache once more, from the true ones of what it caches.
Path* CostAgain(PlannerInfo* root, ForcedPair* pair, RelOptInfo* join, const NestPath* nest) {
  auto* cache = reinterpret_cast<MemoizePath*>(nest->jpath.innerjoinpath);
  cache->path.startup_cost = cache->subpath->startup_cost + cpu_tuple_cost;
  cache->path.total_cost = cache->subpath->total_cost + cpu_tuple_cost;
  const Path* path = &nest->jpath.path;
  JoinCostWorkspace workspace;
  initial_cost_nestloop(root, &workspace, nest->jpath.jointype, nest->jpath.outerjoinpath, &cache->path, &pair->extra);
  return reinterpret_cast<Path*>(
      create_nestloop_path(root, join, nest->jpath.jointype, &workspace, &pair->extra, nest->jpath.outerjoinpath,
                           &cache->path, nest->jpath.joinrestrictinfo, path->pathkeys, PATH_REQ_OUTER(path)));
}

void MakePaths(Planning* planning, PlannerInfo* root, const ForcedPair* pair, RelOptInfo* join) {
  auto op = static_cast<Operator>(pair->step->op);
  // Merge joins keep rows where they need them again.
  auto above_inner = op == Operator::kMergeJoin ? Operator::kMaterial : static_cast<Operator>(pair->step->inner);
  planning->rebuilding = true;
  WithOnly(kJoins, op, above_inner, [&] {
    add_paths_to_joinrel(root, join, pair->outer, pair->inner, pair->type, pair->extra.sjinfo,
                         pair->extra.restrictlist);
  });
  planning->rebuilding = false;
}

// While the planner looks at the inner side, a look-up is dear and reading it whole is dearer.
void MakeDear(RelOptInfo* inner, double sign) {
  constexpr Cost kLookup = 1e6, kWhole = 1e12;
  ListCell* cell;
  foreach (cell, inner->cheapest_parameterized_paths) {
    auto* path = static_cast<Path*>(lfirst(cell));
    path->total_cost += sign * (path->param_info != nullptr ? kLookup : kWhole);
  }
}

// A cache that the estimates make little of loses against what it caches before anybody can ask for it.
void MakeCachedPaths(Planning* planning, PlannerInfo* root, ForcedPair* pair, RelOptInfo* join) {
  MakeDear(pair->inner, 1);
  MakePaths(planning, root, pair, join);
  MakeDear(pair->inner, -1);
  ListCell* cell;
  Keep(join, [](const Path* path) { return NestOver(path, T_MemoizePath) != nullptr; });
  foreach (cell, join->pathlist) {
    const NestPath* nest = NestOver(static_cast<Path*>(lfirst(cell)), T_MemoizePath);
    if (nest != nullptr) lfirst(cell) = CostAgain(root, pair, join, nest);
  }
}

}  // namespace

int StepsOf(const Tracker* tracker, PlanStep* steps, int capacity) {
  const PlanNote* note = NoteOf(tracker->query->plannedstmt);
  const PlanTree& plan = tracker->plan;
  int step_of[kMaxPlanNodes];
  int count = 0;
  if (note == nullptr || plan.left_out > 0) return -1;
  for (int i = 0; i < plan.count; ++i) {
    const PlanNode& node = plan.nodes[i];
    step_of[i] = -1;
    int above = node.parent >= 0 ? step_of[node.parent] : -1;
    // Parents come first.
    if (above >= 0 && node.role == ChildRole::kInner && plan.nodes[node.parent].op == Operator::kNestLoop &&
        (node.op == Operator::kMemoize || node.op == Operator::kMaterial))
      steps[above].inner = static_cast<uint8_t>(node.op);
    if (node.node_id < 0 || node.node_id >= note->key_count) continue;
    const NodeKey& key = note->keys[node.node_id];
    bool kept = node.op == Operator::kCustomScan;
    bool counts = key.key != 0 && !key.parameterised && !key.partial;
    bool shaped = key.set_key != 0 && (Switchable(kScans, node.op) || Switchable(kJoins, node.op));
    if (!counts && !shaped && !kept) continue;
    if (count == capacity) return -1;
    step_of[i] = count;
    PlanStep* step = &steps[count++];
    *step = PlanStep();
    step->key = counts ? key.key : key.set_key;
    step->rows = counts ? static_cast<float>(key.planned_rows) : -1;
    step->op = static_cast<uint8_t>(shaped || kept ? node.op : Operator::kOther);
    if (shaped) step->input = Switchable(kScans, node.op) ? node.index_name : key.outer_key;
  }
  return count;
}

bool TellsPart(const PlanStep* steps, int count) {
  for (int i = 0; i < count; ++i)
    if (static_cast<Operator>(steps[i].op) == Operator::kCustomScan) return true;
  return false;
}

void ForceRelation(Planning* planning, PlannerInfo* root, RelOptInfo* rel, RangeTblEntry* entry) {
  const PlanningOrder* order = planning->order;
  if (order == nullptr || order->step_count == 0 || entry->rtekind != RTE_RELATION || entry->inh || IS_DUMMY_REL(rel) ||
      rel->pathlist == NIL || !CanBeSized(rel, entry))
    return;
  QueryLevel* level = LevelOf(&planning->names, root);
  const PlanStep* step = ScanStep(order, RowsOf(&planning->names, level, rel->relids)->name.key);
  if (step == nullptr || !IsOn(kScans, step)) return;
  auto op = static_cast<Operator>(step->op);
  // An index-only scan is one of the index scans to the planner.
  Operator other = op == Operator::kIndexOnlyScan ? Operator::kIndexScan : op;
  WithOnly(kScans, op, other, [&] { MakeTablePaths(root, rel); });
  if (step->input != 0) Keep(rel, [&](const Path* path) { return UsesIndex(path, step->input); });
}

bool ForceJoin(Planning* planning, PlannerInfo* root, RelOptInfo* join, RelOptInfo* outer, RelOptInfo* inner,
               JoinType type, JoinPathExtraData* extra) {
  const PlanningOrder* order = planning->order;
  // The genetic search makes joins that do not live as long as this planning.
  if (order == nullptr || order->step_count == 0 || planning->rebuilding || join->fdwroutine != nullptr ||
      IS_DUMMY_REL(join) || root->join_search_private != nullptr)
    return false;
  QueryLevel* level = LevelOf(&planning->names, root);
  RelationRows* rows = RowsOf(&planning->names, level, join->relids);
  uint64_t outer_key = RowsOf(&planning->names, level, outer->relids)->name.key;
  const PlanStep* step = JoinStep(order, rows->name.key, outer_key);
  if (step != nullptr && IsOn(kJoins, step)) {
    if (rows->forced == nullptr)
      rows->forced = static_cast<ForcedPair*>(MemoryContextAlloc(planning->names.memory, sizeof(ForcedPair)));
    *rows->forced = {step, outer, inner, type, *extra};
  }
  ForcedPair* pair = rows->forced;
  if (pair == nullptr) return false;
  // Every pair adds its paths: they go again.
  List* paths = join->pathlist;
  List* partial = join->partial_pathlist;
  join->pathlist = join->partial_pathlist = NIL;
  if (static_cast<Operator>(pair->step->inner) == Operator::kMemoize)
    MakeCachedPaths(planning, root, pair, join);
  else
    MakePaths(planning, root, pair, join);
  if (join->pathlist != NIL) return true;
  join->pathlist = paths;
  join->partial_pathlist = partial;
  return false;
}

}  // namespace query_shaper
