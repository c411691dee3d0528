// Every tick: which nodes are over, and how many rows the others will deliver in all.
#include "core/track/progress.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace query_shaper {

namespace {

constexpr double kMaxRatio = 1e4;
constexpr double kSure = 0.25;            // log standard deviation of an estimate that outweighs extrapolation
constexpr double kClustering = 1.0;       // of rows in a heap (see SurePosterior)
constexpr double kJoinClustering = 0.02;  // of rows out of a join
constexpr double kManyPerRow = 1.2;       // rows of a merge join per outer row, beyond which keys are duplicate

bool HashesGroups(const PlanNode& node) {
  return node.op == Operator::kAgg && (node.agg == AggStrategy::kHashed || node.agg == AggStrategy::kMixed);
}

// Its rows are pairs of one of either side, and it ends with the first side that ends.
bool JoinsPairs(JoinKind join) {
  return join != JoinKind::kLeft && join != JoinKind::kAnti && join != JoinKind::kRight && join != JoinKind::kFull;
}

double Ratio(double refined, double prior) {
  return std::clamp((refined + 0.5) / (prior + 0.5), 1 / kMaxRatio, kMaxRatio);
}

double Share(double part, double whole) { return whole > 0 ? std::clamp(part / whole, 0.0, 1.0) : 0; }

// Posterior mean of a row total: n rows seen at fraction f, expected `prior` in all (see progress.h).
// An estimate that the rows seen already exceed is refuted and loses its weight.
double Posterior(double n, double f, double prior, double strength) {
  if (n > prior) strength *= (prior / n) * (prior / n);
  strength = std::max(strength, 1e-3);
  return n + (1 - f) * (n + strength * prior) / (f + strength);
}

// Rows of a scan whose estimate rests on good statistics. Heaps lie in the order of insertion, so that what is wanted
// may all stand near the end: the extrapolation n / f has the variance c (1 - f) / f of clustered rows, not that of a
// sample.
double SurePosterior(double n, double f, double expected, double log_sd, double clustering) {
  double sampled = clustering * (1 - f) / (f + 1e-3) + (1 - f) / (n + 0.5) + 1e-6;
  // An estimate already exceeded is wrong by at least that much.
  double sd = std::max(log_sd, std::log((n + 0.5) / (expected + 0.5)));
  double weight = sampled / (sampled + sd * sd);
  double log_total = weight * std::log(expected + 0.5) + (1 - weight) * std::log((n + 0.5) / (f + 1e-3));
  return std::max(n, std::exp(log_total));
}

// n of those looked at in random order pass, at share f of them: a count of variance n.
double SampledTotal(double n, double f, double expected, double log_sd) {
  double sampled = (1 - f) / (n + 0.5);
  double sd = std::max(log_sd, std::log((n + 0.5) / (expected + 0.5)));
  double weight = sampled / (sampled + sd * sd + 1e-6);
  double log_total = weight * std::log(expected + 0.5) + (1 - weight) * std::log((n + 0.5) / f);
  return std::max(n, std::exp(log_total));
}

double Believed(double n, double f, double expected, double strength, double log_sd, double clustering) {
  return log_sd < kSure ? SurePosterior(n, f, expected, log_sd, clustering) : Posterior(n, f, expected, strength);
}

// Mean of a log-normal quantity of mean `mean` once it is known to exceed n: where only the estimate says where a scan
// ends.
double MeanBeyond(double mean, double log_sd, double n) {
  if (n <= 0 || mean <= 0) return mean;
  double sd = std::max(log_sd, 0.05);
  double z = (std::log(n / mean) + 0.5 * sd * sd) / sd;
  if (z > 5) return n * (1 + sd * sd / (1 + sd));
  double above = std::erfc(z / std::numbers::sqrt2), moment = std::erfc((z - sd) / std::numbers::sqrt2);
  return std::max(mean * moment / std::max(above, 1e-12), n);
}

// Distinct values among `all` draws when the first `seen` of them showed `distinct`: solves D (1 - exp(-seen / D)) =
// distinct and asks for the same at `all`. Uniform values assumed, so skew makes it low; never below what was seen.
double ExtrapolateGroups(double distinct, double seen, double all) {
  if (distinct <= 0 || seen <= 0 || all <= seen) return distinct;
  if (distinct >= seen * 0.999) return distinct * all / seen;
  double low = distinct, high = distinct * 1e4;
  for (int step = 0; step < 40; ++step) {
    double middle = std::sqrt(low * high);
    (middle * -std::expm1(-seen / middle) < distinct ? low : high) = middle;
  }
  return std::max(distinct, -low * std::expm1(-all / low));
}

}  // namespace

