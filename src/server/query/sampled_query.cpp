#include "pg/pg.h"

#include "server/query/sampled_query.h"

#include <algorithm>
#include <cmath>

#include "server/query/block_runs.h"
#include "server/query/query_blocks.h"
#include "server/query/sampled_rows.h"
#include "server/query/whole_estimates.h"

extern "C" {
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "tcop/dest.h"
#include "utils/guc.h"
}

namespace query_shaper {

namespace {

constexpr int kSampledTables = 3;       // sampled together at most
constexpr double kWorthSampling = 0.7;  // more than this of a relation is no sample
constexpr double kShareOfCost = 0.1;    // of the whole that a sampled run should cost
constexpr double kCheapCost = 10000;    // or this
constexpr int kRounds = 4;              // the first and those with larger samples
constexpr double kGrowth = 4;           // of the sample from round to round
constexpr double kWholeAtMost = 1.5;    // times the cost of a sample, and the whole is read instead
constexpr double kWholeRows = 1e5;      // unless a join may have more rows than this

struct Table {
  RangeTblEntry* entry;  // in the block
  double rows;           // after its filter, as estimated
};

bool Walk(Node* node, const char** why) {
  if (node == nullptr) return false;
  if (IsA(node, Query)) {
    const auto* const query = reinterpret_cast<Query*>(node);
    if (query->commandType != CMD_SELECT || query->utilityStmt != nullptr || query->hasModifyingCTE)
      *why = "it is not a plain SELECT";
    else if (query->rowMarks != NIL)
      *why = "it locks rows";
    if (*why != nullptr) return true;
    return query_tree_walker(reinterpret_cast<Query*>(node), reinterpret_cast<bool (*)()>(Walk), why,
                             QTW_EXAMINE_RTES_BEFORE);
  }
  if (IsA(node, RangeTblEntry)) {
    const auto* const entry = reinterpret_cast<RangeTblEntry*>(node);
    if (entry->tablesample != nullptr && entry->tablesample->tsmhandler == BlockRunsHandler())
      *why = "it is run on a sample already";
    return *why != nullptr;
  }
  return expression_tree_walker(node, reinterpret_cast<bool (*)()>(Walk), why);
}

void Pin(const char* name, const char* value) {
  set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

ParamListInfo PlanParameters(const SampledOrder& order) { return order.generic ? nullptr : order.parameters; }

// Largest first.
int RankTables(Query* block, const WholeEstimates* whole, Table* tables, int capacity) {
  int count = 0;
  const ListCell* cell;
  foreach (cell, FindSampleable(block)) {
    auto* const entry = static_cast<RangeTblEntry*>(lfirst(cell));
    const SetEstimate* const set = FindRelation(whole, entry->relid, entry->eref->aliasname);
    if (set == nullptr || count == capacity) continue;
    tables[count++] = {entry, set->rows};
  }
  std::stable_sort(tables, tables + count, [](const Table& a, const Table& b) { return a.rows > b.rows; });
  return count;
}

void Sample(RangeTblEntry* entry, Oid handler, double fraction, uint32 seed) {
  TableSampleClause* const sample = makeNode(TableSampleClause);
  sample->tsmhandler = handler;
  sample->args = list_make1(
      makeConst(FLOAT4OID, -1, InvalidOid, sizeof(float4), Float4GetDatum(static_cast<float4>(fraction)), false, true));
  sample->repeatable = reinterpret_cast<Expr*>(
      makeConst(FLOAT8OID, -1, InvalidOid, sizeof(float8), Float8GetDatum(seed), false, FLOAT8PASSBYVAL));
  entry->tablesample = sample;
}

// Samples the `count` largest tables so that a row of their join is seen with the order's fraction; false when nothing
// is left to sample.
bool SampleTables(const Table* tables, int count, Oid handler, const SampledOrder& order) {
  const double each = std::pow(order.fraction, 1.0 / count);
  bool sampled = false;
  for (int i = 0; i < count; ++i) {
    const double fraction = std::max(each, order.fewest_rows / std::max(tables[i].rows, 1.0));
    tables[i].entry->tablesample = nullptr;
    if (fraction > kWorthSampling) continue;
    Sample(tables[i].entry, handler, fraction, order.seed + static_cast<uint32>(i));
    sampled = true;
  }
  return sampled;
}

// Whether some nested loop goes through its whole inner side again and again: harmless if the estimates are right.
bool RepeatsInner(const Plan* plan) {
  if (plan == nullptr) return false;
  if (IsA(plan, NestLoop) && reinterpret_cast<const NestLoop*>(plan)->nestParams == NIL &&
      plan->lefttree->plan_rows >= 1 && !(plan->righttree->plan_rows <= 1 && IsA(plan->righttree, Result)))
    return true;
  return RepeatsInner(plan->lefttree) || RepeatsInner(plan->righttree);
}

PlannedStmt* PlanSample(const Query* block, const SampledOrder& order) {
  PlannedStmt* const planned = planner(CopyQuery(block), order.text, 0, PlanParameters(order));
  if (!RepeatsInner(planned->planTree)) return planned;
  Pin("enable_nestloop", "off");
  PlannedStmt* const hashed = planner(CopyQuery(block), order.text, 0, PlanParameters(order));
  Pin("enable_nestloop", "on");
  return hashed;
}

struct Block {
  int number;
  Query* joins;
  const WholeEstimates* whole;
  Table tables[kSampledNodes];  // to sample, the largest first
  int table_count;
};

double Affordable(const Block& block) {
  return std::max(block.whole->planned->planTree->total_cost * kShareOfCost, kCheapCost);
}

PlannedStmt* PlanWhole(const Block& block, const SampledOrder& order) {
  for (int i = 0; i < block.table_count; ++i) block.tables[i].entry->tablesample = nullptr;
  return PlanSample(block.joins, order);
}

// With the smallest number of sampled tables that makes the run affordable. *sampled: at least one is.
PlannedStmt* PlanCheapest(const Block& block, const SampledOrder& order, bool* sampled) {
  const Oid handler = BlockRunsHandler();
  PlannedStmt* planned = nullptr;
  for (int count = 1; count <= std::min(block.table_count, kSampledTables); ++count) {
    if (!OidIsValid(handler) || order.fraction >= 1) break;
    if (!SampleTables(block.tables, count, handler, order)) continue;
    planned = PlanSample(block.joins, order);
    if (planned->planTree->total_cost <= Affordable(block)) break;
  }
  *sampled = planned != nullptr;
  return planned != nullptr ? planned : PlanWhole(block, order);
}

void Execute(PlannedStmt* planned, const SampledOrder& order, const Block& block, SampledRun* run) {
  QueryDesc* const query = CreateQueryDesc(planned, order.text, order.snapshot, InvalidSnapshot, None_Receiver,
                                           order.parameters, nullptr, INSTRUMENT_ROWS);
  ExecutorStart(query, 0);
  ExecutorRun(query, ForwardScanDirection, 0, true);
  ExecutorFinish(query);
  ReadSampledRows(query, block.whole, block.number, run);
  ExecutorEnd(query);
  FreeQueryDesc(query);
  if (run->publish != nullptr) run->publish(run, run->context);
}

struct Verdict {
  bool settled;
  bool small;  // no join can be large
};

Verdict Judge(const SampledRun* run, int block) {
  Verdict verdict = {true, true};
  for (int i = 0; i < run->count; ++i) {
    const SampledNode& node = run->nodes[i];
    if (node.block != block || !node.join) continue;
    verdict.settled = verdict.settled && SampleSettled(node.count);
    verdict.small = verdict.small && node.rows.high <= kWholeRows;
  }
  return verdict;
}

void RunBlock(const Query* query, int number, SampledOrder order, SampledRun* run) {
  auto* const block = static_cast<Block*>(palloc0(sizeof(Block)));
  block->number = number;
  block->joins = JoinsOnly(query);
  block->whole = EstimateWhole(query, order.text, PlanParameters(order));
  block->table_count = RankTables(block->joins, block->whole, block->tables, kSampledNodes);
  // A subquery alone: it is a block of its own.
  if (block->whole->count <= 1 && block->table_count == 0) return;
  bool sampled;
  PlannedStmt* planned = PlanCheapest(*block, order, &sampled);
  Execute(planned, order, *block, run);
  for (int round = 1; round < kRounds && sampled; ++round) {
    const Verdict verdict = Judge(run, number);
    if (verdict.settled) return;
    PlannedStmt* const whole = verdict.small ? PlanWhole(*block, order) : nullptr;
    order.fraction = std::min(order.fraction * kGrowth, 1.0);
    order.fewest_rows *= kGrowth;
    order.seed += kSampledTables;
    if (whole != nullptr &&
        whole->planTree->total_cost <= std::max(Affordable(*block), planned->planTree->total_cost * kWholeAtMost)) {
      planned = whole;
      sampled = false;
    } else {
      planned = PlanCheapest(*block, order, &sampled);
      if (planned->planTree->total_cost > Affordable(*block)) return;
    }
    Execute(planned, order, *block, run);
  }
}

}  // namespace

const char* WhyNotSampled(const Query* query) {
  const char* why = nullptr;
  auto* const node = reinterpret_cast<Node*>(const_cast<Query*>(query));
  Walk(node, &why);
  if (why == nullptr && contain_volatile_functions(node)) why = "it calls volatile functions";
  return why;
}

void RunSampled(const SampledOrder& order, SampledRun* run) {
  run->count = 0;
  const int nest_level = NewGUCNestLevel();
  // Nothing of this run is to be learned, tracked or planned with what was learned.
  Pin("query_shaper.mode", "off");
  Pin("max_parallel_workers_per_gather", "0");
  Pin("jit", "off");
  // A merge join leaves its inputs early.
  Pin("enable_mergejoin", "off");
  Pin("enable_hashjoin", "on");
  Pin("enable_nestloop", "on");
  int block = 0;
  const ListCell* cell;
  foreach (cell, FindBlocks(order.query)) {
    CHECK_FOR_INTERRUPTS();
    RunBlock(static_cast<const Query*>(lfirst(cell)), block++, order, run);
  }
  AtEOXact_GUC(true, nest_level);
}

}  // namespace query_shaper
