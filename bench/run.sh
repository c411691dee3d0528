#!/usr/bin/env bash
# Builds the extension for the benches (staged: the server's own files stay untouched) and runs the driver.
#   bench/run.sh [NAME... [--option value]...]      without a name: overhead eta predict stall stress
# Environment: BENCH_OPTIONS is appended; QUERY_SHAPER_STAGE names an installation that is already staged.
set -euo pipefail
. "$(dirname "$0")/../scripts/common.sh"

cd "$root_dir"
driver=build/cmake/query_shaper_bench
if [ ! -x "$driver" ]; then
  make --no-print-directory programs
fi
names=()
while [ $# -gt 0 ] && [[ $1 != --* ]]; do
  names+=("$1")
  shift
done
if [ ${#names[@]} = 0 ]; then
  names=(overhead eta predict stall stress)
fi
if [ -z "${QUERY_SHAPER_STAGE:-}" ]; then
  QUERY_SHAPER_STAGE=$(mktemp -d /tmp/qs-stage.XXXXXX)
  trap 'rm -rf "$QUERY_SHAPER_STAGE"' EXIT
  chmod 755 "$QUERY_SHAPER_STAGE"
  scripts/stage.sh bench "$QUERY_SHAPER_STAGE"
fi
export QUERY_SHAPER_STAGE
# Every bench has its turn, whatever the one before found.
status=0
# shellcheck disable=SC2086
QUERY_SHAPER_ROOT=$root_dir "$driver" "${names[@]}" "$@" ${BENCH_OPTIONS:-} || status=$?
exit "$status"
