#!/usr/bin/env bash
# Runs PostgreSQL's own regression and isolation suites on an assert-enabled server with the extension preloaded,
# present in every database, shaping every statement and ticking each millisecond. Nothing may differ but what the server
# differs by itself on this machine (found once by a run without the extension, kept in the cache) and what a file in
# test/core_regress/allowed/ says, with its reason.
#
#   PASSES=2    repeats the suites
#   CONTRIB=1   adds the suites of pg_stat_statements and postgres_fdw
#   PARTS="regress isolation"   selects
#   LEARN=0     plans no statement with learned rows. By default all are but those that EXPLAIN shows: rows may come in
#               another order
#   FORCED=1    plans of running statements are replaced at every occasion, at other nodes and rows each time
#   PREFETCH=1  every B-tree index scan is planned as a prefetch scan that looks 64 blocks ahead, cached or not; nested
#               loops over index scans read their outer rows ahead; what sessions read is staged by two stagers
set -uo pipefail
. "$(dirname "$0")/common.sh"

cd "$root_dir" || exit
passes=${PASSES:-1}
parts=${PARTS:-regress isolation}
if [ "${CONTRIB:-0}" = 1 ]; then
  parts="$parts pg_stat_statements postgres_fdw"
fi

started=$SECONDS
server=$(scripts/assert_server.sh) || report_suite core-regress 0 1
source_tree=$server/src
export PG_BINDIR=$server/pgsql/bin
echo "core-regress: PostgreSQL $(cat "$server/version") with assertions ready after $((SECONDS - started)) s"

work=$(mktemp -d /tmp/qs-core.XXXXXX)
cleanup() {
  local cluster
  for cluster in "$work"/cluster-*; do
    [ -f "$cluster/bindir" ] && scripts/cluster.sh stop "$cluster" >/dev/null 2>&1
  done
  rm -rf "$work"
}
trap cleanup EXIT
chmod 755 "$work"

# Settings that the suites expect of a server, the same for both kinds of run.
common_conf=(
  "max_prepared_transactions = 2" "max_worker_processes = 16" "max_parallel_workers = 8" "max_connections = 100"
  "log_min_messages = warning" "log_autovacuum_min_duration = -1"
)
# Query identifiers are computed as in production; "regress" only keeps them out of EXPLAIN VERBOSE. Tests of hash joins look
# at the batches: tables do not grow.
ours_conf=(
  "compute_query_id = 'regress'"
  "query_shaper.mode = 'shape'" "query_shaper.min_cost = 0" "query_shaper.tick_interval = 1" "query_shaper.grow_memory = advise"
)
learn=${LEARN:-$((1 - (${FORCED:-0} | ${PREFETCH:-0})))}
stage_name=cassert
stage_options=()
if [ "$learn" = 1 ]; then
  stage_name=cassert-faults
  stage_options=(QUERY_SHAPER_FAULTS=1)
  ours_conf+=("query_shaper.learn_rows = on" "query_shaper.plain_explain = on")
else
  ours_conf+=("query_shaper.learn_rows = off")
fi
if [ "${FORCED:-0}" = 1 ]; then
  stage_name=cassert-faults
  stage_options=(QUERY_SHAPER_FAULTS=1)
  ours_conf+=(
    "query_shaper.fault = 'replan:force'" "query_shaper.replan = on" "query_shaper.replan_factor = 1"
    "query_shaper.replan_min_time = 0" "query_shaper.replan_limit = 5" "query_shaper.plain_explain = on"
  )
fi

if [ "${PREFETCH:-0}" = 1 ]; then
  stage_name=cassert-faults
  stage_options=(QUERY_SHAPER_FAULTS=1)
  ours_conf+=(
    "query_shaper.fault = 'prefetch:force'" "query_shaper.prefetch = on" "query_shaper.prefetch_distance = 64"
    "query_shaper.prefetch_stagers = 2" "query_shaper.plain_explain = on"
  )
fi

