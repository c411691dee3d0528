// What the pool may give away, followed live: by the setting, or by the limits of the server's control groups and of
// the machine.
#pragma once
#include "server/pool/shared_pool.h"

namespace query_shaper {

// Looks at the limits when nobody has for a second; whoever needs a figure calls it first, so that an idle server is
// not woken. System calls and plain memory alone: signal context.
void FollowPoolCapacity();

// What of effective_cache_size there can be for one statement among those that run: not more than the machine or the
// control group has beside reserved memory. In pages.
int CachedPagesAtMost();

// Whether so much that is written to temporary files is read again before the kernel has to do anything about it.
bool TempFilesStayCached(double kb);

}  // namespace query_shaper
