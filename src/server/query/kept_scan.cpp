// The custom scan that reads finished work of a plan given up.
#include "pg/pg.h"

#include "server/query/kept_work.h"
extern "C" {
#include "commands/explain.h"
#include "executor/executor.h"
#include "executor/nodeHash.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "storage/buffile.h"
}

namespace query_shaper {

namespace {

using PlanNodeOf = struct Plan;

constexpr double kRowShare = 0.2;  // of cpu_tuple_cost: measured about a third of what a row of a cached heap takes

// Rows of a hash table in the order of its storage: chunks in memory, skew buckets, then the files of later batches.
struct HashReader {
  HashMemoryChunk chunk;
  size_t position;
  int skew;
  HashJoinTuple skew_tuple;
  int batch;
  bool begun_batch;
  MinimalTuple buffer;
  size_t buffer_bytes;
};

struct KeptScanState {
  CustomScanState scan;
  KeptWork* work;
  HashReader reader;
  int read_pointer;
  bool begun;
  double rows;
};

struct CustomPathMethods path_methods;
struct CustomScanMethods scan_methods;
struct CustomExecMethods exec_methods;

void BeginHash(HashReader* reader, HashJoinTable table) {
  reader->chunk = table->chunks;
  reader->position = 0;
  reader->skew = -1;
  reader->skew_tuple = nullptr;
  reader->batch = 0;
  reader->begun_batch = false;
}

MinimalTuple NextOfMemory(HashReader* reader) {
  while (reader->chunk != nullptr) {
    if (reader->position < reader->chunk->used) {
      auto* stored = reinterpret_cast<HashJoinTuple>(HASH_CHUNK_DATA(reader->chunk) + reader->position);
      MinimalTuple tuple = HJTUPLE_MINTUPLE(stored);
      reader->position += MAXALIGN(HJTUPLE_OVERHEAD + tuple->t_len);
      return tuple;
    }
    reader->chunk = reader->chunk->next.unshared;
    reader->position = 0;
  }
  return nullptr;
}

MinimalTuple NextOfSkew(HashReader* reader, HashJoinTable table) {
  if (!table->skewEnabled) return nullptr;
  for (;;) {
    if (reader->skew_tuple != nullptr) {
      MinimalTuple tuple = HJTUPLE_MINTUPLE(reader->skew_tuple);
      reader->skew_tuple = reader->skew_tuple->next.unshared;
      return tuple;
    }
    if (reader->skew + 1 >= table->nSkewBuckets) return nullptr;
    ++reader->skew;
    reader->skew_tuple = table->skewBucket[table->skewBucketNums[reader->skew]]->tuples;
  }
}

// The tuple's length and hash value stand before it, see ExecHashJoinSaveTuple().
MinimalTuple ReadTuple(HashReader* reader, BufFile* file) {
  uint32 header[2];
  size_t bytes = BufFileRead(file, header, sizeof header);
  if (bytes == 0) return nullptr;
  if (bytes != sizeof header) ereport(ERROR, (errcode_for_file_access(), errmsg("could not read kept hash table")));
  if (reader->buffer_bytes < header[1]) {
    if (reader->buffer != nullptr) pfree(reader->buffer);
    reader->buffer_bytes = header[1] * size_t{2};
    reader->buffer = static_cast<MinimalTuple>(palloc(reader->buffer_bytes));
  }
  reader->buffer->t_len = header[1];
  size_t rest = header[1] - sizeof(uint32);
  if (BufFileRead(file, reinterpret_cast<char*>(reader->buffer) + sizeof(uint32), rest) != rest)
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not read kept hash table")));
  return reader->buffer;
}

MinimalTuple NextOfFiles(HashReader* reader, HashJoinTable table) {
  if (table->innerBatchFile == nullptr) return nullptr;
  while (reader->batch < table->nbatch) {
    BufFile* file = reader->batch > 0 ? table->innerBatchFile[reader->batch] : nullptr;
    if (file != nullptr) {
      if (!reader->begun_batch && BufFileSeek(file, 0, 0, SEEK_SET) != 0)
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not rewind kept hash table")));
      reader->begun_batch = true;
      MinimalTuple tuple = ReadTuple(reader, file);
      if (tuple != nullptr) return tuple;
    }
    ++reader->batch;
    reader->begun_batch = false;
  }
  return nullptr;
}

MinimalTuple NextOfHash(HashReader* reader, HashJoinTable table) {
  MinimalTuple tuple = NextOfMemory(reader);
  if (tuple == nullptr) tuple = NextOfSkew(reader, table);
  if (tuple == nullptr) tuple = NextOfFiles(reader, table);
  return tuple;
}

void Rewind(KeptScanState* state) {
  KeptWork* work = state->work;
  if (work->kind == KeptKind::kHash) {
    BeginHash(&state->reader, work->table);
  } else if (work->kind == KeptKind::kSort) {
    tuplesort_rescan(work->sort);
  } else {
    tuplestore_select_read_pointer(work->store, state->read_pointer);
    tuplestore_rescan(work->store);
  }
  state->begun = true;
  state->rows = 0;
}

// A row lost would be a wrong answer: better none.
void CheckCount(const KeptScanState* state) {
  const KeptWork* work = state->work;
  if (work->counted && state->rows != work->rows)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                    errmsg_internal("kept work had %.0f rows, of which %.0f were read", work->rows, state->rows)));
}