# run_part PART baseline|ours OUTPUT: runs one suite; OUTPUT gets results/, regression.out and the server's log.
run_part() {
  local part=$1 kind=$2 output=$3 cluster driver arguments=() conf=("${common_conf[@]}") preload=() exports status
  cluster=$work/cluster-$part
  mkdir -p "$output"
  own_by_server_user "$output"
  case $part in
    regress)
      driver=$source_tree/src/test/regress/pg_regress
      arguments=("--inputdir=$source_tree/src/test/regress" "--dlpath=$source_tree/src/test/regress"
        "--schedule=$source_tree/src/test/regress/parallel_schedule" --max-concurrent-tests=20)
      ;;
    isolation)
      driver=$source_tree/src/test/isolation/pg_isolation_regress
      arguments=("--inputdir=$source_tree/src/test/isolation" "--schedule=$source_tree/src/test/isolation/isolation_schedule")
      ;;
    pg_stat_statements)
      driver=$source_tree/src/test/regress/pg_regress
      arguments=("--inputdir=$source_tree/contrib/$part" --dbname=contrib_regression pg_stat_statements oldextversions)
      preload=(pg_stat_statements)
      mapfile -t -O "${#conf[@]}" conf < <(grep -v shared_preload "$source_tree/contrib/$part/pg_stat_statements.conf")
      ;;
    postgres_fdw)
      driver=$source_tree/src/test/regress/pg_regress
      arguments=("--inputdir=$source_tree/contrib/$part" --dbname=contrib_regression postgres_fdw)
      ;;
    *) die "unknown part $part" ;;
  esac
  if [ "$kind" = ours ]; then
    preload+=(query_shaper)
    conf+=("${ours_conf[@]}")
    arguments+=(--load-extension=query_shaper)
    export QUERY_SHAPER_STAGE=$work/stage
  else
    unset QUERY_SHAPER_STAGE
  fi
  exports=$(PRELOAD=$(IFS=,; echo "${preload[*]}") scripts/cluster.sh start "$cluster" "${conf[@]}") || return 1
  (
    eval "$exports"
    unset PGDATABASE
    if [ "$kind" = ours ]; then
      for database in template1 postgres; do
        "$PG_BINDIR/psql" -X -q -v ON_ERROR_STOP=1 -d "$database" -c 'create extension query_shaper' || exit 1
      done
    fi
    cd "$output" || exit 1
    as_server_user timeout "${PART_TIMEOUT:-1500}" "$driver" --outputdir="$output" --bindir="$PG_BINDIR" "${arguments[@]}" \
      </dev/null >"$output/driver.log" 2>&1
    status=$?
    if [ "$kind" = ours ]; then
      "$PG_BINDIR/psql" -X -Atq -d postgres -c "select name, value from query_shaper.metrics order by name" \
        >"$output/metrics" 2>&1
    fi
    exit "$status"
  )
  status=$?
  cp "$cluster/log" "$output/server.log"
  scripts/cluster.sh stop "$cluster"
  return "$status"
}

# The names of a driver's tests, those that were right (ok) or wrong (FAILED).
tests_that() {
  sed -nE "s/^(test| +)? *([A-Za-z0-9_.-]+) +\.\.\. +$1\b.*/\2/p" "$2/driver.log"
}

# The changed lines of one test in a regression.diffs, without line numbers.
changes_of() {
  diff "$1" "$2" | grep '^[<>]'
}

# With learned rows a plan may give the same rows in another order.
same_but_for_order() {
  [ "$learn" = 1 ] && cmp -s <(sort "$1/results/$3.out") <(sort "$2/results/$3.out")
}

# Nothing but what is allowed; what the server expects is right everywhere, too: the pool may have been empty.
same_as_allowed() {
  local part=$1 test=$2 output=$3 allowed=$root_dir/test/core_regress/allowed/$1/$2.changes
  [ -f "$allowed" ] || return 1
  local expected
  for expected in "$source_tree/src/test/$part/expected/$test"*.out "$source_tree/contrib/$part/expected/$test"*.out; do
    if [ -f "$expected" ] &&
      ! grep -q '^>' <(diff <(grep '^[<>]' "$allowed") <(changes_of "$expected" "$output/results/$test.out")); then
      return 0
    fi
  done
  return 1
}

