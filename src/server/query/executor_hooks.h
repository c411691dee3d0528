// The executor's hooks: where a statement's tracking begins, ticks and ends.
#pragma once

namespace query_shaper {

void InstallExecutorHooks();

}  // namespace query_shaper
