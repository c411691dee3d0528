// When a running plan is in doubt: rows beyond what was planned, or an end far beyond what was predicted; and what the
// plan would cost, had it been planned with the rows now believed, so that it can be compared with a new one in the
// planner's own units.
#pragma once
#include <cstdint>

#include "core/plan/plan_tree.h"

namespace query_shaper {

// Rows above which a node planned at planned_rows is a surprise. factor >= 1.
uint64_t RowLimit(double planned_rows, double factor);

// The next limit of a node that was looked at when it had delivered `rows` and was left alone.
uint64_t RaisedRowLimit(uint64_t rows, double factor);

// Cost of the plan, had its nodes the rows `known` (per loop, by index; negative: unknown, follows from its inputs;
// null: none is known). Every row of a join is paid for at least as the planner's default costs have it, so that plans
// whose rows come from elsewhere can be compared.
double CostUnder(const PlanTree& plan, const double* known);

// What the whole of a set of rows is called, whatever plan computes it.
struct SetName {
  uint64_t key = 0;  // 0: none
  uint64_t constants = 0;
};

// What both plans compute has the same rows in both: those that the new one was made with, which is what was seen and
// what follows from it. A gain that comes from two beliefs of one set is none. believed[i]: of running.nodes[i].
void ShareBeliefs(const PlanTree& running, const SetName* running_names, const PlanTree& fresh,
                  const SetName* fresh_names, double* believed);

struct TimeQuestion {
  double elapsed_ms = 0;  // of the running plan
  double eta_ms = 0;      // tracked time left
  double predicted_ms = 0;
  double predicted_log_sd = 1;
  double min_ms = 0;       // setting replan_min_time
  double asked_ms = 0;     // elapsed when it was last asked, 0 never
  double asking_ms = 0;    // time spent on asking in this statement
  bool predicted = false;  // false: predicted_ms is only a cold guess
};

// True when the tracked end lies so far beyond the prediction that the plan itself is in doubt. Signal-safe.
bool TimeExploded(const TimeQuestion& question);

// Planning takes time too: false while what it took is not small against the time that the statement has run.
bool MayAsk(double elapsed_ms, double asking_ms, double min_ms);

}  // namespace query_shaper
