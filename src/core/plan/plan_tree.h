// A query plan as plain rows: what the server reads out of PostgreSQL's plan nodes and everything in core thinks about.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

// Larger plans keep their first kMaxPlanNodes nodes in depth-first order and say how many were left out.
constexpr int kMaxPlanNodes = 128;

// Values are stored and hashed into fingerprints: append only, never renumber.
enum class Operator : uint8_t {
  kOther = 0,
  kResult = 1,
  kProjectSet = 2,
  kModifyTable = 3,
  kAppend = 4,
  kMergeAppend = 5,
  kRecursiveUnion = 6,
  kBitmapAnd = 7,
  kBitmapOr = 8,
  kNestLoop = 9,
  kMergeJoin = 10,
  kHashJoin = 11,
  kSeqScan = 12,
  kSampleScan = 13,
  kIndexScan = 14,
  kIndexOnlyScan = 15,
  kBitmapIndexScan = 16,
  kBitmapHeapScan = 17,
  kTidScan = 18,
  kTidRangeScan = 19,
  kSubqueryScan = 20,
  kFunctionScan = 21,
  kValuesScan = 22,
  kTableFuncScan = 23,
  kCteScan = 24,
  kNamedTuplestoreScan = 25,
  kWorkTableScan = 26,
  kForeignScan = 27,
  kCustomScan = 28,
  kMaterial = 29,
  kMemoize = 30,
  kSort = 31,
  kIncrementalSort = 32,
  kGroup = 33,
  kAgg = 34,
  kWindowAgg = 35,
  kUnique = 36,
  kGather = 37,
  kGatherMerge = 38,
  kHash = 39,
  kSetOp = 40,
  kLockRows = 41,
  kLimit = 42,
  kCount = 43,
};

// EXPLAIN's name of the operator, e.g. "Hash Join"; static storage.
const char* OperatorName(Operator op);

enum class JoinKind : uint8_t { kNone = 0, kInner = 1, kLeft = 2, kFull = 3, kRight = 4, kSemi = 5, kAnti = 6 };
enum class AggStrategy : uint8_t { kNone = 0, kPlain = 1, kSorted = 2, kHashed = 3, kMixed = 4 };
enum class CommandKind : uint8_t { kSelect = 0, kInsert = 1, kUpdate = 2, kDelete = 3, kMerge = 4, kUtility = 5 };

// How a node hangs under its parent.
enum class ChildRole : uint8_t { kRoot = 0, kOuter = 1, kInner = 2, kMember = 3, kInitPlan = 4, kSubPlan = 5 };

struct PlanNode {
  int32_t node_id = 0;  // PostgreSQL's plan_node_id; has gaps
  int32_t parent = -1;  // index into PlanTree::nodes, -1 for the root; a parent stands before its children
  int16_t depth = 0;
  ChildRole role = ChildRole::kRoot;
  Operator op = Operator::kOther;
  JoinKind join = JoinKind::kNone;
  AggStrategy agg = AggStrategy::kNone;
  bool parallel_aware = false;
  bool under_gather = false;    // estimates are per process, counters come from several
  bool bounded = false;         // sort below a LIMIT that PostgreSQL can bound (top-N)
  bool distinct_input = false;  // aggregate with DISTINCT or ORDER BY: sorts inside the node, invisible to counters
  bool backward = false;
  bool outer_unique = false;  // join: no two outer rows share the key, so each inner row is met once at most
  bool inner_unique = false;  // join: each outer row meets one inner row at most
  int16_t workers = 0;        // Gather, Gather Merge: planned workers
  int16_t keys = 0;           // sort, group, hash or merge keys
  int16_t quals = 0;          // clauses evaluated per input row (filter, join filter, recheck)
  int16_t aggregates = 0;     // aggregate or window calls
  int16_t sorted_inputs = 0;  // aggregates that sort their input themselves (DISTINCT, ORDER BY)
  int32_t width = 0;          // bytes of an output row, as planned
  double rows = 0;            // estimated output rows per loop
  double startup_cost = 0;    // planner units, inclusive of children
  double total_cost = 0;
  double groups = 0;           // expected groups (aggregates), else 0
  double leading_values = 0;   // sorts by several keys: distinct values of the first, 0 unknown
  double compare_ns = 0;       // sorts: what a comparison by the first key takes beyond that of two numbers
  double call_ns = 0;          // aggregates: what the calls for one row take beyond those on numbers
  double limit_rows = -1;      // Limit with a constant count: count + offset; -1 unknown
  double relation_pages = 0;   // scans: heap blocks of the relation
  double relation_rows = 0;    // scans: rows of the relation by pg_class
  double index_pages = 0;      // index scans: blocks of the index
  double cached_share = -1;    // 0..1 of the relation found in shared buffers by a small sample; -1 unknown
  double memory_limit_kb = 0;  // work_mem (x hash_mem_multiplier) for what sorts, hashes, hash aggregates; else 0
  uint64_t relation_name = 0;  // hash of schema-qualified name, 0 none
  uint64_t index_name = 0;     // hash of the index's name, 0 none
};
static_assert(std::is_trivially_copyable_v<PlanNode>);

struct PlanTree {
  int32_t count = 0;     // nodes filled
  int32_t left_out = 0;  // nodes beyond kMaxPlanNodes
  CommandKind command = CommandKind::kSelect;
  bool has_returning = false;
  bool uses_jit = false;
  bool to_client = true;  // rows go to a client rather than into a table, a tuplestore or a parent statement
  int64_t query_id = 0;   // PostgreSQL's own jumble; 0 when compute_query_id is off
  PlanNode nodes[kMaxPlanNodes];
};
static_assert(std::is_trivially_copyable_v<PlanTree>);

}  // namespace query_shaper
