#include "pg/pg.h"

#include "server/query/sampled_rows.h"

#include <algorithm>

#include "server/query/block_runs.h"

extern "C" {
#include "executor/hashjoin.h"
#include "executor/instrument.h"
#include "nodes/execnodes.h"
#include "parser/parsetree.h"
}

namespace query_shaper {

namespace {

// What a subtree of the plan is made of.
struct Part {
  Bitmapset* relids;
  double probability;   // of one row of the whole to be seen
  double contributors;  // sampled rows of base relations behind its rows, at most
};

struct Reading {
  List* range_table;
  const WholeEstimates* whole;
  int block;
  SampledRun* run;
};

// Only joins and scans have counts of their own; everything else hands its child's part on.
bool IsJoin(const Plan* plan) { return IsA(plan, HashJoin) || IsA(plan, MergeJoin) || IsA(plan, NestLoop); }

Bitmapset* ScannedRelids(const Plan* plan) {
  switch (nodeTag(plan)) {
    case T_SeqScan:
    case T_SampleScan:
    case T_IndexScan:
    case T_IndexOnlyScan:
    case T_BitmapHeapScan:
    case T_TidScan:
    case T_TidRangeScan:
    case T_SubqueryScan:
    case T_FunctionScan:
    case T_ValuesScan:
    case T_TableFuncScan:
    case T_CteScan:
    case T_NamedTuplestoreScan:
    case T_WorkTableScan:
      return bms_make_singleton(static_cast<int>(reinterpret_cast<const Scan*>(plan)->scanrelid));
    case T_ForeignScan:
      return bms_copy(reinterpret_cast<const ForeignScan*>(plan)->fs_relids);
    case T_CustomScan:
      return bms_copy(reinterpret_cast<const CustomScan*>(plan)->custom_relids);
    default:
      return nullptr;
  }
}

int CompareNames(const ListCell* a, const ListCell* b) {
  return strcmp(static_cast<const char*>(lfirst(a)), static_cast<const char*>(lfirst(b)));
}

void NameRelations(const Reading& reading, const Bitmapset* relids, char* out) {
  List* names = NIL;
  for (int i = -1; (i = bms_next_member(relids, i)) >= 0;)
    names = lappend(names, rt_fetch(i, reading.range_table)->eref->aliasname);
  list_sort(names, CompareNames);
  size_t used = 0;
  const ListCell* cell;
  out[0] = '\0';
  foreach (cell, names) {
    const char* const name = static_cast<const char*>(lfirst(cell));
    const size_t length = strlen(name) + 2;
    if (used + length + 4 > kSampledNameBytes) {
      strlcat(out, ", ...", kSampledNameBytes);
      return;
    }
    if (used > 0) strlcat(out, ", ", kSampledNameBytes);
    strlcat(out, name, kSampledNameBytes);
    used += length;
  }
}

struct Search {
  const Bitmapset* relids;
  bool join;
  int node_id;
};

Bitmapset* PlannedRelids(const Plan* plan) {
  if (plan == nullptr) return nullptr;
  Bitmapset* const scanned = ScannedRelids(plan);
  if (scanned != nullptr) return scanned;
  if (IsA(plan, Append)) return bms_copy(reinterpret_cast<const Append*>(plan)->apprelids);
  if (IsA(plan, MergeAppend)) return bms_copy(reinterpret_cast<const MergeAppend*>(plan)->apprelids);
  return bms_join(PlannedRelids(plan->lefttree), PlannedRelids(plan->righttree));
}

// The topmost scan or join with these relations in the query's own plan.
void FindPlanned(const Plan* plan, Search* search) {
  if (plan == nullptr || search->node_id >= 0) return;
  if ((search->join ? IsJoin(plan) : ScannedRelids(plan) != nullptr || IsA(plan, Append)) &&
      bms_equal(PlannedRelids(plan), search->relids)) {
    search->node_id = plan->plan_node_id;
    return;
  }
  FindPlanned(plan->lefttree, search);
  FindPlanned(plan->righttree, search);
  if (!IsA(plan, Append)) return;
  const ListCell* cell;
  foreach (cell, reinterpret_cast<const Append*>(plan)->appendplans)
    FindPlanned(static_cast<const Plan*>(lfirst(cell)), search);
}

SampledNode* FindNode(const Reading& reading, const Bitmapset* relids, bool join) {
  SampledRun* const run = reading.run;
  for (int i = 0; i < run->count; ++i) {
    SampledNode* const node = &run->nodes[i];
    if (node->block == reading.block && node->join == join && bms_equal(node->relids, relids)) return node;
  }
  return nullptr;
}

void Report(const Reading& reading, const PlanState* state, double rows, const Part& part) {
  SampledRun* const run = reading.run;
  const bool join = IsJoin(state->plan);
  const SetEstimate* const set = FindSet(reading.whole, part.relids);
  const SampledCount count = {.seen = rows,
                              .contributors = part.contributors,
                              .probability = part.probability,
                              .prior_rows = set != nullptr ? set->rows : state->plan->plan_rows / part.probability};
  SampledNode* node = FindNode(reading, part.relids, join);
  if (node != nullptr) {
    PoolSample(&node->count, count);
  } else {
    if (run->count == kSampledNodes) return;
    node = &run->nodes[run->count++];
    Search search = {part.relids, join, -1};
    FindPlanned(reading.whole->planned->planTree, &search);
    node->block = reading.block;
    node->node_id = search.node_id;
    node->join = join;
    if (set != nullptr) {
      node->key = set->key;
      node->constants = set->constants;
    }
    node->relids = bms_copy(part.relids);
    node->count = count;
    NameRelations(reading, part.relids, node->relations);
  }
  node->rows = ScaleSample(node->count);
}

Part Read(const Reading& reading, PlanState* state, bool complete);

// All members are sampled with one fraction, or none is.
Part ReadMembers(const Reading& reading, PlanState** members, int count, const Bitmapset* relids, bool complete) {
  Part whole = {bms_copy(relids), 1, 0};
  double seen = 0, expected = 0;
  for (int i = 0; i < count; ++i) {
    const Part part = Read(reading, members[i], complete);
    const double rows = members[i]->instrument != nullptr ? members[i]->instrument->ntuples : 0;
    whole.contributors += part.contributors;
    seen += rows;
    expected += rows / part.probability;
    whole.probability = Min(whole.probability, part.probability);
  }
  if (expected > seen && seen > 0) whole.probability = seen / expected;
  return whole;
}

// A hash join that finds its table empty does not look at its outer side; semi joins and joins to at most one row leave
// their inner side early.
Part ReadJoin(const Reading& reading, PlanState* state, bool complete) {
  const auto* const plan = reinterpret_cast<const Join*>(state->plan);
  bool outer_complete = complete, inner_complete = complete;
  if (IsA(state, HashJoinState)) {
    const HashJoinTable table = reinterpret_cast<HashJoinState*>(state)->hj_HashTable;
    if (table == nullptr || table->totalTuples <= 0) outer_complete = false;
  } else if (IsA(state, MergeJoinState)) {
    outer_complete = inner_complete = false;
  } else if (plan->jointype == JOIN_SEMI || plan->jointype == JOIN_ANTI || plan->inner_unique) {
    inner_complete = false;
  }
  const Part outer = Read(reading, outerPlanState(state), outer_complete);
  const Part inner = Read(reading, innerPlanState(state), inner_complete);
  Part part = {bms_union(outer.relids, inner.relids), outer.probability * inner.probability, 0};
  if (outer.probability < 1) part.contributors = outer.contributors;
  if (inner.probability < 1 && (part.contributors == 0 || inner.contributors < part.contributors))
    part.contributors = inner.contributors;
  return part;
}

Part ReadParts(const Reading& reading, PlanState* state, bool complete) {
  const Plan* const plan = state->plan;
  if (IsJoin(plan)) return ReadJoin(reading, state, complete);
  switch (nodeTag(state)) {
    case T_AppendState: {
      const auto* const append = reinterpret_cast<AppendState*>(state);
      return ReadMembers(reading, append->appendplans, append->as_nplans,
                         reinterpret_cast<const Append*>(plan)->apprelids, complete);
    }
    case T_MergeAppendState: {
      const auto* const append = reinterpret_cast<MergeAppendState*>(state);
      return ReadMembers(reading, append->mergeplans, append->ms_nplans,
                         reinterpret_cast<const MergeAppend*>(plan)->apprelids, complete);
    }
    case T_SampleScanState: {
      const double share = SharePlanned(reinterpret_cast<SampleScanState*>(state));
      return {ScannedRelids(plan), share > 0 ? Min(share, 1.0) : 1, 0};
    }
    default:
      break;
  }
  Bitmapset* const scanned = ScannedRelids(plan);
  if (scanned != nullptr) return {scanned, 1, 0};
  if (IsA(state, LimitState)) complete = false;
  if (outerPlanState(state) != nullptr) return Read(reading, outerPlanState(state), complete);
  return {nullptr, 1, 0};
}

Part Read(const Reading& reading, PlanState* state, bool complete) {
  Instrumentation* const instrument = state->instrument;
  if (instrument != nullptr) InstrEndLoop(instrument);
  const double loops = instrument != nullptr ? instrument->nloops : 0;
  const double rows = loops > 0 ? instrument->ntuples / loops : 0;
  Part part = ReadParts(reading, state, complete);
  if (part.probability >= 1)
    part.contributors = 0;
  else if (part.contributors <= 0 || rows < part.contributors)
    part.contributors = rows;
  const bool counts = IsJoin(state->plan) || ScannedRelids(state->plan) != nullptr || IsA(state, AppendState);
  // One that depends on parameters of an enclosing join returned what was asked of it, not what there is.
  if (counts && complete && loops > 0 && bms_is_empty(state->plan->extParam) && !bms_is_empty(part.relids))
    Report(reading, state, rows, part);
  return part;
}

}  // namespace

void ReadSampledRows(const QueryDesc* query, const WholeEstimates* whole, int block, SampledRun* run) {
  const Reading reading = {query->plannedstmt->rtable, whole, block, run};
  Read(reading, query->planstate, true);
}

}  // namespace query_shaper
