// Partition hints as scans ask for them: those of the statement-level setting before those of the table.
#pragma once
#include "core/prefetch/partition_hint.h"
#include "pg/pg.h"

namespace query_shaper {

// False when nothing was said of the relation. Inside a transaction; may raise as catalog look-ups do. The table is
// read once and remembered until it changes.
bool PartitionHintOf(Oid relation, PartitionHint* hint);

}  // namespace query_shaper
