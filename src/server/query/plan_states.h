// Walks a tree of plan states without PostgreSQL's walker, which may raise: fit for signal context.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/execnodes.h"
}

namespace query_shaper {

// Visits every plan state of the statement, subplans included, each once.
void VisitPlanStates(EState* estate, PlanState* root, void (*visit)(PlanState* state, void* context), void* context);

}  // namespace query_shaper
