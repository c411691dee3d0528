#!/usr/bin/env bash
# Runs one pass of the workload through psql's environment: workload.sh PASS DONE_FILE
# Adds a line "template seconds variables" to DONE_FILE as each statement ends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
pass=$1
done_file=$2

run_lane() {
  local lane=$1 template variables variable started options
  while read -r _ _ template variables; do
    options=()
    for variable in $variables; do
      options+=(-v "$variable")
    done
    started=$(date +%s%N)
    psql -X -q -At -v ON_ERROR_STOP=1 "${options[@]}" -f "$here/workload/$template.sql" >/dev/null </dev/null
    echo "$template $(awk -v ns=$(($(date +%s%N) - started)) 'BEGIN { printf "%.1f", ns / 1e9 }') $variables" >>"$done_file"
  done < <(grep "^$pass $lane " "$here/workload/statements")
}

export PGOPTIONS="-c max_parallel_workers_per_gather=0"
run_lane a &
lane_a=$!
run_lane b &
lane_b=$!
trap 'kill $lane_a $lane_b 2>/dev/null || true' EXIT
# Whichever lane fails first ends the pass.
wait -n $lane_a $lane_b
wait $lane_a
wait $lane_b
trap - EXIT
PGOPTIONS="-c max_parallel_workers_per_gather=1" run_lane p
