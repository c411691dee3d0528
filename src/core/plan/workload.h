// The work that a plan asks of its nodes: rows per loop times loops, less what a LIMIT above never asks for.
//
// What features.cpp sums up over the plan and plan_sequence.cpp tells node by node.
#pragma once
#include <algorithm>
#include <cmath>

#include "core/plan/features.h"

namespace query_shaper {

// What one node is asked to do over the whole run.
struct Demand {
  double loops = 1;
  double share = 1;  // of its output that a LIMIT above lets through
};

// The plan with its children at hand and the demand on every node; all on the stack.
class Workload {
 public:
  Workload(const PlanTree& plan, const Moment& moment);

  // Adds the work of the whole plan, by feature, in their units before any logarithm.
  void AddTo(double* work) const;
  // Adds node i's own work alone.
  void AddNode(int i, double* work) const;

  int count() const { return count_; }
  double loops(int i) const { return demand_[i].loops; }
  // Rows that really flow out of node i over the whole run; 0 for -1.
  double Flow(int i) const { return i < 0 ? 0 : Sane(Sane(plan_.nodes[i].rows) * demand_[i].loops * demand_[i].share); }
  int outer(int i) const { return outer_[i]; }
  int inner(int i) const { return inner_[i]; }

  static double Sane(double value) { return value > 0 ? std::min(value, kHuge) : 0; }  // NaN and negatives become 0

 private:
  static constexpr double kHuge = 1e15;  // keeps products finite; nothing real is larger

  // -1 for the root and for a link that does not point upwards.
  int Parent(int i) const {
    const int parent = i < 0 ? -1 : plan_.nodes[i].parent;
    return parent >= 0 && parent < i ? parent : -1;
  }
  double Rows(int i) const { return i < 0 ? 0 : Sane(plan_.nodes[i].rows); }
  double Cost(int i) const { return i < 0 ? 0 : Sane(plan_.nodes[i].total_cost); }
  Demand DemandOn(int i) const;
  double InnerCalls(int i) const;
  double MemoizeMisses(int memoize, double calls) const;
  double SubplanCalls(int i) const;
  void AddScan(int i, double* work) const;
  double PricedPages(int i) const;
  double ParallelShare(int i) const;
  void Hold(double kb, double limit_kb, double times, double* work) const;
  void AddAggregate(int i, double input, double* work) const;

  const PlanTree& plan_;
  const int count_;
  double work_mem_kb_ = 4096;
  int outer_[kMaxPlanNodes];
  int inner_[kMaxPlanNodes];
  Demand demand_[kMaxPlanNodes];
};

}  // namespace query_shaper
