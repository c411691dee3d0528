#include "pg/pg.h"

#include "server/scan/access_lead.h"

#include "server/scan/block_requests.h"
extern "C" {
#include "storage/bufmgr.h"
#include "utils/rel.h"
}

namespace query_shaper {

// What was asked for because the model said so.
struct PredictedBlock {
  uint32_t block;
  bool probe;  // left unasked to see how long it takes
};

constexpr uint32_t kPredictedBlocks = 256;  // power of 2
constexpr int kAskedAtOnce = 64;

struct AccessPredictor {
  uint32_t relation_blocks;
  bool here;  // the present block was predicted and asked for
  PredictionFigures figures;
  PredictedBlock predicted[kPredictedBlocks];  // by block, modulo
  AccessModel model;
  BlockFollowers followers;
};

namespace {

constexpr int kHintedDistance = 4;
constexpr uint32_t kHintedRunMost = 128;  // blocks, 1 MB
constexpr int64_t kWaitedLeast = 16;      // reads waited for before a model is taken up

AccessPredictor* MakePredictor(PrefetchScanState* state, Relation heap) {
  auto* predictor =
      static_cast<AccessPredictor*>(MemoryContextAlloc(state->scan.ss.ps.state->es_query_cxt, sizeof(AccessPredictor)));
  predictor->relation_blocks = RelationGetNumberOfBlocks(heap);
  predictor->here = false;
  predictor->figures = {};
  for (PredictedBlock& entry : predictor->predicted) entry = {kNoBlockYet, false};
  StartFollowers(&predictor->followers);
  RecallAccess(RelationGetRelid(heap), RelationGetRelid(state->index), &predictor->model);
  return predictor;
}

void Request(AccessPredictor* predictor, Relation heap, BlockRange range) {
  int failed = RequestBlocks(heap, range);
  predictor->figures.failed += failed;
  if (failed > 0) PenaliseModel(&predictor->model, failed);
}

void Ask(PrefetchScanState* state, Relation heap, const uint32_t* blocks, int count) {
  AccessPredictor* predictor = state->predictor;
  RequestRuns runs;
  runs.max_blocks = state->runs.max_blocks;
  BlockRange ready;
  for (int i = 0; i < count; ++i) {
    if (InSharedBuffers(heap, blocks[i])) continue;
    bool probe = !state->forced && ProbeNext(&state->look);
    predictor->predicted[blocks[i] & (kPredictedBlocks - 1)] = {blocks[i], probe};
    if (probe) continue;
    ++predictor->figures.asked;
    if (AddRequest(&runs, blocks[i], &ready)) Request(predictor, heap, ready);
  }
  if (TakeRequest(&runs, &ready)) Request(predictor, heap, ready);
}

}  // namespace

void FollowAdvice(PrefetchScanState* state) {
  if (!state->watching) return;
  const AccessAdvice& advice = state->advice =
      AdviseAccess(RelationGetRelid(state->heap), RelationGetRelid(state->index));
  if (advice.pattern == Pattern::kSequential) {
    // Until the scan's own steps say otherwise.
    state->window.judged = Pattern::kSequential;
  } else if (advice.hinted && advice.pattern != Pattern::kUnknown) {
    state->look.distance = Min(kHintedDistance, state->look.max_distance);
    state->runs.max_blocks = Max(state->runs.max_blocks, Min(advice.extent_blocks, kHintedRunMost));
  }
}

void PredictFrom(PrefetchScanState* state, Relation heap, uint32_t block, BlockVisit* visit) {
  AccessPredictor* predictor = state->predictor;
  if (predictor == nullptr) {
    if (!state->forced && state->look.waited < kWaitedLeast) return;
    predictor = state->predictor = MakePredictor(state, heap);
  }
  PredictedBlock* entry = &predictor->predicted[block & (kPredictedBlocks - 1)];
  predictor->here = entry->block == block && !entry->probe;
  if (entry->block == block) {
    visit->probe = visit->probe || entry->probe;
    visit->asked = visit->asked || predictor->here;
    predictor->figures.used += predictor->here;
    entry->block = kNoBlockYet;
  }
  // Warm: the model rests, and goes on where reads are waited for again.
  if (state->look.distance == 0) return;
  uint32_t ask[kAskedAtOnce];
  int count = NoteAccess(&predictor->model, block, state->look.max_distance, predictor->relation_blocks, ask,
                         kAskedAtOnce, &predictor->followers);
  if (count > 0) Ask(state, heap, ask, count);
}

void NotePrediction(PrefetchScanState* state, const BlockVisit& visit) {
  AccessPredictor* predictor = state->predictor;
  if (!predictor->here || !visit.read || visit.read_us < kSlowReadUs) return;
  ++predictor->figures.late;
  PenaliseModel(&predictor->model, 1);
}

PredictionFigures PredictionsOf(const PrefetchScanState* state) {
  return state->predictor != nullptr ? state->predictor->figures : PredictionFigures{};
}

}  // namespace query_shaper
