// Kinds of learned rows by the names that stand in the tables.
#pragma once
#include "server/shared_rows.h"

namespace query_shaper {

inline constexpr const char* kRowKindNames[] = {"scan", "join", "group", "lookup", "function", "cte", "subquery"};

inline const char* RowKindName(RowKind kind) {
  const auto index = static_cast<unsigned>(kind);
  return index < lengthof(kRowKindNames) ? kRowKindNames[index] : kRowKindNames[0];
}

inline RowKind RowKindOf(const char* name) {
  for (unsigned i = 0; i < lengthof(kRowKindNames); ++i)
    if (strcmp(name, kRowKindNames[i]) == 0) return static_cast<RowKind>(i);
  return RowKind::kScan;
}

}  // namespace query_shaper
