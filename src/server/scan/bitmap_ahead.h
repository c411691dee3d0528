// Bitmap heap scans ask for as many blocks ahead as effective_io_concurrency says. Where that is few and reads are seen
// to be waited for, the scan at hand is given query_shaper.prefetch_distance instead.
//
// Not where a bitmap's blocks come in order, which requests one by one only take from the kernel's readahead; not in
// parallel scans, whose requests are shared out among processes; not where effective_io_concurrency is 0.
#pragma once

namespace query_shaper {

void InstallBitmapAhead();

}  // namespace query_shaper
