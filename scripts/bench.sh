#!/usr/bin/env bash
# Runs the bench driver; BENCH names the benches, BENCH_OPTIONS goes to the driver as it is.
set -euo pipefail
. "$(dirname "$0")/common.sh"

cd "$root_dir"
scripts/install_extension.sh
if [ -x bench/run.sh ]; then
  exec bench/run.sh ${BENCH:-}
fi
[ -x build/cmake/query_shaper_bench ] || die "no bench driver there yet"
mkdir -p bench/results
exec build/cmake/query_shaper_bench ${BENCH_OPTIONS:-} ${BENCH:-}
