// elapsed/progress, driver-node estimator and total GetNext, from the rows of activity_nodes.
#include "driver_baselines.h"

#include <algorithm>
#include <map>

namespace query_shaper::bench {

namespace {

struct Node {
  double rows = 0, planned = 0, total = 0;
  int parent = -1;
  bool driver = false;
  bool over = false;
  int pipeline = 0;  // of its output: index of the pipeline's top node, the child of a blocking node or the root
  std::vector<int> children;
};

bool Blocks(const std::string& op) {
  return op == "Sort" || op == "Hash" || op == "Aggregate" || op == "Materialize" || op == "Bitmap Index Scan" ||
         op == "BitmapAnd" || op == "BitmapOr" || op == "HashAggregate";
}

double TimeLeft(double elapsed_ms, double done, double total) {
  // Before the first row progress is 0 and nothing can be said; a watcher would read "unknown", counted as all to do.
  const double progress = std::clamp(total > 0 ? done / total : 0.0, 0.001, 1.0);
  return elapsed_ms * (1 - progress) / progress;
}

void MarkOver(std::vector<Node>* nodes, int i) {
  for (const int child : (*nodes)[i].children) {
    (*nodes)[child].over = true;
    MarkOver(nodes, child);
  }
}

}  // namespace

Baselines BaselinesOf(const Poll& poll) {
  Baselines baselines;
  const size_t count = poll.nodes.size();
  if (count == 0) return baselines;
  std::vector<Node> nodes(count);
  std::map<int, int> place;
  for (size_t i = 0; i < count; i++) place[poll.nodes[i].node_id] = static_cast<int>(i);
  for (size_t i = 0; i < count; i++) {
    const NodeView& view = poll.nodes[i];
    Node& node = nodes[i];
    node.planned = std::max(view.estimated_rows, 1.0);
    // Where nobody counts rows the refined progress of the node stands in, to the baselines' advantage.
    node.rows = view.actual_rows >= 0 ? view.actual_rows : std::max(view.progress, 0.0) * node.planned;
    const auto parent = place.find(view.parent_id);
    if (parent != place.end()) {
      node.parent = parent->second;
      nodes[node.parent].children.push_back(static_cast<int>(i));
    }
  }
  // Parents stand before their children.
  for (size_t i = 0; i < count; i++) {
    const NodeView& view = poll.nodes[i];
    Node& node = nodes[i];
    const bool starts = node.parent < 0 || Blocks(poll.nodes[node.parent].op);
    node.pipeline = starts ? static_cast<int>(i) : nodes[node.parent].pipeline;
    bool inner = false;
    for (int child = static_cast<int>(i), up = node.parent; up >= 0; child = up, up = nodes[up].parent) {
      if (poll.nodes[up].op == "Nested Loop" && nodes[up].children.size() > 1 && nodes[up].children[0] != child) {
        inner = true;
      }
    }
    node.driver = !inner && (node.children.empty() || Blocks(view.op));
    if (Blocks(view.op) && view.op != "Materialize" && node.rows > 0) MarkOver(&nodes, static_cast<int>(i));
  }
  std::map<int, std::pair<double, double>> drivers;  // pipeline -> rows so far, rows in all
  for (const Node& node : nodes) {
    if (!node.driver) continue;
    drivers[node.pipeline].first += node.rows;
    drivers[node.pipeline].second += node.over ? node.rows : std::max(node.rows, node.planned);
  }
  double rows = 0, planned = 0, driver_rows = 0, driver_total = 0, total = 0;
  for (const Node& node : nodes) {
    const double bound = node.over ? node.rows : std::max(node.rows, node.planned);
    rows += node.rows;
    planned += std::max(node.rows, node.planned);
    if (node.driver) {
      driver_rows += node.rows;
      driver_total += bound;
    }
    const auto driver = drivers.find(node.pipeline);
    double share = 0;
    if (driver != drivers.end() && driver->second.second > 0) share = driver->second.first / driver->second.second;
    double refined = bound;
    if (!node.over && !node.driver && share >= 0.02 && node.rows > 0) refined = std::max(node.rows, node.rows / share);
    total += refined;
  }
  baselines.elapsed_progress_ms = TimeLeft(poll.at_ms, rows, planned);
  baselines.dne_ms = TimeLeft(poll.at_ms, driver_rows, driver_total);
  baselines.tgn_ms = TimeLeft(poll.at_ms, rows, total);
  return baselines;
}

}  // namespace query_shaper::bench
