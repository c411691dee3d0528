#include "core/report/operator_title.h"

namespace query_shaper {
namespace {

// By JoinKind; inner joins are titled like the operator.
constexpr const char* kNestLoops[] = {nullptr,
                                      nullptr,
                                      "Nested Loop Left Join",
                                      "Nested Loop Full Join",
                                      "Nested Loop Right Join",
                                      "Nested Loop Semi Join",
                                      "Nested Loop Anti Join"};
constexpr const char* kMergeJoins[] = {
    nullptr, nullptr, "Merge Left Join", "Merge Full Join", "Merge Right Join", "Merge Semi Join", "Merge Anti Join"};
constexpr const char* kHashJoins[] = {nullptr,           nullptr,          "Hash Left Join", "Hash Full Join",
                                      "Hash Right Join", "Hash Semi Join", "Hash Anti Join"};
constexpr const char* kAggregates[] = {nullptr, "Aggregate", "GroupAggregate", "HashAggregate", "MixedAggregate"};

template <int n>
const char* At(const char* const (&names)[n], int index) {
  return index >= 0 && index < n ? names[index] : nullptr;
}

}  // namespace

const char* OperatorTitle(Operator op, JoinKind join, AggStrategy agg) {
  const char* title = nullptr;
  switch (op) {
    case Operator::kNestLoop:
      title = At(kNestLoops, static_cast<int>(join));
      break;
    case Operator::kMergeJoin:
      title = At(kMergeJoins, static_cast<int>(join));
      break;
    case Operator::kHashJoin:
      title = At(kHashJoins, static_cast<int>(join));
      break;
    case Operator::kAgg:
      title = At(kAggregates, static_cast<int>(agg));
      break;
    default:
      break;
  }
  return title != nullptr ? title : OperatorName(op);
}

double CountedRows(Operator op, double rows) {
  const bool whole = op == Operator::kHash || op == Operator::kBitmapIndexScan || op == Operator::kBitmapAnd ||
                     op == Operator::kBitmapOr;
  return whole && !(rows > 0) ? -1 : rows;
}

}  // namespace query_shaper
