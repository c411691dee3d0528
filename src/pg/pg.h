// The one include of PostgreSQL: everything above the door sees its headers through this one.
#pragma once
#include "core/base/error.h"  // C++ before C: PostgreSQL's headers take common names

extern "C" {
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/elog.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
}
// port.h renames the stdio calls; C++ headers need their own names back.
#undef snprintf
#undef vsnprintf
#undef printf
#undef fprintf
#undef sprintf
#undef strerror

// What runs for every statement, however short, lies together: most of what it costs are cold pages and cache lines.
#define EVERY_STATEMENT __attribute__((hot))
