#include "core/predict/plan_sequence.h"

#include <algorithm>
#include <cmath>

#include "core/plan/workload.h"
#include "core/predict/operator_rates.h"

namespace query_shaper {

namespace {

class Reader {
 public:
  Reader(const PlanTree& plan, const Moment& moment, PlanSequence* out)
      : plan_(plan), workload_(plan, moment), out_(out) {
    for (int i = 0; i < workload_.count(); ++i) first_[i] = next_[i] = -1;
    for (int i = workload_.count() - 1; i > 0; --i) {
      const int parent = plan.nodes[i].parent;
      if (parent < 0 || parent >= i) continue;
      next_[i] = first_[parent];
      first_[parent] = i;
    }
  }

  void Visit(int i) {
    // In the order of execution: constants and subplans, the side that is built, the side that drives.
    const bool builds_inner = plan_.nodes[i].op == Operator::kHashJoin;
    for (int turn = 0; turn < 3; ++turn)
      for (int child = first_[i]; child >= 0; child = next_[child])
        if (TurnOf(plan_.nodes[child].role, builds_inner) == turn) Visit(child);
    Describe(i, &out_->steps[out_->count++]);
  }

 private:
  static int TurnOf(ChildRole role, bool builds_inner) {
    if (role == ChildRole::kInitPlan || role == ChildRole::kSubPlan) return 0;
    return (role == ChildRole::kInner) == builds_inner ? 1 : 2;
  }

  static float Log(double amount) { return static_cast<float>(std::log1p(Workload::Sane(amount))); }

  void Describe(int i, SequenceStep* out) const {
    using namespace feature;
    const PlanNode& node = plan_.nodes[i];
    double work[kFeatureCount] = {};
    workload_.AddNode(i, work);
    out->op = static_cast<uint8_t>(node.op);
    out->join = static_cast<uint8_t>(node.join);
    out->agg = static_cast<uint8_t>(node.agg);
    out->role = static_cast<uint8_t>(node.role);
    float* const v = out->values;
    v[step::kOutputRows] = Log(workload_.Flow(i));
    v[step::kOuterRows] = Log(workload_.Flow(workload_.outer(i)));
    v[step::kInnerRows] = Log(workload_.Flow(workload_.inner(i)));
    v[step::kLoops] = Log(workload_.loops(i));
    v[step::kWidth] = Log(node.width);
    v[step::kNominalUs] = Log(NominalMs(work) * 1000);
    v[step::kPages] = Log(work[kSeqPages] + work[kIndexPages] + work[kBitmapPages]);
    v[step::kUncachedPages] = Log(work[kUncachedPages]);
    v[step::kRelationRows] = Log(node.relation_rows);
    v[step::kMemoryKb] = Log(work[kExpectedKb]);
    v[step::kSpillKb] = Log(work[kSpillKb] / 2);
    const auto small = [](double count) { return static_cast<float>(std::clamp(count, 0.0, 16.0)); };
    v[step::kQuals] = small(node.quals);
    v[step::kKeys] = small(node.keys);
    v[step::kAggregates] = small(node.aggregates);
    v[step::kDepth] = small(node.depth);
    v[step::kUnderGather] = node.under_gather ? 1.0f : 0.0f;
    v[step::kWorkers] = small(node.workers);
    v[step::kBounded] = node.bounded || node.distinct_input ? 1.0f : 0.0f;
  }

  const PlanTree& plan_;
  const Workload workload_;
  PlanSequence* const out_;
  int first_[kMaxPlanNodes];
  int next_[kMaxPlanNodes];
};

}  // namespace

void ExtractSequence(const PlanTree& plan, const Moment& moment, PlanSequence* sequence) {
  sequence->count = 0;
  if (plan.count <= 0 || plan.count > kSequenceSteps || plan.left_out > 0) return;
  Reader(plan, moment, sequence).Visit(0);
}

}  // namespace query_shaper
