#!/usr/bin/env bash
# Runs test/tap/*.pl (or TAP_TESTS="001 003": those whose names match) against a build with fault points.
# The tests use PostgreSQL::Test::Cluster, which makes its own clusters; the server refuses root, so they run as the
# server's user in a directory of its own. Every cluster finds the staged extension through TEMP_CONFIG.
set -uo pipefail
. "$(dirname "$0")/common.sh"

cd "$root_dir" || exit
shopt -s nullglob
tests=()
for test in test/tap/*.pl; do
  if [ -z "${TAP_TESTS:-}" ]; then
    tests+=("$test")
  else
    for pattern in $TAP_TESTS; do
      case $(basename "$test") in *"$pattern"*) tests+=("$test") ;; esac
    done
  fi
done
if [ ${#tests[@]} = 0 ]; then
  echo "tap: no tests there yet"
  report_suite tap 0 0
fi

bindir=$(pg_bindir)
pkglibdir=$("$bindir/pg_config" --pkglibdir)
pgxs=$(dirname "$(dirname "$(dirname "$("$bindir/pg_config" --pgxs)")")")
work=$(mktemp -d /tmp/qs-tap.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/stage" "$work/run"
if ! scripts/stage.sh faults "$work/stage" QUERY_SHAPER_FAULTS=1 QUERY_SHAPER_PRELUDE=1; then
  report_suite tap 0 1
fi
cp -r test/tap "$work/tap"
cat >"$work/temp.conf" <<CONF
extension_destdir = '$work/stage'
dynamic_library_path = '$work/stage$pkglibdir:\$libdir'
CONF
chmod -R a+rX "$work"
own_by_server_user "$work/run"

passed=0
failed=0
for test in "${tests[@]}"; do
  name=$(basename "$test" .pl)
  log=$root_dir/build/tap/$name.log
  mkdir -p "$(dirname "$log")" "$work/run/$name"
  own_by_server_user "$work/run/$name"
  (
    cd "$work/run/$name" || exit
    # TESTDIR keeps logs and data under the directory; PG_REGRESS sets up authentication of the test clusters.
    SERVER_USER_HOME=$work/run as_server_user timeout "${TAP_TIMEOUT:-900}" env \
      "PATH=$bindir:$PATH" "TESTDIR=$work/run/$name" "PG_REGRESS=$pgxs/src/test/regress/pg_regress" \
      "TEMP_CONFIG=$work/temp.conf" "PERL5LIB=$pgxs/src/test/perl:$work/tap" "LC_ALL=C" \
      perl -I "$pgxs/src/test/perl" -I "$work/tap" "$work/tap/$name.pl"
  ) >"$log" 2>&1 </dev/null
  status=$?
  good=$(grep -c '^ok ' "$log")
  bad=$(grep -c '^not ok ' "$log")
  if [ "$status" != 0 ] && [ "$bad" = 0 ]; then
    bad=1
  elif [ "$status" = 0 ] && ! grep -qE '^1\.\.[0-9]+' "$log"; then
    echo "no plan in its output" >>"$log"
    bad=$((bad + 1))
  fi
  crashes=$(grep -lE 'TRAP:' "$work/run/$name"/tmp_check/log/*.log 2>/dev/null || true)
  if [ -n "$crashes" ]; then
    grep -hE 'TRAP:' $crashes
    bad=$((bad + 1))
  fi
  if [ "$bad" != 0 ]; then
    note_failures "$name" "$log"
    tail -n 80 "$log"
    for server_log in "$work/run/$name"/tmp_check/log/*.log; do
      echo "--- $(basename "$server_log")"
      tail -n 40 "$server_log"
    done
  fi
  printf '%-32s %4d passed %4d failed\n' "$name" "$good" "$bad"
  passed=$((passed + good))
  failed=$((failed + bad))
done
report_suite tap "$passed" "$failed"
