// The first call of a Gather, taken apart: its workers are launched here, so that something can be done before the
// leader takes part in the work itself.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/execnodes.h"
}

namespace query_shaper {

// What ExecGather() and ExecGatherMerge() do when they are called for the first time, up to the first row; nothing
// where they have begun, or go on from an earlier scan. Whatever is raised is what they would raise.
void StartGather(PlanState* state);

}  // namespace query_shaper
