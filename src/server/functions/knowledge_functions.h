// What functions that change the extension's tables share.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

// Brings the tables up to date and locks them against the learner until the transaction ends; once per transaction.
// Raises 25006 on a standby. Call with SPI connected and as the tables' owner.
void LockKnowledge(const char* function);

// Runs one statement on the tables and returns the number of rows it touched. SPI must be connected.
uint64 RunOnTables(const char* sql, int parameters, Oid* types, Datum* values);

}  // namespace query_shaper
