// Differences between PostgreSQL versions: every PG_VERSION_NUM of the tree stands here.
#pragma once
#include "pg/pg.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 160000
#error "query_shaper supports PostgreSQL 15"
#endif
