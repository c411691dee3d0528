// What the PostgreSQL-free core throws: a fault with a message in PostgreSQL's style (lower case, no full stop).
#pragma once
#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's: include them above pg/pg.h"
#endif
#include <stdexcept>

namespace query_shaper {

enum class Fault { kInvalidInput, kOutOfRange, kCorruptModel };

class Error : public std::runtime_error {
 public:
  Error(Fault fault, const char* message) : std::runtime_error(message), fault(fault) {}
  const Fault fault;
};

}  // namespace query_shaper
