// What a prefetch scan goes by where its own walk does not tell: hints of owners and of the statement when it begins,
// and the access model of relation and index where a walk sees no further than one key, as below a nested loop.
#pragma once
#include "server/scan/prefetch_state.h"

namespace query_shaper {

// At the scan's start, before anything was measured. May raise as catalog look-ups do.
void FollowAdvice(PrefetchScanState* state);

// The scan was given other keys: from now on it is worth asking what follows from block to block.
inline void NoteRescan(PrefetchScanState* state) { state->rescanned = true; }

inline bool MayPredict(const PrefetchScanState* state) { return state->rescanned && state->asking; }

// At each new heap block, before its row is fetched: asks for what the model says comes next while its gate is open,
// and tells in *visit whether this block was predicted.
void PredictFrom(PrefetchScanState* state, Relation heap, uint32_t block, BlockVisit* visit);

// After it was fetched: a prediction that came too late counts as a wrong one.
void NotePrediction(PrefetchScanState* state, const BlockVisit& visit);

struct PredictionFigures {
  int64_t asked, used, late, failed;  // blocks
};

PredictionFigures PredictionsOf(const PrefetchScanState* state);

}  // namespace query_shaper
