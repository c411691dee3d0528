// A short-lived worker of one database: it loads what was learned before, learns outcomes and writes the extension's
// tables.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "postmaster/bgworker.h"
}

namespace query_shaper {

// Starts a learner for the database; null when no worker slot is free. The caller is notified of its start and end.
BackgroundWorkerHandle* StartLearner(Oid database);

}  // namespace query_shaper
