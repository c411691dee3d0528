// The extension's way in.
#include "pg/pg.h"

#include "pg/compat.h"
#include "server/pool/shared_pool.h"
#include "server/query/executor_hooks.h"
#include "server/query/shadow_launch.h"
#include "server/query/plan_note.h"
#include "server/query/statement_name.h"
#include "server/scan/batch_path.h"
#include "server/scan/bitmap_ahead.h"
#include "server/scan/prefetch_path.h"
#include "server/scan/stage_ahead.h"
#include "server/settings.h"
#include "server/shared_state.h"
#include "server/workers/database_hold.h"
#include "server/workers/launcher.h"
extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

using namespace query_shaper;

void _PG_init(void) {
  DefineSettings();
  // Without the preload there is no shared memory: the SQL functions say so, nothing is hooked.
  if (!process_shared_preload_libraries_in_progress) return;
  InstallSharedState();
  InstallSharedPool();
  InstallStatementNames();
  InstallPlannerHooks();
  InstallPrefetch();
  InstallBatches();
  // Before what counts rows, which stands over this.
  InstallBitmapAhead();
  InstallExecutorHooks();
  InstallStageAhead();
  InstallShadow();
  InstallDatabaseHold();
  RegisterLauncher();
}
