#!/usr/bin/env bash
# Runs the libpqxx client test programs, each beside a throwaway cluster of its own.
# A program is a Boost.Test program (its test cases are counted) or speaks by its exit status alone.
set -uo pipefail
. "$(dirname "$0")/common.sh"

cd "$root_dir" || exit
passed=0
failed=0
conf=()
if [ -f test/client.conf ]; then
  mapfile -t conf <test/client.conf
fi
if ! scripts/install_extension.sh; then
  report_suite client 0 1
fi
for program in build/cmake/client/client_*; do
  case $program in *.log) continue ;; esac
  [ -x "$program" ] || continue
  log=$program.log
  scripts/cluster.sh run "compute_query_id = on" "${conf[@]}" -- "$program" >"$log" 2>&1 </dev/null
  status=$?
  cases=$(sed -nE 's/^Running ([0-9]+) test cases?.*/\1/p' "$log" | head -n 1)
  bad=$(sed -nE 's/.*\*\*\* ([0-9]+) failures? (is|are) detected.*/\1/p' "$log" | head -n 1)
  bad=${bad:-0}
  if [ "$status" != 0 ] && [ "$bad" = 0 ]; then
    bad=1
  fi
  cases=${cases:-1}
  # Boost counts failed assertions, of which one case may have several.
  if [ "$bad" -gt "$cases" ]; then
    bad=$cases
  fi
  if [ "$bad" != 0 ]; then
    cat "$log"
  fi
  printf '%-32s %4d passed %4d failed\n' "$(basename "$program")" "$((cases - bad))" "$bad"
  passed=$((passed + cases - bad))
  failed=$((failed + bad))
done
if [ $((passed + failed)) = 0 ]; then
  echo "client: no tests there yet"
fi
report_suite client "$passed" "$failed"
