// What PostgreSQL's nodes tell of their memory, and how each kind is given more.
#pragma once
#include "server/query/shape_memory.h"
#include "server/query/tracker.h"

namespace query_shaper {

// Whether node i of the plan, or something above it, is scanned again for each row of others.
bool MayRunAgain(const Tracker* tracker, int i);

// Null where the limit of node i of the plan can be set before it runs; else why not. launch: as in ShapedNode.
const char* WhyNotGiven(const Tracker* tracker, int i, NeedKind kind, int launch);

// Sets it, for this process. False: something stands in the way.
bool GiveNode(Tracker* tracker, int shaped, double limit_kb);

// Of a window that keeps its limit: what it holds is looked at, to be learned.
void WatchNode(Tracker* tracker, int shaped);

// The work_mem under which a node has that limit.
int WorkMemFor(double limit_kb, bool hash_limit);

// core/pool/node_need, and what only the nodes know. Of a table that is common to several processes: the whole of it.
// pieces: of a window (window_rows).
NodeNeed NeedOf(const Tracker* tracker, int i, double log_sd, double processes, double pieces);
NodeNeed NeedOfRows(const Tracker* tracker, int i, double rows, double log_sd);

// Of CTE scans the first alone holds rows, and Materialize only when it is read again.
bool HoldsRows(const Tracker* tracker, int i);

// A hash aggregate's own estimate for the groups planned, in kB; 0 elsewhere.
double PlannedGroupsKb(const Tracker* tracker, int i);

// What it holds now that it is set up; -1 unknown, or it has spilled. Not in signal context.
double UsedKb(const Tracker* tracker, const ShapedNode& node);

// Plain loads.
bool HasSpilled(const Tracker* tracker, const ShapedNode& node);

// At the end, while the nodes live: needed_kb, spilled.
void ReadNeed(const Tracker* tracker, ShapedNode* node);

// Whether a worker's plan is a part of that statement's.
bool SamePlan(const StatementSlot& statement, const PlanTree& plan);

}  // namespace query_shaper
