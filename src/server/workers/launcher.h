// The one worker that runs as long as the server: it finds databases to learn from and starts a learner where one is
// due.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

// Called by _PG_init while shared_preload_libraries is being processed.
void RegisterLauncher();

}  // namespace query_shaper