TupleTableSlot* NextKept(ScanState* scan) {
  auto* state = reinterpret_cast<KeptScanState*>(scan);
  KeptWork* work = state->work;
  TupleTableSlot* slot = scan->ss_ScanTupleSlot;
  CHECK_FOR_INTERRUPTS();
  if (!state->begun) Rewind(state);
  bool found;
  if (work->kind == KeptKind::kHash) {
    MinimalTuple tuple = NextOfHash(&state->reader, work->table);
    found = tuple != nullptr;
    if (found) ExecStoreMinimalTuple(tuple, slot, false);
  } else if (work->kind == KeptKind::kSort) {
    found = tuplesort_gettupleslot(work->sort, true, false, slot, nullptr);
  } else {
    tuplestore_select_read_pointer(work->store, state->read_pointer);
    found = tuplestore_gettupleslot(work->store, true, false, slot);
  }
  if (found) {
    ++state->rows;
    return slot;
  }
  CheckCount(state);
  return ExecClearTuple(slot);
}

bool RecheckKept(ScanState*, TupleTableSlot*) { return true; }

PlanNodeOf* PlanKept(PlannerInfo*, RelOptInfo* rel, CustomPath* path, List* target, List* clauses, List*) {
  CustomScan* plan = makeNode(CustomScan);
  int id = intVal(linitial(path->custom_private));
  const KeptWork* work = FindKeptWork(id);
  plan->flags = path->flags;
  plan->custom_private = list_make1(makeInteger(id));
  plan->methods = &scan_methods;
  plan->scan.scanrelid = 0;
  plan->scan.plan.targetlist = target;
  // The clauses of anything but a CTE were applied when its rows were made.
  plan->scan.plan.qual = work->kind == KeptKind::kCte ? extract_actual_clauses(clauses, false) : NIL;
  for (int i = 0; i < work->stored.column_count; ++i) {
    const KeptColumn& column = work->stored.columns[i];
    Index index = work->kind == KeptKind::kCte ? rel->relid : column.index;
    Expr* expression;
    if (index > 0)
      expression = reinterpret_cast<Expr*>(
          makeVar(static_cast<int>(index), column.attribute, column.type, column.type_modifier, column.collation, 0));
    else
      expression = reinterpret_cast<Expr*>(makeNullConst(column.type, column.type_modifier, column.collation));
    TargetEntry* entry = makeTargetEntry(expression, static_cast<AttrNumber>(i + 1), nullptr, false);
    plan->custom_scan_tlist = lappend(plan->custom_scan_tlist, entry);
  }
  return &plan->scan.plan;
}

Node* CreateState(CustomScan* plan) {
  auto* state = static_cast<KeptScanState*>(palloc0(sizeof(KeptScanState)));
  NodeSetTag(state, T_CustomScanState);
  state->scan.methods = &exec_methods;
  state->work = FindKeptWork(intVal(linitial(plan->custom_private)));
  if (state->work == nullptr || !state->work->taken)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg_internal("kept work is gone")));
  return reinterpret_cast<Node*>(state);
}

// Rows are stored as minimal tuples: the slot made so far is of another kind, and so is what was compiled against it.
void BeginKept(CustomScanState* scan, EState* estate, int) {
  auto* state = reinterpret_cast<KeptScanState*>(scan);
  auto* plan = reinterpret_cast<CustomScan*>(scan->ss.ps.plan);
  ExecInitScanTupleSlot(estate, &scan->ss, ExecTypeFromTL(plan->custom_scan_tlist), &TTSOpsMinimalTuple);
  scan->ss.ps.resultopsset = false;
  scan->ss.ps.resultops = nullptr;
  ExecInitResultTupleSlotTL(&scan->ss.ps, &TTSOpsVirtual);
  ExecAssignScanProjectionInfoWithVarno(&scan->ss, INDEX_VAR);
  scan->ss.ps.qual = ExecInitQual(plan->scan.plan.qual, &scan->ss.ps);
  if (state->work->store != nullptr)
    state->read_pointer = tuplestore_alloc_read_pointer(state->work->store, EXEC_FLAG_REWIND);
}

