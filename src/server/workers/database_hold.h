// Keeps learners out of a database while DROP, ALTER or CREATE DATABASE wants it for itself.
#pragma once
#include "pg/pg.h"

namespace query_shaper {

// Called by _PG_init.
void InstallDatabaseHold();

}  // namespace query_shaper
