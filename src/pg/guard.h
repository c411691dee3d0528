// The one place where C++ exceptions and PostgreSQL errors meet.
//
//   PostgreSQL --> EnterCpp(body) or Advise(what, body) --> C++ --> CallPg(call) --> PostgreSQL
//
// PostgreSQL raises by longjmp, which skips destructors; C++ raises by unwinding, which skips PG_CATCH.
// Neither may cross the other's frames.
#pragma once
#include "core/base/error.h"
#include "pg/pg.h"

#include <cstdio>
#include <exception>
#include <new>

namespace query_shaper::pg {

// A PostgreSQL error on its way through C++ frames. Never swallow one: only a subtransaction may undo what the failed
// call left behind.
class PgError final : public std::exception {
 public:
  explicit PgError(ErrorData* data) : data(data) {}
  const char* what() const noexcept override { return data->message; }
  ErrorData* const data;  // in the memory context of CallPg()'s caller
};

struct ErrorStackScope {
  sigjmp_buf* const jump = PG_exception_stack;
  ErrorContextCallback* const context = error_context_stack;
  ~ErrorStackScope() {
    PG_exception_stack = jump;
    error_context_stack = context;
  }
};

// Runs call(); an ereport(ERROR) inside it is thrown as PgError. The call must own nothing with a destructor: objects
// belong in the frames above CallPg(). Costs about 40 ns, so never per tuple.
template <class Call>
auto CallPg(Call&& call) -> decltype(call()) {
  MemoryContext const caller = CurrentMemoryContext;
  {
    ErrorStackScope scope;
    sigjmp_buf here;
    if (sigsetjmp(here, 0) == 0) {
      PG_exception_stack = &here;
      return call();
    }
  }
  MemoryContextSwitchTo(caller);
  ErrorData* data = CopyErrorData();
  FlushErrorState();
  throw PgError(data);
}

inline int SqlState(Fault fault) {
  switch (fault) {
    case Fault::kInvalidInput:
      return ERRCODE_INVALID_PARAMETER_VALUE;
    case Fault::kOutOfRange:
      return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
    case Fault::kCorruptModel:
      return ERRCODE_DATA_CORRUPTED;
  }
  return ERRCODE_INTERNAL_ERROR;
}

// Runs body() for PostgreSQL; whatever it throws becomes an ereport(ERROR), raised when all C++ frames are unwound.
template <class Body>
auto EnterCpp(Body&& body) -> decltype(body()) {
  ErrorData* pg_error = nullptr;
  int sqlstate = ERRCODE_INTERNAL_ERROR;
  char message[512] = "unrecognized C++ exception";
  try {
    return body();
  } catch (const PgError& e) {
    pg_error = e.data;
  } catch (const Error& e) {
    sqlstate = SqlState(e.fault);
    std::snprintf(message, sizeof message, "%s", e.what());
  } catch (const std::bad_alloc&) {
    sqlstate = ERRCODE_OUT_OF_MEMORY;
    std::snprintf(message, sizeof message, "out of memory");
  } catch (const std::exception& e) {
    std::snprintf(message, sizeof message, "%s", e.what());
  } catch (...) {
  }
  if (pg_error) ReThrowError(pg_error);
  ereport(ERROR, (errcode(sqlstate), errmsg_internal("%s", message)));
  pg_unreachable();
}

// Runs advice() for a hook. Advice may fail, the query may not: a C++ exception is logged and false returned.
// PostgreSQL's own errors still reach PostgreSQL: a cancel must arrive.
template <class Advice>
bool Advise(const char* what, Advice&& advice) {
  ErrorData* pg_error = nullptr;
  char message[512] = "unrecognized C++ exception";
  try {
    advice();
    return true;
  } catch (const PgError& e) {
    pg_error = e.data;
  } catch (const std::exception& e) {
    std::snprintf(message, sizeof message, "%s", e.what());
  } catch (...) {
  }
  if (pg_error) ReThrowError(pg_error);
  ereport(LOG, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not %s", what), errdetail_internal("%s", message)));
  return false;
}

// Runs body(), which calls nothing of PostgreSQL that raises; false when it throws, and why.
template <class Body>
bool Quietly(char* failure, size_t failure_bytes, Body&& body) noexcept {
  try {
    body();
    return true;
  } catch (const std::exception& e) {
    std::snprintf(failure, failure_bytes, "%s", e.what());
  } catch (...) {
    std::snprintf(failure, failure_bytes, "unrecognized C++ exception");
  }
  return false;
}

}  // namespace query_shaper::pg

// Defines an SQL-callable function whose body is C++.
#define QUERY_SHAPER_FUNCTION(name)                                             \
  static Datum name##_cpp(FunctionCallInfo fcinfo);                             \
  extern "C" {                                                                  \
  PGDLLEXPORT Datum name(PG_FUNCTION_ARGS);                                     \
  PG_FUNCTION_INFO_V1(name);                                                    \
  Datum name(FunctionCallInfo fcinfo) {                                         \
    return query_shaper::pg::EnterCpp([fcinfo] { return name##_cpp(fcinfo); }); \
  }                                                                             \
  }                                                                             \
  static Datum name##_cpp(FunctionCallInfo fcinfo)
