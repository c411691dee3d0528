// Offers prefetch scans to the planner.
#pragma once

namespace query_shaper {

void InstallPrefetch();

}  // namespace query_shaper