void Progress::MarkFinished(const PlanTree& plan, const NodeCounters* counters) {
  for (int i = 0; i < count_; ++i) {
    const PlanNode& node = plan.nodes[i];
    const NodeCounters& c = counters[i];
    const Link& link = links_[i];
    NodeState& state = states_[i];
    bool once = link.loop_source < 0 && !link.in_subplan && link.recursion < 0;
    if (once && c.ended) state.finished = true;
    if (c.total_units > 0) {
      // The position falls back to none when the scan ends.
      if (once && c.done_units <= 0 && state.seen_units >= 0.9 * c.total_units) state.finished = true;
      state.seen_units = std::max(state.seen_units, std::min(c.done_units, c.total_units));
    }
    int parent = node.parent;
    if (parent < 0) continue;
    const NodeCounters& above = counters[parent];
    const PlanNode& upper = plan.nodes[parent];
    if (node.role != ChildRole::kSubPlan || states_[parent].finished) {
      bool taken = states_[parent].finished;
      if (once && node.role != ChildRole::kInitPlan) {
        if (upper.op == Operator::kSort && above.sorted) taken = true;
        if (HashesGroups(upper) && above.filled) taken = true;
        if (upper.op == Operator::kHash && upper.parent >= 0 && counters[upper.parent].filled) taken = true;
        if (node.op == Operator::kHash && above.filled) taken = true;
        if (upper.op == Operator::kBitmapHeapScan && above.rows > 0) taken = true;
      }
      if (taken) state.finished = true;
    }
  }
}

double Progress::InputRatio(const PlanNode& node, const Link& link, double NodeState::*now,
                            double NodeState::*then) const {
  auto of = [&](int i) { return Ratio(states_[i].*now, states_[i].*then); };
  if (link.outer < 0 || node.op == Operator::kBitmapHeapScan) return link.loop_source >= 0 ? of(link.loop_source) : 1;
  if (node.op == Operator::kAgg && node.agg == AggStrategy::kPlain) {
    return link.loop_source >= 0 ? of(link.loop_source) : 1;
  }
  double ratio = of(link.outer);
  // The rounds of a recursion follow its own estimate: not the other way round.
  bool inner = link.inner >= 0 && node.join != JoinKind::kSemi && node.join != JoinKind::kAnti &&
               node.op != Operator::kRecursiveUnion;
  if (inner) {
    // Rows of a looped inner side already hold the outer's ratio.
    bool looped = links_[link.inner].loop_source == link.outer;
    ratio = looped ? of(link.inner) : ratio * of(links_[link.inner].once);
  }
  if (node.op == Operator::kAppend || node.op == Operator::kMergeAppend || node.op == Operator::kBitmapOr) {
    double sum_now = 0, sum_then = 0;
    for (int c = link.first_child; c >= 0; c = links_[c].next_sibling) {
      sum_now += states_[c].*now;
      sum_then += states_[c].*then;
    }
    ratio = Ratio(sum_now, sum_then);
  }
  return std::clamp(ratio, 1 / kMaxRatio, kMaxRatio);
}

double Progress::JoinBound(const PlanNode& node, const Link& link, double NodeState::*rows) const {
  constexpr double kUnbounded = 1e300;
  if (link.outer < 0 || link.inner < 0) return kUnbounded;
  double outer = states_[link.outer].*rows, inner = states_[link.inner].*rows;
  switch (node.join) {
    case JoinKind::kInner:
      return std::min(node.outer_unique ? inner : kUnbounded, node.inner_unique ? outer : kUnbounded);
    case JoinKind::kSemi:
    case JoinKind::kAnti:
      return outer;
    case JoinKind::kLeft:
      return node.inner_unique ? outer : kUnbounded;
    case JoinKind::kRight:
      return node.outer_unique ? inner : kUnbounded;
    default:
      return kUnbounded;
  }
}

double Progress::InputFraction(const PlanTree& plan, int i, double joined) const {
  const PlanNode& node = plan.nodes[i];
  const Link& link = links_[i];
  if (link.outer < 0) return 0;
  const NodeState& outer = states_[link.outer];
  if (node.op == Operator::kAppend || node.op == Operator::kMergeAppend) {
    double taken = 0, total = 0;
    for (int c = link.first_child; c >= 0; c = links_[c].next_sibling) {
      taken += states_[c].given * (states_[c].total + 1);
      total += states_[c].total + 1;
    }
    return Share(taken, total);
  }
  if (node.op == Operator::kNestLoop) {
    if (outer.finished && link.inner >= 0 && !states_[link.inner].finished && outer.total > 0 && outer.total < 2)
      return 0;
    // The outer row in work is not over yet: on average half of it is.
    return outer.rows > 0 && outer.total > 0 ? outer.given * std::max(0.0, outer.rows - 0.5) / outer.rows : 0;
  }
  if (node.op == Operator::kMergeJoin && link.inner >= 0) {
    // Many rows of the inner side that went by without a partner tell little of those to come, which each outer row
    // meets in turn.
    const bool pairs = JoinsPairs(node.join) && MeetsMany(i, joined);
    return pairs ? std::sqrt(outer.given * InnerPosition(plan, i)) : LeadingShare(plan, i);
  }
  return outer.given;
}

