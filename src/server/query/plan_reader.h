// Reads PostgreSQL's plan into the plain rows of core.
#pragma once
#include "core/plan/plan_tree.h"
#include "pg/pg.h"
extern "C" {
#include "nodes/plannodes.h"
}

namespace query_shaper {

// kMemoryOnly touches nothing but the plan itself and may run in a signal handler: names, sizes and what stands in
// expressions are left out. kFull also reads the catalogs and samples shared buffers; it needs a transaction.
enum class ReadDepth { kMemoryOnly, kFull };

void ReadPlan(const PlannedStmt* statement, ReadDepth depth, PlanTree* tree);

// Relation scanned by a plan node, InvalidOid when none.
Oid ScannedRelation(const PlannedStmt* statement, const struct Plan* node);

Operator OperatorOf(const struct Plan* node);

}  // namespace query_shaper
