// What a window node holds: rows of one partition at a time, those that its frames and functions may still ask for.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/execnodes.h"
}

namespace query_shaper {

// Whether all rows of a partition are held at once: where a frame reaches to its end, or a function wants to know how
// many they are. Otherwise rows come and go with the current one.
bool HoldsPartition(const WindowAggState* window);

// Expected partitions of so many rows, by the statistics of the columns that they are told apart by. Catalogs are
// looked into.
double PartitionsOf(const PlannedStmt* statement, const WindowAgg* plan, double rows);

// Whether rows before the current one may be asked for again.
bool KeepsRowsBehind(const WindowAggState* window);

// Held now, between two rows of the node.
double HeldNow(const WindowAggState* window, bool keeps_behind);

}  // namespace query_shaper
