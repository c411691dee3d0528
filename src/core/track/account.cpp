// Every tick: refined rows become nominal work done and left, by node and by pipeline.
#include "core/track/progress.h"
#include "core/track/work_model.h"

#include <algorithm>
#include <cmath>

namespace query_shaper {

namespace {

constexpr double kDoubtClustering = 0.25;       // variance of an extrapolation at half of its input, of rows in a heap
constexpr double kJoinDoubtClustering = 0.038;  // and of rows that come out of a join or of its loops
constexpr double kBoundLogSd = 0.2;             // of rows that are believed to reach what they cannot exceed
constexpr double kMaxDoubt = 1.0;  // log standard deviation beyond which the first-order band means nothing

bool ScansHeap(const PlanNode& node) { return node.op == Operator::kSeqScan || node.op == Operator::kSampleScan; }

// A log standard deviation, relative to the rows.
double Relative(double log_sd) { return std::expm1(std::min(kMaxDoubt, log_sd)); }

}  // namespace

// Of the log of node i's rows still to come: the estimate's own, combined with what the share seen says.
double Progress::RowsLogSd(int i) const {
  const NodeState& state = states_[i];
  if (state.finished) return 0;
  bool scans = links_[i].outer < 0 && links_[i].loop_source < 0;
  double clustering = scans ? kDoubtClustering : kJoinDoubtClustering;
  double seen = state.fraction / (clustering * (1 - state.fraction) + 1e-6);
  double log_sd = state.at_bound ? std::min(state.log_sd, kBoundLogSd) : state.log_sd;
  return std::sqrt(1 / (1 / (log_sd * log_sd + 1e-6) + seen));
}

// What node i has done (whole false) or will have done at its end (whole true).
NodeFlow Progress::FlowOf(const PlanTree& plan, int i, bool whole) const {
  const PlanNode& node = plan.nodes[i];
  const Link& link = links_[i];
  const NodeState& state = states_[i];
  auto rows_of = [&](int child) {
    const NodeState& s = states_[child];
    return whole && !s.finished ? s.total : s.rows;
  };
  NodeFlow flow;
  bool over = state.finished;
  flow.out_rows = whole && !over ? state.total : state.rows;
  flow.loops = state.started || whole ? 1 : 0;
  if (over && !state.started) flow.loops = 0;
  if (link.loop_source >= 0) flow.loops = rows_of(link.loop_source);
  double share = whole ? 1 : state.fraction;
  if (over) share = state.started || state.rows > 0 ? 1 : 0;
  if (ScansHeap(node)) {
    double scans = link.loop_source >= 0 ? flow.loops : share;
    flow.outer_rows = std::max(node.relation_rows, node.rows) * scans;
    flow.pages = node.relation_pages * scans;
    return flow;
  }
  if (node.op == Operator::kBitmapHeapScan) {
    flow.pages = std::min(node.relation_pages * std::max(1.0, flow.loops), flow.out_rows);
    return flow;
  }
  if (link.outer >= 0) {
    for (int child = link.first_child; child >= 0; child = links_[child].next_sibling) {
      ChildRole role = plan.nodes[child].role;
      if (role == ChildRole::kInner) flow.inner_rows += rows_of(child);
      if (role == ChildRole::kOuter || role == ChildRole::kMember) flow.outer_rows += rows_of(child);
    }
  }
  bool once = link.loop_source < 0 && !link.in_subplan && link.recursion < 0 && state.processes <= 1;
  if (once && node.op == Operator::kAgg && node.agg == AggStrategy::kHashed) {
    flow.groups = state.groups > 0 ? state.groups : node.quals > 0 ? std::max(node.groups, state.total) : state.total;
    flow.room = state.room;
    flow.out_share = whole || over ? 1 : state.total > 0 ? std::min(state.rows / state.total, 1.0) : 0;
  }
  return flow;
}

void Progress::Account(const PlanTree& plan, const NodeCounters* counters) {
  for (int p = 0; p < pipelines_; ++p) {
    PipelineState& pipe = pipes_[p];
    pipe.done = pipe.total = pipe.uncertain = pipe.blind = 0;
  }
  for (int i = 0; i < count_; ++i) {
    const PlanNode& node = plan.nodes[i];
    const Link& link = links_[i];
    NodeState& state = states_[i];
    NodeFlow whole = FlowOf(plan, i, true);
    NodeFlow part = FlowOf(plan, i, false);
    double input = InputWork(node, whole), input_done = std::min(InputWork(node, part), input);
    double output = OutputWork(node, whole), output_done = std::min(OutputWork(node, part), output);
    double blind = 0, blind_done = 0;
    bool once = link.loop_source < 0 && !link.in_subplan && link.recursion < 0;
    if (whole.outer_rows > 0) {
      double runs = std::max(1.0, whole.loops);
      blind = runs * BlindWork(node, whole.outer_rows / runs);
      bool silent = once && (node.op == Operator::kSort || node.agg == AggStrategy::kPlain);
      if (state.finished || (node.op == Operator::kSort && counters != nullptr && counters[i].sorted)) {
        blind_done = blind;
      } else if (silent) {
        if (state.input_over && state.started) pipes_[link.blind].blind += blind / std::max(1.0, state.processes);
      } else {
        blind_done = input > 0 ? blind * input_done / input : 0;
      }
    }
    // Processes work side by side; a subtree that each runs in full takes the time of one.
    double side_by_side = 1 / std::max(1.0, state.processes);
    for (double* part_of_work : {&input, &input_done, &output, &output_done, &blind, &blind_done}) {
      *part_of_work *= side_by_side;
    }
    state.work = input + output + blind;
    state.work_done = input_done + output_done + blind_done;
    // Estimates of nodes in a pipeline err together: standard deviations add.
    double open_input = input - input_done, open_output = output - output_done;
    double doubt = Relative(RowsLogSd(i));
    double input_doubt = doubt;
    if (link.outer >= 0 && link.feed != link.pipeline) {
      input_doubt = Relative(RowsLogSd(link.outer));
    }
    PipelineState& feed = pipes_[link.feed];
    PipelineState& pipe = pipes_[link.pipeline];
    feed.total += input;
    feed.done += input_done;
    pipes_[link.blind].total += blind;
    pipes_[link.blind].done += blind_done;
    pipes_[link.blind].uncertain += (blind - blind_done) * input_doubt;
    feed.uncertain += open_input * input_doubt;
    pipe.total += output;
    pipe.done += output_done;
    pipe.uncertain += open_output * doubt;
    nodes_[i].refined_rows = static_cast<float>(state.total);
    nodes_[i].refined_log_sd = static_cast<float>(RowsLogSd(i));
    nodes_[i].believed_rows = static_cast<float>(state.prior);
    nodes_[i].believed_log_sd = static_cast<float>(state.log_sd);
    double share = state.work > 0 ? state.work_done / state.work : state.fraction;
    nodes_[i].progress = static_cast<float>(state.finished ? 1 : std::clamp(share, 0.0, 1.0));
  }
}

double Progress::ShareOfWorkDone(const PlanTree& plan, const bool* marked) const {
  bool inside[kMaxPlanNodes];
  double all = 0, in_marked = 0;
  for (int i = 0; i < count_; ++i) {
    int parent = plan.nodes[i].parent;
    inside[i] = marked[i] || (parent >= 0 && inside[parent]);
    // A node's work is nominal; what a unit of it takes here is its pipeline's rate.
    double work = states_[i].work_done * pipes_[links_[i].feed].rate;
    all += work;
    if (inside[i]) in_marked += work;
  }
  return all > 0 && std::isfinite(all) ? std::clamp(in_marked / all, 0.0, 1.0) : 1;
}

// Mean share of the pipelines' drivers that is read: crude, but free of any estimate, so that the learned curve from it
// to time holds for other constants.
double Progress::DriverProgress() const {
  double read[kMaxPipelines] = {}, all[kMaxPipelines] = {};
  for (int i = 0; i < count_; ++i) {
    const Link& link = links_[i];
    const NodeState& state = states_[i];
    bool source = link.outer < 0 || link.feed != link.pipeline;
    if (!source || link.loop_source >= 0 || link.in_subplan || link.recursion >= 0) continue;
    double size = state.total + 1;
    read[link.pipeline] += (state.finished ? 1 : state.fraction) * size;
    all[link.pipeline] += size;
  }
  double sum = 0;
  int counted = 0;
  for (int p = 0; p < pipelines_; ++p) {
    if (all[p] <= 0) continue;
    sum += read[p] / all[p];
    ++counted;
  }
  return counted > 0 ? sum / counted : 0;
}

}  // namespace query_shaper
