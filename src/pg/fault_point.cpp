#include "pg/fault_point.h"

#ifdef QUERY_SHAPER_FAULT_POINTS
#include <cstring>
#include <stdexcept>

extern "C" {
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/wait_event.h"
}

namespace query_shaper::pg {

char* fault = nullptr;

const char* FaultAction(const char* name) {
  static char action[MAXPGPATH];
  size_t length = strlen(name);
  for (const char* entry = fault; entry != nullptr; entry = strchr(entry, ',') ? strchr(entry, ',') + 1 : nullptr) {
    if (strncmp(entry, name, length) != 0 || entry[length] != ':') continue;
    strlcpy(action, entry + length + 1, Min(sizeof action, strcspn(entry + length + 1, ",") + 1));
    return action;
  }
  return nullptr;
}

void FaultPoint(const char* name) {
  const char* action = FaultAction(name);
  if (action == nullptr) return;
  if (strcmp(action, "error") == 0)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("fault point \"%s\" raised", name)));
  if (strcmp(action, "throw") == 0) throw std::runtime_error("fault point threw");
  if (strcmp(action, "exit") == 0) _exit(1);
  while (FaultAction(name) != nullptr && strcmp(FaultAction(name), "wait") == 0) {
    CHECK_FOR_INTERRUPTS();
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 100L, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    if (!ConfigReloadPending) continue;
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
  }
}

bool FaultIs(const char* name, const char* action) {
  const char* set = FaultAction(name);
  return set != nullptr && strcmp(set, action) == 0;
}

}  // namespace query_shaper::pg
#endif
