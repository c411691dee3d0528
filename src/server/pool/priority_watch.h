// Whether statements of higher priority want the machine, and what share of the time this process leaves itself then.
//
// The priority is query_shaper.admission_priority; below 0 a statement gives way. Not by nice(): a server may lower its
// processes' priority, but not raise it again without rights that it seldom has; and every backend is a session of its
// own, which the kernel's autogroups give the same share whatever the niceness inside of it. Resting between two rows
// (query/rest_between_rows) can always be undone, and slows reads and writes by as much as computing.
#pragma once
#include "core/pool/giving_way.h"
#include "pg/pg.h"

namespace query_shaper {

bool OfLowPriority();  // and the setting says that it gives way, or that it would

// Signal context. Looks at who is running. Plain reads of shared memory without a lock: it is a sample.
void WatchPriority();

const GivingWay& MyWay();

}  // namespace query_shaper
