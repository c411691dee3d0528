#include "pg/pg.h"

#include "server/query/start_gather.h"
extern "C" {
#include "access/parallel.h"
#include "executor/execParallel.h"
#include "optimizer/optimizer.h"
}

namespace query_shaper {
namespace {

template <class State>
void Launch(State* state, int workers, Bitmapset* params) {
  EState* estate = state->ps.state;
  if (workers > 0 && estate->es_use_parallel_mode) {
    state->pei = ExecInitParallelPlan(state->ps.lefttree, estate, params, workers, state->tuples_needed);
    LaunchParallelWorkers(state->pei->pcxt);
    state->nworkers_launched = state->pei->pcxt->nworkers_launched;
    if (state->nworkers_launched > 0) {
      ExecParallelCreateReaders(state->pei);
      state->nreaders = state->nworkers_launched;
      size_t bytes = static_cast<size_t>(state->nreaders) * sizeof(TupleQueueReader*);
      state->reader = static_cast<TupleQueueReader**>(palloc(bytes));
      memcpy(static_cast<void*>(state->reader), state->pei->reader, bytes);
    } else {
      state->nreaders = 0;
      state->reader = nullptr;
    }
  }
  state->initialized = true;
}

}  // namespace

void StartGather(PlanState* state) {
  if (IsA(state, GatherState)) {
    auto* gather = reinterpret_cast<GatherState*>(state);
    auto* plan = reinterpret_cast<const Gather*>(state->plan);
    if (gather->initialized || gather->pei != nullptr) return;
    Launch(gather, plan->num_workers, plan->initParam);
    gather->nextreader = 0;
    gather->need_to_scan_locally = gather->nreaders == 0 || (!plan->single_copy && parallel_leader_participation);
  } else if (IsA(state, GatherMergeState)) {
    auto* merge = reinterpret_cast<GatherMergeState*>(state);
    auto* plan = reinterpret_cast<const GatherMerge*>(state->plan);
    if (merge->initialized || merge->pei != nullptr) return;
    Launch(merge, plan->num_workers, plan->initParam);
    if (parallel_leader_participation || merge->nreaders == 0) merge->need_to_scan_locally = true;
  }
}

}  // namespace query_shaper