TupleTableSlot* ExecKept(CustomScanState* scan) { return ExecScan(&scan->ss, NextKept, RecheckKept); }

void EndKept(CustomScanState* scan) { ExecClearTuple(scan->ss.ss_ScanTupleSlot); }

void ReScanKept(CustomScanState* scan) {
  reinterpret_cast<KeptScanState*>(scan)->begun = false;
  ExecScanReScan(&scan->ss);
}

void ExplainKept(CustomScanState* scan, List*, ExplainState* explain) {
  static const char* const kNames[] = {"hash table", "sort", "materialized rows", "CTE"};
  const KeptWork* work = reinterpret_cast<KeptScanState*>(scan)->work;
  ExplainPropertyText("Kept", kNames[static_cast<int>(work->kind)], explain);
}

List* SortedBy(PlannerInfo* root, RelOptInfo* rel, const KeptWork* work) {
  List* keys = NIL;
  for (int i = 0; i < work->order->numCols; ++i) {
    const KeptColumn& column = work->stored.columns[work->order->sortColIdx[i] - 1];
    if (column.index == 0) break;
    Var* var = makeVar(static_cast<int>(column.index), column.attribute, column.type, column.type_modifier,
                       column.collation, 0);
    // Of another collation it would be another order.
    if (column.collation != work->order->collations[i]) break;
    List* one = build_expression_pathkey(root, reinterpret_cast<Expr*>(var), nullptr, work->order->sortOperators[i],
                                         rel->relids, false);
    if (one == NIL) break;
    auto* key = linitial_node(PathKey, one);
    if (key->pk_nulls_first != work->order->nullsFirst[i]) break;
    if (!list_member_ptr(keys, key)) keys = lappend(keys, key);
  }
  return keys;
}

void PrepareMethods() {
  if (path_methods.CustomName != nullptr) return;
  path_methods.CustomName = scan_methods.CustomName = exec_methods.CustomName = "Kept Work";
  path_methods.PlanCustomPath = PlanKept;
  scan_methods.CreateCustomScanState = CreateState;
  exec_methods.BeginCustomScan = BeginKept;
  exec_methods.ExecCustomScan = ExecKept;
  exec_methods.EndCustomScan = EndKept;
  exec_methods.ReScanCustomScan = ReScanKept;
  exec_methods.ExplainCustomScan = ExplainKept;
}

}  // namespace

int KeptWorkOf(const PlanNodeOf* plan) {
  if (!IsA(plan, CustomScan)) return -1;
  const auto* scan = reinterpret_cast<const CustomScan*>(plan);
  return scan->methods == &scan_methods ? intVal(linitial(scan->custom_private)) : -1;
}

CustomPath* MakeKeptPath(PlannerInfo* root, RelOptInfo* rel, const KeptWork* work) {
  PrepareMethods();
  CustomPath* path = makeNode(CustomPath);
  path->path.pathtype = T_CustomScan;
  path->path.parent = rel;
  path->path.pathtarget = rel->reltarget;
  bool filtered = work->kind == KeptKind::kCte;
  path->path.rows = filtered ? rel->rows : Max(1.0, work->rows);
  double spilled_pages = 0;
  if (work->kind == KeptKind::kHash && !work->taken) {
    HashJoinTable table = reinterpret_cast<const HashJoinState*>(work->source)->hj_HashTable;
    double share = 1 - 1.0 / Max(1, table->nbatch);
    spilled_pages = share * work->rows * (work->width + 24.0) / BLCKSZ;
  }
  path->path.startup_cost = filtered ? rel->baserestrictcost.startup : 0;
  double per_row = kRowShare * cpu_tuple_cost + (filtered ? rel->baserestrictcost.per_tuple : 0);
  path->path.total_cost = path->path.startup_cost + work->rows * per_row + spilled_pages * seq_page_cost;
  path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
  path->custom_private = list_make1(makeInteger(work->id));
  path->methods = &path_methods;
  if (work->kind == KeptKind::kSort) path->path.pathkeys = SortedBy(root, rel, work);
  return path;
}

}  // namespace query_shaper
