#include "pg/pg.h"

#include "server/query/plan_states.h"

namespace query_shaper {

constexpr int kDeepest = 250;

static void Visit(PlanState* state, void (*visit)(PlanState*, void*), void* context, int depth) {
  if (state == nullptr || depth > kDeepest) return;
  visit(state, context);
  Visit(outerPlanState(state), visit, context, depth + 1);
  Visit(innerPlanState(state), visit, context, depth + 1);
  auto members = [&](PlanState** states, int count) {
    for (int i = 0; states != nullptr && i < count; ++i) Visit(states[i], visit, context, depth + 1);
  };
  switch (nodeTag(state)) {
    case T_AppendState:
      members(reinterpret_cast<AppendState*>(state)->appendplans, reinterpret_cast<AppendState*>(state)->as_nplans);
      break;
    case T_MergeAppendState:
      members(reinterpret_cast<MergeAppendState*>(state)->mergeplans,
              reinterpret_cast<MergeAppendState*>(state)->ms_nplans);
      break;
    case T_BitmapAndState:
      members(reinterpret_cast<BitmapAndState*>(state)->bitmapplans, reinterpret_cast<BitmapAndState*>(state)->nplans);
      break;
    case T_BitmapOrState:
      members(reinterpret_cast<BitmapOrState*>(state)->bitmapplans, reinterpret_cast<BitmapOrState*>(state)->nplans);
      break;
    case T_SubqueryScanState:
      Visit(reinterpret_cast<SubqueryScanState*>(state)->subplan, visit, context, depth + 1);
      break;
    case T_CustomScanState: {
      List* children = reinterpret_cast<CustomScanState*>(state)->custom_ps;
      for (int i = 0; children != NIL && i < children->length; ++i)
        Visit(static_cast<PlanState*>(children->elements[i].ptr_value), visit, context, depth + 1);
      break;
    }
    default:
      break;
  }
}

void VisitPlanStates(EState* estate, PlanState* root, void (*visit)(PlanState*, void*), void* context) {
  Visit(root, visit, context, 0);
  List* subplans = estate->es_subplanstates;
  for (int i = 0; subplans != NIL && i < subplans->length; ++i)
    Visit(static_cast<PlanState*>(subplans->elements[i].ptr_value), visit, context, 1);
}

}  // namespace query_shaper