bool Progress::MeetsMany(int i, double joined) const {
  const NodeState& outer = states_[links_[i].outer];
  const double first = kJoinClustering * outer.total + 1;
  const double expected = first * states_[i].prior / std::max(1.0, outer.prior);
  return joined + expected > kManyPerRow * (outer.rows + first);
}

double Progress::InnerPosition(const PlanTree& plan, int i) const {
  const int inner = links_[i].inner;
  // What a Material has taken in is a position, what it has given out again and again is not.
  return states_[plan.nodes[inner].op == Operator::kMaterial ? links_[inner].once : inner].given;
}

double Progress::LeadingShare(const PlanTree& plan, int i) const {
  const PlanNode& node = plan.nodes[i];
  const double outer = states_[links_[i].outer].given, inner = InnerPosition(plan, i);
  // The side that ends first ends the join, unless its rows must come out unmatched.
  switch (node.join) {
    case JoinKind::kLeft:
    case JoinKind::kAnti:
      return outer;
    case JoinKind::kRight:
      return inner;
    case JoinKind::kFull:
      return std::min(outer, inner);
    default:
      break;
  }
  const bool counts_again = plan.nodes[links_[i].inner].op != Operator::kMaterial && MeetsMany(i, states_[i].rows);
  return counts_again ? outer : std::max(outer, inner);
}

void Progress::RefineLeaf(const PlanNode& node, const NodeCounters& c, const Link& link, NodeState* state) {
  double expected = state->prior;
  if (link.cte >= 0) expected = states_[link.cte].finished ? states_[link.cte].rows : states_[link.cte].total;
  double fraction = 0;
  bool positioned = false;
  if (link.loop_source >= 0) {
    const NodeState& source = states_[link.loop_source];
    expected *= Ratio(source.total, source.prior);
    if (link.met_once && node.relation_rows > 0) expected = std::min(expected, node.relation_rows);
    fraction = source.rows > 0 ? source.given * std::max(0.0, source.rows - 0.5) / source.rows : 0;
    positioned = true;
  } else if (link.recursion >= 0) {
    const NodeState& rounds = states_[link.recursion];
    expected *= Ratio(rounds.total, rounds.prior);
    fraction = rounds.given;
    positioned = true;
  } else if (c.total_units > 0) {
    fraction = Share(state->seen_units, c.total_units);
    positioned = true;
  }
  state->rows = c.rows >= 0 ? c.rows : (state->finished ? expected : fraction * expected);
  if (state->finished) {
    state->total = state->rows;
    state->fraction = 1;
    return;
  }
  if (positioned) {
    state->total = c.rows < 0 ? expected
                              : Believed(state->rows, fraction, expected, state->strength, state->log_sd,
                                         link.loop_source < 0 ? kClustering : kJoinClustering);
    if (link.met_once && node.relation_rows > 0) {
      state->at_bound = state->total > 0.99 * node.relation_rows;
      state->total = std::max(state->rows, std::min(state->total, node.relation_rows));
    }
    state->fraction = fraction;
  } else {
    state->total = std::max(MeanBeyond(expected, state->log_sd, state->rows), state->rows + 1);
    state->fraction = Share(state->rows, state->total);
  }
}

double Progress::SeenGroups(const NodeCounters& c, const NodeState& outer, NodeState* state) const {
  double all = std::max(outer.rows, outer.total);
  if (!c.spilled) {
    // What is full now may be given more memory; once all is in, it was enough.
    state->room = c.filled ? 1e300 : std::max(c.room, c.room > 0 ? c.held_rows : 0.0);
    return c.filled ? c.held_rows : ExtrapolateGroups(c.held_rows, outer.rows, all);
  }
  if (state->full_after <= 0) {
    state->full_after = outer.rows;
    state->room = std::max(1.0, c.held_rows);
  }
  double groups = ExtrapolateGroups(state->room, state->full_after, all);
  // Rows go to files by their hash: each file holds about as many groups.
  double read = c.batches - c.to_read - 1;
  if (!c.filled || read < 1 || state->rows <= state->room) return groups;
  double by_files = state->room + (state->rows - state->room) / std::max(read - 0.5, 0.5) * (read + c.to_read);
  double trust = read / (read + c.to_read);
  return std::exp(trust * std::log(by_files) + (1 - trust) * std::log(groups));
}

