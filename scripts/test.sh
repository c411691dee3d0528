#!/usr/bin/env bash
# Runs all suites in order and closes with one line that sums them up; SUITES="unit tap" runs those alone.
set -uo pipefail
. "$(dirname "$0")/common.sh"

cd "$root_dir" || exit
unset MAKEFLAGS MAKELEVEL
QUERY_SHAPER_RESULTS=$(mktemp -d /tmp/qs-results.XXXXXX)
export QUERY_SHAPER_RESULTS
trap 'rm -rf "$QUERY_SHAPER_RESULTS"' EXIT

suites=${SUITES:-lint unit install installcheck isolation tap client core-regress}
installed=1
summary=()
for suite in $suites; do
  echo "== $suite"
  started=$SECONDS
  if [ "$suite" = install ]; then
    if scripts/install_extension.sh; then
      echo "install: 1 passed, 0 failed"
      echo "1 0" >"$QUERY_SHAPER_RESULTS/install"
    else
      echo "install: 0 passed, 1 failed"
      echo "0 1" >"$QUERY_SHAPER_RESULTS/install"
      installed=0
    fi
  elif [ "$installed" = 0 ]; then
    echo "$suite: the extension could not be built"
    echo "0 1" >"$QUERY_SHAPER_RESULTS/$suite"
  else
    make --no-print-directory "$suite" </dev/null
    status=$?
    # A suite that ended before it could count is one failure.
    if [ ! -s "$QUERY_SHAPER_RESULTS/$suite" ]; then
      echo "0 1" >"$QUERY_SHAPER_RESULTS/$suite"
    elif [ "$status" != 0 ] && [ "$(cut -d' ' -f2 "$QUERY_SHAPER_RESULTS/$suite")" = 0 ]; then
      echo "$(cut -d' ' -f1 "$QUERY_SHAPER_RESULTS/$suite") 1" >"$QUERY_SHAPER_RESULTS/$suite"
    fi
  fi
  read -r passed failed <"$QUERY_SHAPER_RESULTS/$suite"
  summary+=("$(printf '%-14s %6d passed %6d failed %6d s' "$suite" "$passed" "$failed" $((SECONDS - started)))")
done

[ ! -s "$QUERY_SHAPER_RESULTS/.failures" ] || { echo "== failures" && cat "$QUERY_SHAPER_RESULTS/.failures"; }
echo "== summary"
printf '%s\n' "${summary[@]}"
cat "$QUERY_SHAPER_RESULTS"/* | awk '{passed += $1; failed += $2} END {print passed " passed, " failed " failed"; exit failed > 0}'
