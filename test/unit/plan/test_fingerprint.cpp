#include <boost/test/unit_test.hpp>

#include <limits>
#include <memory>
#include <string>

#include "core/plan/fingerprint.h"

using namespace query_shaper;

namespace {

PlanTree JoinPlan() {
  PlanTree plan;
  const auto add = [&plan](int parent, ChildRole role, Operator op) -> PlanNode& {
    PlanNode& node = plan.nodes[plan.count];
    node.node_id = plan.count++;
    node.parent = parent;
    node.role = role;
    node.op = op;
    node.depth = parent < 0 ? 0 : static_cast<int16_t>(plan.nodes[parent].depth + 1);
    return node;
  };
  add(-1, ChildRole::kRoot, Operator::kAgg).agg = AggStrategy::kHashed;
  add(0, ChildRole::kOuter, Operator::kHashJoin).join = JoinKind::kInner;
  add(1, ChildRole::kOuter, Operator::kSeqScan).relation_name = 11;
  add(1, ChildRole::kInner, Operator::kHash);
  PlanNode& scan = add(3, ChildRole::kOuter, Operator::kIndexScan);
  scan.relation_name = 22;
  scan.index_name = 33;
  return plan;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fingerprint)

BOOST_AUTO_TEST_CASE(figures_and_ids_do_not_enter) {
  const PlanTree plan = JoinPlan();
  PlanTree other = plan;
  other.query_id = 99;
  for (int i = 0; i < other.count; ++i) {
    PlanNode& node = other.nodes[i];
    node.node_id += 17;
    node.rows = 1e6;
    node.total_cost = 12345;
    node.workers = 4;
    node.width = 80;
    node.groups = 12;
    node.relation_pages = 1000;
    node.cached_share = 0.5;
    node.memory_limit_kb = 65536;
  }
  BOOST_TEST(PlanFingerprint(plan) == PlanFingerprint(other));
}

BOOST_AUTO_TEST_CASE(every_part_of_the_shape_enters) {
  const PlanTree plan = JoinPlan();
  const uint64_t name = PlanFingerprint(plan);
  const auto differs = [&](auto change) {
    PlanTree other = plan;
    change(other);
    return PlanFingerprint(other) != name;
  };
  BOOST_TEST(differs([](PlanTree& p) { p.nodes[2].op = Operator::kSampleScan; }));
  BOOST_TEST(differs([](PlanTree& p) { p.nodes[1].join = JoinKind::kLeft; }));
  BOOST_TEST(differs([](PlanTree& p) { p.nodes[0].agg = AggStrategy::kSorted; }));
  BOOST_TEST(differs([](PlanTree& p) { p.nodes[2].relation_name = 12; }));
  BOOST_TEST(differs([](PlanTree& p) { p.nodes[4].index_name = 34; }));
  BOOST_TEST(differs([](PlanTree& p) { p.nodes[2].parallel_aware = true; }));
  BOOST_TEST(differs([](PlanTree& p) { std::swap(p.nodes[2].relation_name, p.nodes[4].relation_name); }));
  BOOST_TEST(differs([](PlanTree& p) { p.nodes[4].role = ChildRole::kSubPlan; }));
  BOOST_TEST(differs([](PlanTree& p) { p.nodes[4].depth = 2; }));
  BOOST_TEST(differs([](PlanTree& p) { --p.count; }));
  BOOST_TEST(differs([](PlanTree& p) { p.left_out = 3; }));
  BOOST_TEST(differs([](PlanTree& p) { p.command = CommandKind::kDelete; }));
}

BOOST_AUTO_TEST_CASE(the_name_is_the_same_in_every_release) {
  // A change here orphans every stored history: change the stored version with it.
  BOOST_TEST(PlanFingerprint(JoinPlan()) == 0xe4eb5d3a36509bc3ULL);
  PlanTree empty;
  BOOST_TEST(PlanFingerprint(empty) != 0u);
}

BOOST_AUTO_TEST_CASE(a_count_out_of_range_is_harmless) {
  auto plan = std::make_unique<PlanTree>();
  plan->count = std::numeric_limits<int32_t>::max();
  BOOST_TEST(PlanFingerprint(*plan) != 0u);
  plan->count = -5;
  BOOST_TEST(PlanFingerprint(*plan) != 0u);
}

BOOST_AUTO_TEST_CASE(operators_bear_the_names_of_explain) {
  BOOST_TEST(std::string(OperatorName(Operator::kHashJoin)) == "Hash Join");
  BOOST_TEST(std::string(OperatorName(Operator::kGatherMerge)) == "Gather Merge");
  BOOST_TEST(std::string(OperatorName(Operator::kMaterial)) == "Materialize");
  BOOST_TEST(std::string(OperatorName(Operator::kLimit)) == "Limit");
  BOOST_TEST(std::string(OperatorName(static_cast<Operator>(200))) == "Other");
}

BOOST_AUTO_TEST_SUITE_END()