void Progress::RefineNode(const PlanTree& plan, const NodeCounters* counters, int i) {
  const PlanNode& node = plan.nodes[i];
  const NodeCounters& c = counters[i];
  const Link& link = links_[i];
  NodeState& state = states_[i];
  // A bitmap is handed over in one piece: its rows pass no counter.
  if (node.op == Operator::kBitmapIndexScan || node.op == Operator::kBitmapAnd || node.op == Operator::kBitmapOr) {
    NodeCounters silent = c;
    silent.rows = -1;
    RefineLeaf(node, silent, link, &state);
    return;
  }
  state.started = state.started || c.rows > 0 || c.loops > 0 || c.done_units > 0 || c.held_rows > 0;
  for (int child = link.first_child; child >= 0; child = links_[child].next_sibling) {
    if (states_[child].started && plan.nodes[child].role != ChildRole::kInitPlan) state.started = true;
  }
  if (link.outer < 0 || node.op == Operator::kBitmapHeapScan) {
    RefineLeaf(node, c, link, &state);
    return;
  }
  const NodeState& outer = states_[link.outer];
  double expected = state.prior;
  if (!state.told) expected *= InputRatio(node, link, &NodeState::total, &NodeState::prior);
  double input = InputFraction(plan, i, std::max(0.0, c.rows));
  state.input_over = outer.finished || (outer.given >= 1 && outer.started);
  bool passes = node.op == Operator::kSort || node.op == Operator::kHash || node.op == Operator::kMaterial ||
                node.op == Operator::kGather || node.op == Operator::kGatherMerge || node.op == Operator::kWindowAgg ||
                node.op == Operator::kIncrementalSort || node.op == Operator::kLockRows;
  bool looped = link.loop_source >= 0 || link.in_subplan || (link.recursion >= 0 && node.op != Operator::kHash);
  if (passes && !looped) {
    expected = node.bounded ? std::min(state.prior, outer.total) : outer.total;
  }
  double counted = c.rows;
  if (node.op == Operator::kHash && node.parent >= 0) counted = counters[node.parent].held_rows;
  if (node.op == Operator::kModifyTable && counted <= 0) counted = outer.rows;
  state.rows = counted >= 0 ? counted : (passes && node.op != Operator::kSort ? outer.rows : input * expected);
  if (state.finished) {
    state.total = state.rows;
    state.fraction = 1;
    return;
  }
  if (node.op == Operator::kHash) {
    state.total = std::max(outer.total, state.rows);
    if (outer.finished && state.rows > 0) state.total = state.rows;
    state.fraction = input;
    return;
  }
  if (node.op == Operator::kRecursiveUnion && !looped) {
    state.total = std::max(MeanBeyond(std::max(expected, outer.total), state.log_sd, state.rows), state.rows + 1);
    state.fraction = Share(state.rows, state.total);
    return;
  }
  if (node.op == Operator::kSort && !looped) {
    state.total = std::max(expected, state.rows);
    if (link.once != i) state.total = std::max(state.total, states_[node.parent].total);
    state.fraction = c.sorted ? Share(state.rows, state.total) : 0;
    return;
  }
  if (HashesGroups(node) && !looped) {
    double groups = expected;
    if (c.held_rows > 0 && outer.rows > 0) {
      double refined = SeenGroups(c, outer, &state);
      double trust = input / (input + 0.2);
      if (c.filled) trust = !c.spilled || c.batches <= 1 ? 1 : std::max(trust, 1 - 0.5 * c.to_read / c.batches);
      groups = std::exp(trust * std::log(refined + 1) + (1 - trust) * std::log(expected + 1)) - 1;
      groups = std::max(groups, c.held_rows);
    }
    groups = std::min(groups, std::max(1.0, outer.total));
    state.groups = groups;
    if (node.quals > 0) {
      // A HAVING filter keeps some of them. The table is walked in an order that has nothing to do with it.
      const double most = groups;
      groups = std::min(groups, std::max(expected, 1.0));
      if (c.filled && c.walked > 0 && counted >= 0)
        groups = std::min(most, SampledTotal(state.rows, std::min(c.walked, 1.0), groups, state.log_sd));
    }
    state.total = std::max(groups, state.rows);
    state.fraction = c.filled ? Share(state.rows, state.total) : 0;
    return;
  }
  if (node.op == Operator::kAgg && node.agg == AggStrategy::kPlain && !looped) {
    state.total = std::max(1.0, state.rows);
    state.fraction = 0;
    return;
  }
  if (looped) {
    double f = link.recursion >= 0 ? states_[link.recursion].given : input;
    if (link.loop_source >= 0) {
      const NodeState& source = states_[link.loop_source];
      f = source.rows > 0 ? source.given * std::max(0.0, source.rows - 0.5) / source.rows : 0;
    }
    state.total =
        counted >= 0 ? Believed(state.rows, f, expected, state.strength, state.log_sd, kJoinClustering) : expected;
    state.fraction = f;
    return;
  }
  double total =
      counted >= 0 ? Believed(state.rows, input, expected, state.strength, state.log_sd, kJoinClustering) : expected;
  if (node.op == Operator::kUnique || node.op == Operator::kGroup || node.op == Operator::kLimit) {
    total = std::min(total, std::max(outer.total, state.rows));
  }
  if (node.op == Operator::kLimit && node.limit_rows >= 0) {
    total = std::min(total, std::min(node.limit_rows, std::max(outer.total, state.rows)));
    total = std::max(total, state.rows);
    state.fraction = std::max(Share(state.rows, std::max(1.0, node.limit_rows)), input);
  } else {
    state.fraction = input;
  }
  // Hash join in several batches: after the probe side is read, the later batches still come.
  if (node.op == Operator::kHashJoin && c.batches > 1) {
    double batches = (std::max(0.0, c.batch_now) + 0.5) / c.batches;
    state.fraction = outer.finished || input >= 1 ? std::max(0.5, 0.5 + 0.5 * batches) : 0.5 * input;
    if (counted >= 0)
      total = Believed(state.rows, state.fraction, expected, state.strength, state.log_sd, kJoinClustering);
  }
  // Each pair that a merge join puts together is one more row read of its inner side.
  if (link.once != i && !looped) total = std::max(total, states_[node.parent].total);
  double bound = JoinBound(node, link, &NodeState::total);
  state.at_bound = total > 0.99 * bound;
  total = std::min(total, bound);
  state.total = std::max(total, state.rows);
}