# Crashes, and complaints of the extension or its workers; the cache's own path holds the extension's name.
# A worker that ends because its database is dropped or the server stops is no fault.
troubles() {
  sed "s#$server##g" "$1" |
    grep -nE 'TRAP:|PANIC: |was terminated by signal|(WARNING|ERROR|FATAL): .*query_shaper|\] query_shaper.*(WARNING|ERROR|FATAL): ' |
    grep -vE 'FATAL: +terminating .*due to administrator command' | head -n 40 | grep .
}

metric() {
  awk -F'|' -v name="$1" '$1 ~ name "$" {n += $2} END {print n + 0}' "$2/metrics"
}

# A run in which the extension saw nothing, or failed inwardly while the queries went on, proves nothing.
inward_failures() {
  local name wrong=1
  if [ "$(metric outcomes_sent_total "$1")" = 0 ]; then
    echo "core-regress: the extension saw no statement"
    wrong=0
  fi
  for name in advice_failed_total learner_failures_total models_corrupt_total; do
    if [ "$(metric "$name" "$1")" != 0 ]; then
      echo "core-regress: $name is $(metric "$name" "$1")"
      wrong=0
    fi
  done
  return "$wrong"
}

baseline_of() {
  local part=$1 baseline=$server/baseline/$1
  if [ ! -e "$baseline/complete" ]; then
    local begun=$SECONDS
    rm -rf "$baseline" "$work/baseline-$part"
    run_part "$part" baseline "$work/baseline-$part" || true
    mkdir -p "$server/baseline"
    cp -r "$work/baseline-$part" "$baseline"
    [ -n "$(tests_that '(ok|FAILED)' "$baseline")" ] || die "the baseline run of $part did not work; see $baseline/driver.log"
    touch "$baseline/complete"
    echo "core-regress: baseline of $part in $((SECONDS - begun)) s, the server alone differs in: $(tests_that FAILED "$baseline" | xargs)"
  fi
}

passed=0
failed=0
kept=$root_dir/build/core-regress
rm -rf "$kept"
mkdir -p "$kept"
if ! scripts/stage.sh "$stage_name" "$work/stage" "PG_CONFIG=$PG_BINDIR/pg_config" "${stage_options[@]}"; then
  report_suite core-regress 0 1
fi
for part in $parts; do
  baseline_of "$part"
  baseline=$server/baseline/$part
  for ((pass = 1; pass <= passes; pass++)); do
    begun=$SECONDS
    output=$work/$part-$pass
    bad=0
    run_part "$part" ours "$output" || true
    good=$(tests_that ok "$output" | wc -l)
    for test in $(tests_that FAILED "$output"); do
      if cmp -s "$output/results/$test.out" "$baseline/results/$test.out"; then
        echo "core-regress: $part/$test differs as the server differs by itself"
        good=$((good + 1))
      elif same_but_for_order "$output" "$baseline" "$test"; then
        echo "core-regress: $part/$test gives its rows in another order"
        good=$((good + 1))
      elif same_as_allowed "$part" "$test" "$output"; then
        echo "core-regress: $part/$test differs as test/core_regress/allowed/$part/$test.changes says"
        good=$((good + 1))
      else
        echo "core-regress: $part/$test differs"
        bad=$((bad + 1))
      fi
    done
    if [ "$((good + bad))" -lt "$(($(tests_that ok "$baseline" | wc -l) + $(tests_that FAILED "$baseline" | wc -l)))" ]; then
      echo "core-regress: $part ended early"
      tail -n 20 "$output/driver.log"
      bad=$((bad + 1))
    fi
    if troubles "$output/server.log"; then
      bad=$((bad + 1))
    fi
    if inward_failures "$output"; then
      bad=$((bad + 1))
    fi
    echo "core-regress: $part pass $pass: $good as expected, $bad not, $((SECONDS - begun)) s," \
      "$(metric outcomes_sent_total "$output") statements tracked"
    if [ "$bad" != 0 ]; then
      head -n 200 "$output/regression.diffs" 2>/dev/null
    fi
    cp -r "$output" "$kept/$part-$pass"
    rm -rf "$output"
    passed=$((passed + good))
    failed=$((failed + bad))
  done
done
report_suite core-regress "$passed" "$failed"
