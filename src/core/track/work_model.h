// Nominal work of a plan node: the milliseconds its rows would take on the machine where the table was fitted.
//
// Work is linear in what a node does:  w = c_loop loops + c_in outer rows + c_inner inner rows + c_out rows out
// + c_page pages + c_qual quals rows tested, plus the blind part of sorts (c_compare n log2 n). Only ratios between
// operators matter: the overall speed is seeded by the prediction and tracked by the filter. The planner's own costs
// are not used: their page costs stand for disks, and a node's self cost says nothing about rows other than the planned
// ones.
#pragma once
#include "core/plan/plan_tree.h"

namespace query_shaper {

// Totals over all loops.
struct NodeFlow {
  double loops = 1;
  double outer_rows = 0;  // rows of the outer child (leaf: rows tested)
  double inner_rows = 0;
  double out_rows = 0;
  double pages = 0;
  double groups = 0;     // hash aggregate: in all, before HAVING; 0: not to be judged
  double room = 0;       // groups that its memory holds; 0: as many as its limit lets it
  double out_share = 0;  // of what it will give out
};

// What a node does while it takes its input in; for blocking nodes this falls into the feeding pipeline.
double InputWork(const PlanNode& node, const NodeFlow& flow);

// What it does while it gives rows out. A hash aggregate that did not hold all groups reads the rows of the others back
// and groups them then.
double OutputWork(const PlanNode& node, const NodeFlow& flow);

// Work between the last input and the first output during which no counter moves (sort, DISTINCT inside an aggregate).
double BlindWork(const PlanNode& node, double input_rows);

}  // namespace query_shaper