void Progress::CutShort(const PlanTree& plan) {
  double cut[kMaxPlanNodes];
  for (int i = 0; i < count_; ++i) {
    const PlanNode& node = plan.nodes[i];
    NodeState& state = states_[i];
    cut[i] = 1;
    int parent = node.parent;
    if (parent < 0) continue;
    const PlanNode& upper = plan.nodes[parent];
    bool streams = links_[parent].feed == links_[parent].pipeline && links_[i].pipeline == links_[parent].pipeline &&
                   links_[i].feed == links_[i].pipeline;
    if (upper.op == Operator::kLimit && upper.limit_rows >= 0 && node.role == ChildRole::kOuter) {
      double wanted = std::max(1.0, upper.limit_rows);
      if (state.total > wanted && links_[i].feed == links_[i].pipeline) {
        cut[i] = wanted / state.total;
      } else if (state.total > wanted) {
        state.total = std::max(wanted, state.rows);
        state.fraction = std::max(state.fraction, Share(state.rows, state.total));
        state.given = std::max(state.given, state.fraction);
      }
    } else if (streams) {
      cut[i] = cut[parent];
      // The other side of a merge join goes on no further than the leading one.
      if (upper.op == Operator::kMergeJoin) {
        double lead = LeadingShare(plan, parent);
        if (lead > state.fraction && state.fraction > 0) cut[i] *= std::pow(state.fraction / lead, lead);
      }
    }
    if (cut[i] < 1 && !state.finished) {
      state.total = std::max(state.rows, state.total * cut[i]);
      state.fraction = std::min(1.0, state.fraction / cut[i]);
      state.given = std::min(1.0, state.given / cut[i]);
    }
  }
}

void Progress::Refine(const PlanTree& plan, const NodeCounters* counters) {
  MarkFinished(plan, counters);
  for (int k = 0; k < count_; ++k) {
    RefineNode(plan, counters, order_[k]);
    NodeState& state = states_[order_[k]];
    if (!std::isfinite(state.total)) state.total = std::max(0.0, state.rows);
    state.total = std::clamp(state.total, 0.0, 1e15);
    state.fraction = std::clamp(state.fraction, 0.0, 1.0);
    // The driver's position says how much was read, not how much of what is wanted was found there.
    bool counted = counters[order_[k]].rows > 0 && !state.finished;
    state.given = counted ? Share(state.rows, state.total) : state.fraction;
  }
  CutShort(plan);
}

}  // namespace query_shaper
