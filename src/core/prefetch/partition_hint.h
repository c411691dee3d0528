// What a user says of how a relation is read: taken at its word until measurement knows better.
#pragma once
#include <cstdint>

#include "core/prefetch/access_model.h"

namespace query_shaper {

constexpr int kHintBlocksMost = 131072;  // one segment of 1 GB

struct PartitionHint {
  Pattern pattern = Pattern::kUnknown;  // kUnknown: nothing was said
  int32_t suggested_blocks = 0;         // 0: nothing was said
};

// Text of the statement-level setting: "PATTERN[:BLOCKS]" for all relations, or "RELATION=PATTERN[:BLOCKS], ..." with
// RELATION a name or schema.name, unquoted; the part that names the relation most closely counts. Null when the text is
// sound, else what is wrong with it (lower case, no full stop).
const char* CheckHintText(const char* text);

// False when the text, which is sound, says nothing of the relation.
bool FindHint(const char* text, const char* schema, const char* relation, PartitionHint* hint);

// The pattern to go by and the extent to read in: the hint's, unless enough was measured and most of it says otherwise.
Pattern AdvisedPattern(const PartitionHint& hint, const AccessModel& model);
uint32_t AdvisedExtentBlocks(const PartitionHint& hint, const AccessModel& model);

}  // namespace query_shaper
