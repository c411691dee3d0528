// Offers nested loops whose outer rows are read ahead to the planner.
#pragma once

namespace query_shaper {

void InstallBatches();

}  // namespace query_shaper
