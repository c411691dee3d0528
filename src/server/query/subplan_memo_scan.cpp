// The memo as a plan state: each run of the subplan is answered from memory, or runs the subplan and keeps its rows.
#include "pg/pg.h"

#include "core/decide/memo_worth.h"
#include "server/query/subplan_memo_node.h"
#include "server/query/tracker.h"

extern "C" {
#include "commands/explain.h"
#include "executor/executor.h"
#include "executor/nodeHash.h"
#include "nodes/makefuncs.h"
#include "utils/lsyscache.h"
}

namespace query_shaper {
namespace {

// Until then runs are only counted, unless each of them is long.
constexpr uint64_t kCountedRuns = 16;
constexpr double kLongRunNs = 50000;
constexpr double kLongRunCost = 500;
constexpr uint32_t kFirstInterval = 256;
constexpr uint32_t kLongestInterval = 65536;
constexpr uint32_t kTimedEvery = 16;
constexpr double kWornOut = 0.1;  // share of hits below which a full memory is emptied
constexpr uint32_t kLongestSample = 8192;
constexpr double kSampleNs = 250;       // what one run in a sample costs more
constexpr double kSampleShare = 0.002;  // of the time between two samples
constexpr double kLeastRestNs = 10e6;
constexpr double kBytesOfResult = 200;

void RunAnew(SubplanMemo* memo) {
  // What changed further out was passed on when this node was reset; the memo stands between the child and the
  // parameters of this run.
  memo->child->chgParam = bms_add_members(memo->child->chgParam, memo->parameters);
  ExecReScan(memo->child);
  if (memo->untimed > 0) {
    --memo->untimed;
    return;
  }
  memo->untimed = memo->standing == kMemoCounting ? 3 : kTimedEvery - 1;
  memo->timed_from_ns = NowNs();
}

void TakeTime(SubplanMemo* memo) {
  if (memo->timed_from_ns == 0) return;
  auto ns = static_cast<double>(memo->timed_ns);
  if (ns > 0) memo->run_ns = memo->run_ns > 0 ? memo->run_ns + (ns - memo->run_ns) / 8 : ns;
  memo->timed_from_ns = memo->timed_ns = 0;
}

void Clear(SubplanMemo* memo) {
  ExecClearTuple(memo->slot);
  ClearMemoTable(&memo->table);
  memo->entry = nullptr;
  memo->frozen = false;
  memo->draws = 0;
}

void StartInterval(SubplanMemo* memo) {
  memo->runs_at_judgement = memo->runs;
  memo->hits_at_judgement = memo->hits;
  memo->rows_kept = 0;
  memo->judge_at = memo->runs + memo->judge_interval;
}

void StartSampling(SubplanMemo* memo) {
  memo->judge_interval = memo->sample_interval;
  StartInterval(memo);
  BeginMemoSample(&memo->sample, memo->table.parent, memo->judge_interval);
  memo->standing = kMemoSampling;
}

void StartKeeping(SubplanMemo* memo) {
  memo->judge_interval = kFirstInterval;
  StartInterval(memo);
  memo->standing = kMemoKeeping;
}

void Rest(SubplanMemo* memo, double rest_ns) {
  Clear(memo);
  ++memo->rests;
  if (memo->run_ns > 0) memo->resting_runs += rest_ns / memo->run_ns;
  memo->rest_until_ns = NowNs() + static_cast<int64_t>(rest_ns);
  DetachMemo(memo);
  pg_compiler_barrier();  // from here on a tick may put it back
  memo->standing = kMemoResting;
}

// A sample that shows no repeats costs little, so that tries may grow and come again soon.
void JudgeSample(SubplanMemo* memo) {
  MemoRecord record = {};
  record.runs = record.draws = memo->sample.draws;
  record.distinct = memo->sample.distinct;
  record.hits = record.draws - record.distinct;
  record.rows_kept = record.distinct;
  record.run_ns = memo->run_ns;
  record.runs_before = static_cast<double>(memo->runs) + memo->resting_runs;
  record.capacity = static_cast<double>(memo->table.limit_bytes) / kBytesOfResult;
  EndMemoSample(&memo->sample);
  memo->sample_interval = Min(memo->sample_interval * 2, kLongestSample);
  if (!JudgeMemo(record).keep) {
    Rest(memo, Max(kLeastRestNs, record.runs * kSampleNs / kSampleShare));
  } else if (memo->advise) {
    // Seen enough to say so.
    memo->worth = record.hits > 0;
    memo->hits = static_cast<uint64_t>(record.hits);
    memo->misses = static_cast<uint64_t>(record.distinct);
    DetachMemo(memo);
    memo->standing = kMemoOver;
  } else {
    StartKeeping(memo);
  }
}

void JudgeKept(SubplanMemo* memo) {
  auto runs = static_cast<double>(memo->runs - memo->runs_at_judgement);
  auto hits = static_cast<double>(memo->hits - memo->hits_at_judgement);
  double entries = memo->table.entry_count;
  MemoRecord record = {};
  record.runs = runs;
  record.hits = hits;
  record.rows_kept = static_cast<double>(memo->rows_kept);
  record.draws = memo->frozen ? 0 : static_cast<double>(memo->draws);
  record.distinct = entries;
  record.run_ns = memo->run_ns;
  record.runs_before = static_cast<double>(memo->runs) + memo->resting_runs;
  record.capacity = entries > 0 ? entries * static_cast<double>(memo->table.limit_bytes) /
                                      static_cast<double>(MemoTableBytes(&memo->table))
                                : 1;
  MemoVerdict verdict = JudgeMemo(record);
  memo->judge_interval = Min(memo->judge_interval * 2, kLongestInterval);
  StartInterval(memo);
  if (!verdict.keep) {
    Rest(memo, verdict.rest_ns);
  } else if (memo->frozen && hits < kWornOut * runs) {
    Clear(memo);
    ++memo->clears;
  }
}

// What is to be done with this run.
MemoStanding Settle(SubplanMemo* memo) {
  if (memo->standing == kMemoCounting) {
    bool costly = memo->run_ns >= kLongRunNs || memo->child->plan->total_cost >= kLongRunCost;
    if (memo->runs < kCountedRuns && !costly) return kMemoCounting;
    memo->refusal = MemoRefusal(memo->child);
    memo->sample_interval = kFirstInterval;
    if (memo->refusal != nullptr) {
      DetachMemo(memo);
      memo->standing = kMemoRefused;
    } else if (costly && !memo->advise) {
      StartKeeping(memo);
    } else {
      StartSampling(memo);
    }
  } else if (memo->standing == kMemoSampling || memo->standing == kMemoKeeping) {
    // After a rest.
    if (memo->standing == kMemoSampling && memo->sample.seen == nullptr) StartSampling(memo);
    if (memo->runs >= memo->judge_at) {
      if (memo->standing == kMemoSampling)
        JudgeSample(memo);
      else
        JudgeKept(memo);
    }
  }
  return memo->standing;
}

void LookUp(SubplanMemo* memo) {
  ++memo->draws;
  MemoEntry* entry = FindMemo(&memo->table, &memo->key);
  if (entry != nullptr && (entry->complete || entry->row_count > 0)) {
    ++memo->hits;
    memo->entry = entry;
    memo->position = 0;
    memo->phase = MemoPhase::kReplay;
    return;
  }
  ++memo->misses;
  if (!memo->frozen) memo->frozen = MemoTableFull(&memo->table);
  if (memo->frozen) return;
  if (entry == nullptr) entry = AddMemo(&memo->table, &memo->key);
  if (entry->oversized) return;
  memo->entry = entry;
  memo->phase = MemoPhase::kFill;
}

// The first call of a run: its parameters are set.
void Begin(SubplanMemo* memo) {
  TakeTime(memo);
  ++memo->runs;
  memo->entry = nullptr;
  memo->phase = MemoPhase::kPass;
  MemoStanding standing = Settle(memo);
  if (standing == kMemoSampling || standing == kMemoKeeping) {
    BuildMemoKey(&memo->key, memo->parts, memo->part_count, memo->node.ss.ps.state->es_param_exec_vals);
    if (standing == kMemoSampling)
      SampleMemo(&memo->sample, &memo->key, memo->epoch);
    else
      LookUp(memo);
  }
  if (memo->phase != MemoPhase::kReplay) RunAnew(memo);
}

// ANY and ALL may have left a result before its end, and now its end is asked for. The subplan runs from its start:
// rows that were replayed before come again, which changes nothing in a disjunction or conjunction.
void RunPartialAnew(SubplanMemo* memo) {
  Assert(memo->kind == ANY_SUBLINK || memo->kind == ALL_SUBLINK);
  --memo->hits;
  ++memo->misses;
  ExecClearTuple(memo->slot);
  ForgetMemoRows(memo->entry);
  memo->phase = memo->frozen ? MemoPhase::kPass : MemoPhase::kFill;
  RunAnew(memo);
}

void Keep(SubplanMemo* memo, TupleTableSlot* row) {
  MemoEntry* entry = memo->entry;
  if (TupIsNull(row)) {
    entry->complete = true;
    memo->phase = MemoPhase::kDone;
    return;
  }
  bool only_fact = memo->kind == EXISTS_SUBLINK;
  ++memo->rows_kept;
  if (!AddMemoRow(&memo->table, entry, row, only_fact)) {
    memo->phase = MemoPhase::kPass;
    return;
  }
  if (only_fact) entry->complete = true;
}

TupleTableSlot* NextRow(PlanState* state) {
  auto* memo = reinterpret_cast<SubplanMemo*>(state);
  if (memo->phase == MemoPhase::kStart) Begin(memo);
  if (memo->phase == MemoPhase::kReplay) {
    if (memo->position < memo->entry->row_count) {
      MinimalTuple row = memo->entry->rows[memo->position++];
      return row ? ExecStoreMinimalTuple(row, memo->slot, false) : ExecStoreAllNullTuple(memo->slot);
    }
    if (memo->entry->complete)
      memo->phase = MemoPhase::kDone;
    else
      RunPartialAnew(memo);
  }
  if (memo->phase == MemoPhase::kDone) return ExecClearTuple(memo->slot);
  TupleTableSlot* row = ExecProcNode(memo->child);
  if (unlikely(memo->timed_from_ns != 0)) memo->timed_ns = NowNs() - memo->timed_from_ns;
  if (memo->phase == MemoPhase::kFill) Keep(memo, row);
  return row;
}

// Called before each run; the parameters of the run are among those changed.
void Rescan(CustomScanState* node) {
  auto* memo = reinterpret_cast<SubplanMemo*>(node);
  if (!bms_is_subset(node->ss.ps.chgParam, memo->parameters)) {
    memo->child->chgParam = bms_add_members(memo->child->chgParam, node->ss.ps.chgParam);
    ++memo->epoch;
    if (memo->table.buckets != nullptr) {
      Clear(memo);
      ++memo->clears;
    }
  }
  memo->entry = nullptr;
  memo->phase = MemoPhase::kStart;
}

void Explain(CustomScanState* node, List*, ExplainState* es) {
  if (!es->analyze) return;
  auto* memo = reinterpret_cast<SubplanMemo*>(node);
  auto memory_kb = static_cast<int64>((Max(memo->table.peak_bytes, MemoTableBytes(&memo->table)) + 1023) / 1024);
  if (es->format == EXPLAIN_FORMAT_TEXT) {
    appendStringInfoSpaces(es->str, es->indent * 2);
    appendStringInfo(es->str, "Hits: " UINT64_FORMAT "  Misses: " UINT64_FORMAT "  Clears: " UINT64_FORMAT, memo->hits,
                     memo->misses, memo->clears);
    appendStringInfo(es->str, "  Memory Usage: " INT64_FORMAT "kB\n", memory_kb);
    return;
  }
  ExplainPropertyUInteger("Cache Hits", nullptr, memo->hits, es);
  ExplainPropertyUInteger("Cache Misses", nullptr, memo->misses, es);
  ExplainPropertyUInteger("Cache Clears", nullptr, memo->clears, es);
  ExplainPropertyInteger("Peak Memory Usage", "kB", memory_kb, es);
}

void BeginNothing(CustomScanState*, EState*, int) {}
TupleTableSlot* NextRowOfScan(CustomScanState* node) { return NextRow(&node->ss.ps); }
void EndNothing(CustomScanState*) {}

constexpr const char* kName = "Memoized Subplan";

CustomScanMethods ScanMethods() {
  CustomScanMethods methods = {};
  methods.CustomName = kName;
  return methods;
}
CustomExecMethods ExecMethods() {
  CustomExecMethods methods = {};
  methods.CustomName = kName;
  methods.BeginCustomScan = BeginNothing;
  methods.ExecCustomScan = NextRowOfScan;
  methods.EndCustomScan = EndNothing;
  methods.ReScanCustomScan = Rescan;
  methods.ExplainCustomScan = Explain;
  return methods;
}
const CustomScanMethods scan_methods = ScanMethods();
const CustomExecMethods exec_methods = ExecMethods();

// What EXPLAIN and PostgreSQL's walkers look at: the child's figures and parameters, its columns handed through.
CustomScan* MakePlan(Plan* child) {
  CustomScan* plan = makeNode(CustomScan);
  plan->scan.plan = *child;
  plan->scan.plan.type = T_CustomScan;
  plan->scan.plan.parallel_aware = false;
  plan->scan.plan.async_capable = false;
  plan->scan.plan.qual = NIL;
  plan->scan.plan.initPlan = NIL;
  plan->scan.plan.lefttree = child;
  plan->scan.plan.righttree = nullptr;
  plan->scan.plan.targetlist = NIL;
  plan->methods = &scan_methods;
  ListCell* cell = nullptr;
  foreach (cell, child->targetlist) {
    auto* entry = static_cast<TargetEntry*>(lfirst(cell));
    Var* column = makeVarFromTargetEntry(OUTER_VAR, entry);
    plan->scan.plan.targetlist =
        lappend(plan->scan.plan.targetlist,
                makeTargetEntry(reinterpret_cast<Expr*>(column), entry->resno, entry->resname, entry->resjunk));
  }
  return plan;
}

}  // namespace

bool IsMemo(const PlanState* state) {
  return IsA(state, CustomScanState) && reinterpret_cast<const CustomScanState*>(state)->methods == &exec_methods;
}

SubplanMemo* MakeMemo(SubPlanState* user) {
  PlanState* child = user->planstate;
  EState* estate = child->state;
  auto* memo = static_cast<SubplanMemo*>(palloc0(sizeof(SubplanMemo)));
  PlanState* state = &memo->node.ss.ps;
  state->type = T_CustomScanState;
  state->plan = reinterpret_cast<Plan*>(MakePlan(child->plan));
  state->state = estate;
  state->ps_ResultTupleDesc = ExecGetResultType(child);
  memo->node.methods = &exec_methods;
  // Not its outer node: a reset must not reach the child, which may not run at all.
  memo->node.custom_ps = list_make1(child);
  ExecSetExecProcNode(state, NextRow);
  if (child->instrument != nullptr) state->instrument = InstrAlloc(1, estate->es_instrument, false);
  memo->child = child;
  memo->kind = user->subplan->subLinkType;
  memo->part_count = list_length(user->subplan->parParam);
  memo->parts = static_cast<MemoKeyPart*>(palloc(sizeof(MemoKeyPart) * static_cast<Size>(Max(memo->part_count, 1))));
  for (int i = 0; i < memo->part_count; ++i) {
    MemoKeyPart* part = &memo->parts[i];
    part->parameter = list_nth_int(user->subplan->parParam, i);
    get_typlenbyval(list_nth_oid(estate->es_plannedstmt->paramExecTypes, part->parameter), &part->typlen,
                    &part->typbyval);
    memo->parameters = bms_add_member(memo->parameters, part->parameter);
  }
  memo->key.room = 64;
  memo->key.bytes = static_cast<char*>(palloc(memo->key.room));
  memo->table.parent = estate->es_query_cxt;
  memo->table.limit_bytes = get_hash_memory_limit();
  memo->slot = ExecAllocTableSlot(&estate->es_tupleTable, state->ps_ResultTupleDesc, &TTSOpsMinimalTuple);
  memo->standing = kMemoCounting;
  memo->phase = MemoPhase::kStart;
  return memo;
}

void AttachMemo(SubplanMemo* memo) {
  for (int i = 0; i < memo->user_count; ++i) memo->users[i]->planstate = &memo->node.ss.ps;
}

void DetachMemo(SubplanMemo* memo) {
  for (int i = 0; i < memo->user_count; ++i) memo->users[i]->planstate = memo->child;
}

}  // namespace query_shaper
