// What a window node holds: rows of one partition at a time, those that its frames and functions may still ask for.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "nodes/execnodes.h"
}

namespace query_shaper {

// Whether all rows of a piece of its input are held at once: of a partition, or, under a frame that ends with the peers
// of the current row, those that order alike. Otherwise rows come and go with the current one.
bool HoldsPieces(const WindowAggState* window);

// Expected such pieces of so many rows, by the statistics of the columns that they are told apart by. Catalogs are
// looked into.
double PiecesOf(const PlannedStmt* statement, const WindowAggState* window, double rows);

// Whether rows before the current one may be asked for again.
bool KeepsRowsBehind(const WindowAggState* window);

// Held now, between two rows of the node.
double HeldNow(const WindowAggState* window, bool keeps_behind);

}  // namespace query_shaper
