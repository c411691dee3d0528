// Bitmap heap scans ask for as many blocks ahead as effective_io_concurrency says. Where reads are seen to be waited
// for all the same, the scan at hand is given query_shaper.prefetch_distance instead; or nothing where its blocks come
// in order, since requests one by one only disturb the kernel's readahead.
//
// Not in parallel scans, whose requests are shared out among processes, and not where effective_io_concurrency is 0.
#pragma once

namespace query_shaper {

void InstallBitmapAhead();

}  // namespace query_shaper
