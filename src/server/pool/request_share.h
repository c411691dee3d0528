// How many blocks this process may have asked for ahead: what it holds of the pool's I/O depth, less while it gives way
// to others.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

// Of as many as wanted. The newest reservation of the process grows by what is free, up to half of what is free and
// held: whoever comes next finds something, too, and keeps it until the statement ends. Where nothing is free it is
// effective_io_concurrency, as without the pool. A statement too small to reserve holds nothing and takes no more than
// that half.
int RequestsAllowed(int wanted);

}  // namespace query_shaper
