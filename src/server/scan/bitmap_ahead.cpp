#include "pg/pg.h"

#include "server/scan/bitmap_ahead.h"

#include <ctime>

#include "core/prefetch/access_pattern.h"
#include "core/prefetch/look_ahead.h"
#include "pg/fault_point.h"
#include "server/pool/request_share.h"
#include "server/scan/batch_reader.h"
#include "server/settings.h"
#include "server/shared_state.h"
#include "server/store/knowledge.h"
extern "C" {
#include "access/parallel.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "utils/rel.h"
}

namespace query_shaper {
namespace {

constexpr int kWatchedBlocks = 32;
constexpr int kWaitedLeast = 4;       // of these, one in eight
constexpr int kRowsBetween = 2048;    // from one watch to the next
constexpr int kVainWatchesMost = 16;  // after which the scan is left alone

struct BitmapAhead {
  int32_t own_maximum;  // as PostgreSQL has set it
  int32_t rows_left;    // until the next watch
  int32_t vain;         // watches in a row that saw no read waited for
  int32_t count, waited;
  bool told;
  uint32_t blocks[kWatchedBlocks];
};

ExecutorStart_hook_type next_start;
// Every bitmap heap scan has the same one.
ExecProcNodeMtd bitmap_scan;

// A scan that is not parallel has no use for this field.
BitmapAhead* BitmapAheadOf(const BitmapHeapScanState* scan) { return reinterpret_cast<BitmapAhead*>(scan->pscan_len); }

void Tell(const BitmapHeapScanState* scan, const BitmapAhead* ahead, bool in_order) {
  char details[120];
  snprintf(details, sizeof details, "{\"relation\": %u, \"from\": %d, \"to\": %d, \"waited\": %d, \"of\": %d}",
           RelationGetRelid(scan->ss.ss_currentRelation), ahead->own_maximum, scan->prefetch_maximum, ahead->waited,
           ahead->count);
  const PlanState* node = &scan->ss.ps;
  RecordEvent("prefetch", "done", static_cast<int64_t>(node->state->es_plannedstmt->queryId), node->plan->plan_node_id,
              in_order ? "a bitmap scan in order is left to the kernel"
                       : "a bitmap scan looks further ahead than effective_io_concurrency says",
              details);
}

// Its iterator for requests exists since the first call and stays in step also while it asks for nothing.
void Decide(BitmapHeapScanState* scan, BitmapAhead* ahead) {
  bool in_order = ComeInOrder(ahead->blocks, ahead->count);
  int reach = in_order ? 0 : RequestsAllowed(settings::prefetch_distance);
  if (ahead->waited >= kWaitedLeast && scan->prefetch_maximum != reach) {
    scan->prefetch_maximum = reach;
    scan->prefetch_target = Min(scan->prefetch_target, reach);
    if (!ahead->told) Tell(scan, ahead, in_order);
    ahead->told = true;
  }
  ahead->vain = ahead->waited > 0 ? 0 : ahead->vain + 1;
  ahead->rows_left = ahead->vain < kVainWatchesMost ? kRowsBetween : INT32_MAX;
  ahead->count = ahead->waited = 0;
}

TupleTableSlot* WatchRow(BitmapHeapScanState* scan, BitmapAhead* ahead) {
  int64 reads = pgBufferUsage.shared_blks_read;
  timespec from, to;
  clock_gettime(CLOCK_MONOTONIC, &from);
  TupleTableSlot* slot = bitmap_scan(&scan->ss.ps);
  const TBMIterateResult* page = scan->tbmres;
  if (page == nullptr) return slot;
  auto block = static_cast<uint32_t>(page->blockno);
  if (ahead->count > 0 && ahead->blocks[ahead->count - 1] == block) return slot;
  ahead->blocks[ahead->count++] = block;
  if (pgBufferUsage.shared_blks_read != reads) {
    clock_gettime(CLOCK_MONOTONIC, &to);
    int64 us = (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
    ahead->waited += static_cast<float>(us) >= kSlowReadUs;
  }
  if (ahead->count == kWatchedBlocks) Decide(scan, ahead);
  return slot;
}

TupleTableSlot* NextRow(PlanState* node) {
  BitmapHeapScanState* scan = castNode(BitmapHeapScanState, node);
  BitmapAhead* ahead = BitmapAheadOf(scan);
  if (likely(ahead->rows_left > 0)) {
    --ahead->rows_left;
    return bitmap_scan(node);
  }
  // The first call also reads the index and makes the bitmap.
  if (unlikely(!scan->initialized)) return bitmap_scan(node);
  return WatchRow(scan, ahead);
}

bool Worthwhile(const BitmapHeapScanState* scan) {
  return MyBackendType == B_BACKEND && !scan->ss.ps.plan->parallel_aware && scan->prefetch_maximum > 0 &&
         scan->prefetch_maximum < settings::prefetch_distance && scan->ss.ss_currentRelation != nullptr &&
         !RelationUsesLocalBuffers(scan->ss.ss_currentRelation) && scan->ss.ps.ExecProcNodeReal != nullptr &&
         (scan->ss.ps.plan->plan_rows >= kWatchedBlocks || pg::FaultIs("prefetch", "force"));
}

bool StandOver(PlanState* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, BitmapHeapScanState)) {
    auto* scan = reinterpret_cast<BitmapHeapScanState*>(node);
    if (Worthwhile(scan)) {
      auto* ahead = static_cast<BitmapAhead*>(MemoryContextAllocZero(node->state->es_query_cxt, sizeof(BitmapAhead)));
      ahead->own_maximum = scan->prefetch_maximum;
      if (pg::FaultIs("prefetch", "force")) scan->prefetch_maximum = settings::prefetch_distance;
      scan->pscan_len = reinterpret_cast<Size>(ahead);
      bitmap_scan = node->ExecProcNodeReal;
      ExecSetExecProcNode(node, NextRow);
    }
  }
  if (IsA(node, NestLoopState)) FeedInner(reinterpret_cast<NestLoopState*>(node));
  return planstate_tree_walker(node, reinterpret_cast<bool (*)()>(StandOver), context);
}

EVERY_STATEMENT void StartHook(QueryDesc* query, int flags) {
  next_start(query, flags);
  if (likely(settings::prefetch == kSwitchOff) || (flags & EXEC_FLAG_EXPLAIN_ONLY) != 0) return;
  if ((MyBackendType != B_BACKEND && !IsParallelWorker()) || shared == nullptr || !Does(settings::prefetch)) return;
  StandOver(query->planstate, nullptr);
}

}  // namespace

void InstallBitmapAhead() {
  next_start = ExecutorStart_hook ? ExecutorStart_hook : standard_ExecutorStart;
  ExecutorStart_hook = StartHook;
}

}  // namespace query_shaper
