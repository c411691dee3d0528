#!/usr/bin/env bash
# Runs pg_regress (installcheck) or pg_isolation_regress (isolation) over the named tests in a throwaway cluster.
#   regress.sh installcheck|isolation TEST...
# Isolation specs see a build with fault points; pg_regress tests see the installed extension.
set -uo pipefail
. "$(dirname "$0")/common.sh"

suite=$1
shift
if [ $# = 0 ]; then
  echo "$suite: no tests there yet"
  report_suite "$suite" 0 0
fi

cd "$root_dir" || exit
pgxs=$(dirname "$(dirname "$(dirname "$("$PG_CONFIG" --pgxs)")")")
output=$root_dir/build/$suite
rm -rf "$output"
mkdir -p "$output"
case $suite in
  installcheck)
    driver=$pgxs/src/test/regress/pg_regress
    input=$root_dir
    if ! scripts/install_extension.sh; then
      report_suite "$suite" 0 1
    fi
    ;;
  isolation)
    driver=$pgxs/src/test/isolation/pg_isolation_regress
    input=$root_dir/test/isolation
    stage=$(mktemp -d /tmp/qs-stage.XXXXXX)
    trap 'rm -rf "$stage"' EXIT
    if ! scripts/stage.sh faults "$stage" QUERY_SHAPER_FAULTS=1 QUERY_SHAPER_PRELUDE=1; then
      report_suite "$suite" 0 1
    fi
    export QUERY_SHAPER_STAGE=$stage
    ;;
  *) die "unknown suite $suite" ;;
esac

conf=()
if [ -f "$root_dir/test/$suite.conf" ]; then
  mapfile -t conf <"$root_dir/test/$suite.conf"
fi
scripts/cluster.sh run "compute_query_id = on" "${conf[@]}" -- \
  "$driver" --inputdir="$input" --outputdir="$output" --bindir="$(pg_bindir)" --dbname="query_shaper_$suite" \
  "$@" 2>&1 | tee "$output/log"
status=${PIPESTATUS[0]}

passed=$(grep -cE '^(test| +) .*\.\.\. +ok ' "$output/log")
failed=$(grep -cE '^(test| +) .*\.\.\. +(FAILED|failed)' "$output/log")
if [ "$status" != 0 ]; then
  if [ -s "$output/regression.diffs" ]; then
    head -n 400 "$output/regression.diffs"
  fi
  if [ "$failed" = 0 ]; then
    failed=1
  fi
fi
report_suite "$suite" "$passed" "$failed"
