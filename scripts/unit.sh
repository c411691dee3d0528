#!/usr/bin/env bash
# Runs the unit test programs of a CMake build directory and counts their test cases.
#   unit.sh SUITE BUILD_DIR
set -uo pipefail
. "$(dirname "$0")/common.sh"

suite=$1
build=$2
passed=0
failed=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
for program in "$build"/unit/unit_*; do
  [ -x "$program" ] || continue
  log=$program.log
  "$program" --report_level=short --log_level=error --color_output=no >"$log" 2>&1 </dev/null
  status=$?
  good=$(sed -nE 's/^ *([0-9]+) test cases? out of [0-9]+ passed.*/\1/p' "$log" | head -n 1)
  bad=$(sed -nE 's/^ *([0-9]+) test cases? out of [0-9]+ (failed|aborted).*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
  # A crash, a sanitizer's report or a program without a report is a failure of its own.
  if [ "$status" != 0 ] && [ "$bad" = 0 ]; then
    bad=1
  fi
  if [ "$bad" != 0 ]; then
    cat "$log"
  fi
  printf '%-32s %4d passed %4d failed\n' "$(basename "$program")" "${good:-0}" "$bad"
  passed=$((passed + ${good:-0}))
  failed=$((failed + bad))
done
if [ $((passed + failed)) = 0 ]; then
  echo "$suite: no tests there yet"
fi
report_suite "$suite" "$passed" "$failed"
