#!/usr/bin/env bash
# Runs every check of test/lint; a check prints what is wrong as file:line and fails.
set -uo pipefail
. "$(dirname "$0")/common.sh"

cd "$root_dir" || exit
passed=0
failed=0
for check in test/lint/*.sh; do
  if bash "$check"; then
    passed=$((passed + 1))
  else
    echo "lint: $(basename "$check" .sh) failed"
    failed=$((failed + 1))
  fi
done
report_suite lint "$passed" "$failed"
