// One parameterised statement on the extension's tables, prepared for the current transaction.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
}

namespace query_shaper {

constexpr int kCallParameters = 24;

// Parameters are set one after another, in the order of their numbers; Run() starts over.
class TableCall {
 public:
  explicit TableCall(const char* sql) : sql_(sql) {}

  TableCall& Add(Oid type, Datum value, bool null = false) {
    types_[count_] = type;
    values_[count_] = value;
    nulls_[count_] = null ? 'n' : ' ';
    ++count_;
    return *this;
  }
  TableCall& Number(double value) { return Add(FLOAT8OID, Float8GetDatum(value)); }
  TableCall& Integer(int64 value) { return Add(INT8OID, Int64GetDatum(value)); }
  TableCall& Id(Oid value) { return Add(OIDOID, ObjectIdGetDatum(value)); }
  TableCall& Time(TimestampTz value) { return Add(TIMESTAMPTZOID, TimestampTzGetDatum(value)); }
  TableCall& Text(const char* value) { return Add(TEXTOID, CStringGetTextDatum(value)); }
  TableCall& Bytes(const bytea* value) { return Add(BYTEAOID, PointerGetDatum(value), value == nullptr); }

  // Returns the number of rows processed.
  uint64 Run() {
    if (plan_ == nullptr) plan_ = SPI_prepare(sql_, count_, types_);
    if (plan_ == nullptr)
      elog(ERROR, "could not prepare a statement of the learner: %s", SPI_result_code_string(SPI_result));
    const int result = SPI_execute_plan(plan_, values_, nulls_, false, 0);
    if (result < 0) elog(ERROR, "could not run a statement of the learner: %s", SPI_result_code_string(result));
    count_ = 0;
    return SPI_processed;
  }

 private:
  const char* const sql_;
  SPIPlanPtr plan_ = nullptr;
  int count_ = 0;
  Oid types_[kCallParameters] = {};
  Datum values_[kCallParameters] = {};
  char nulls_[kCallParameters + 1] = {};
};

}  // namespace query_shaper
