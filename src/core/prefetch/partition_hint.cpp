#include "core/prefetch/partition_hint.h"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace query_shaper {

namespace {

constexpr float kOverruledFrom = 256;    // blocks seen
constexpr float kOverruledShare = 0.6F;  // of them, of another pattern

struct Part {
  const char* from;
  size_t length;
};

Part Trimmed(const char* from, const char* to) {
  while (from < to && std::isspace(static_cast<unsigned char>(*from)) != 0) ++from;
  while (from < to && std::isspace(static_cast<unsigned char>(to[-1])) != 0) --to;
  return {from, static_cast<size_t>(to - from)};
}

Part UpTo(Part* rest, char end) {
  const auto* const found = static_cast<const char*>(std::memchr(rest->from, end, rest->length));
  const char* const to = rest->from + rest->length;
  const Part part = Trimmed(rest->from, found == nullptr ? to : found);
  *rest = found == nullptr ? Part{to, 0} : Part{found + 1, static_cast<size_t>(to - found - 1)};
  return part;
}

bool Has(const Part& part, char wanted) { return std::memchr(part.from, wanted, part.length) != nullptr; }

Pattern PatternIn(const Part& part) {
  for (int i = 1; i < kPatterns; ++i) {
    const char* const name = PatternName(static_cast<Pattern>(i));
    if (std::strlen(name) == part.length && std::memcmp(name, part.from, part.length) == 0)
      return static_cast<Pattern>(i);
  }
  return Pattern::kUnknown;
}

// Below 0: no number of blocks.
int32_t BlocksIn(const Part& part) {
  if (part.length == 0 || part.length > 6) return -1;
  int32_t blocks = 0;
  for (size_t i = 0; i < part.length; ++i) {
    if (part.from[i] < '0' || part.from[i] > '9') return -1;
    blocks = blocks * 10 + (part.from[i] - '0');
  }
  return blocks >= 1 && blocks <= kHintBlocksMost ? blocks : -1;
}

const char* ReadPart(Part part, Part* relation, PartitionHint* hint) {
  *relation = {part.from, 0};
  if (Has(part, '=')) {
    *relation = UpTo(&part, '=');
    if (relation->length == 0) return "a relation's name is missing";
  }
  const bool sized = Has(part, ':');
  hint->pattern = PatternIn(UpTo(&part, ':'));
  if (hint->pattern == Pattern::kUnknown) return "a pattern must be sequential, strided, clustered, cyclic or random";
  hint->suggested_blocks = sized ? BlocksIn(Trimmed(part.from, part.from + part.length)) : 0;
  return hint->suggested_blocks < 0 ? "a number of blocks must be between 1 and 131072" : nullptr;
}

// 0: of another relation, else the closer the higher.
int Closeness(const Part& name, const char* schema, const char* relation) {
  if (name.length == 0) return 1;
  const size_t schema_length = std::strlen(schema), length = std::strlen(relation);
  if (name.length == length && std::memcmp(name.from, relation, length) == 0) return 2;
  const bool qualified = name.length == schema_length + 1 + length && name.from[schema_length] == '.' &&
                         std::memcmp(name.from, schema, schema_length) == 0 &&
                         std::memcmp(name.from + schema_length + 1, relation, length) == 0;
  return qualified ? 3 : 0;
}

// Calls use(relation, hint) for each part; null, or what is wrong.
template <typename Use>
const char* ReadHints(const char* text, Use use) {
  Part rest = Trimmed(text, text + std::strlen(text));
  while (rest.length > 0) {
    Part relation;
    PartitionHint hint;
    const char* const wrong = ReadPart(UpTo(&rest, ','), &relation, &hint);
    if (wrong != nullptr) return wrong;
    use(relation, hint);
  }
  return nullptr;
}

bool Overruled(const PartitionHint& hint, const AccessModel& model) {
  float all = 0;
  for (int i = 1; i < kPatterns; ++i) all += model.pattern_weight[i];
  const Pattern measured = ModelPattern(model);
  if (measured == Pattern::kUnknown || measured == hint.pattern || all < kOverruledFrom) return false;
  // A cycle longer than the window is judged by its transitions, not by the weights.
  return measured == Pattern::kCyclic || model.pattern_weight[static_cast<int>(measured)] >= kOverruledShare * all;
}

}  // namespace

const char* CheckHintText(const char* text) {
  return ReadHints(text, [](const Part&, const PartitionHint&) {});
}

bool FindHint(const char* text, const char* schema, const char* relation, PartitionHint* hint) {
  int closest = 0;
  ReadHints(text, [&](const Part& name, const PartitionHint& said) {
    const int closeness = Closeness(name, schema, relation);
    if (closeness == 0 || closeness < closest) return;
    closest = closeness;
    *hint = said;
  });
  return closest > 0;
}

Pattern AdvisedPattern(const PartitionHint& hint, const AccessModel& model) {
  return hint.pattern == Pattern::kUnknown || Overruled(hint, model) ? ModelPattern(model) : hint.pattern;
}

uint32_t AdvisedExtentBlocks(const PartitionHint& hint, const AccessModel& model) {
  if (hint.pattern == Pattern::kUnknown || Overruled(hint, model)) return ModelExtentBlocks(model);
  if (hint.suggested_blocks > 0) return static_cast<uint32_t>(hint.suggested_blocks);
  switch (hint.pattern) {
    case Pattern::kSequential:
      return 1024;
    case Pattern::kClustered:
      return std::max(ModelExtentBlocks(model), kModelExtent);
    default:
      return 1;
  }
}

}  // namespace query_shaper
