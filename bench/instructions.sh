#!/usr/bin/env bash
# Instructions of a statement over cached blocks, which no other load of the machine changes: nothing loaded, query_shaper
# with prefetching off, and on. Each backend runs under valgrind's callgrind; counted is ExecutorRun() of the fastest of
# the later runs.
#   bench/instructions.sh [scan filter sweep order join]      without a name: all
# Environment: QUERY_SHAPER_STAGE names an installation that is already staged; KEEP=DIR keeps callgrind's files.
set -euo pipefail
. "$(dirname "$0")/../scripts/common.sh"

command -v valgrind >/dev/null || die "needs valgrind"
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(scan filter sweep order join)
bindir=$(pg_bindir)
dir=$(mktemp -d /tmp/qs-instructions.XXXXXX)
chmod 755 "$dir"
server=
finish() {
  [ -z "$server" ] || kill -INT "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  [ -z "${KEEP:-}" ] || { mkdir -p "$KEEP" && cp "$dir"/cg.* "$KEEP"; }
  rm -rf "$dir"
}
trap finish EXIT
if [ -z "${QUERY_SHAPER_STAGE:-}" ]; then
  export QUERY_SHAPER_STAGE=$dir/stage
  mkdir "$QUERY_SHAPER_STAGE"
  "$root_dir/scripts/stage.sh" bench "$QUERY_SHAPER_STAGE"
fi

query_of() {
  case $1 in
    scan) echo "SELECT sum(length(pad)) FROM reading WHERE scattered BETWEEN 1000 AND 5000" ;;
    filter) echo "SELECT count(*) FROM reading WHERE scattered BETWEEN 1000 AND 5000 AND id % 3 = 1" ;;
    sweep) echo "SELECT sum(length(pad)) FROM reading WHERE jittered BETWEEN 1000 AND 5000" ;;
    order) echo "SELECT sum(length(pad)) FROM reading WHERE id BETWEEN 1000 AND 41000" ;;
    join) echo "SELECT sum(length(pad)) FROM key JOIN reading ON id = k" ;;
    *) die "no such statement: $1" ;;
  esac
}

exports=$("$root_dir/scripts/cluster.sh" start "$dir/c" "shared_buffers = '256MB'" "autovacuum = off" "jit = off" \
  "max_parallel_workers_per_gather = 0" "plan_cache_mode = force_generic_plan" "enable_seqscan = off" "enable_bitmapscan = off" \
  "enable_hashjoin = off" "enable_mergejoin = off" "enable_material = off" "enable_memoize = off" "enable_indexonlyscan = off")
eval "$exports"
psql -X -q -v ON_ERROR_STOP=1 -v rows=200000 -f "$root_dir/bench/slow/prefetch_load.sql"
psql -X -q -v ON_ERROR_STOP=1 -c "CREATE EXTENSION query_shaper" \
  -c "CREATE TABLE key AS SELECT (hashint4(i) & 2147483647) % 200000 AS k FROM generate_series(1, 4000) i" -c "ANALYZE key"
as_server_user "$bindir/pg_ctl" -D "$dir/c/data" -w -s -m fast stop

# Prints the instructions of one run. Planned while nothing is cached, or the plan would be none of ours.
count() {
  local name=$1 loaded=$2 prefetch=$3 set="" pid least
  [ -z "$prefetch" ] || set="SET query_shaper.prefetch = $prefetch;"
  echo "shared_preload_libraries = '$loaded'" >"$dir/c/data/postgresql.auto.conf"
  own_by_server_user "$dir/c"
  rm -f "$dir/c"/cg.*
  # The postmaster must be a child of ours, to be ended as one.
  (
    cd / && as_server_user valgrind -q --tool=callgrind --trace-children=yes --collect-atstart=no --toggle-collect=ExecutorRun \
      --dump-after=ExecutorRun --callgrind-out-file="$dir/c/cg.%p" "$bindir/postgres" -D "$dir/c/data" >"$dir/c/log" 2>&1 </dev/null
  ) &
  server=$!
  for _ in $(seq 120); do
    "$bindir/pg_isready" -q && break
    sleep 1
  done
  pid=$({
    echo "$set PREPARE statement AS $(query_of "$name");"
    echo "EXPLAIN (COSTS OFF) EXECUTE statement;"
    for _ in $(seq 12); do echo "EXECUTE statement;"; done
    echo "SELECT 'pid', pg_backend_pid();"
  } | psql -X -q -A -t -v ON_ERROR_STOP=1 | tee "$dir/c/out" | sed -n 's/^pid|//p')
  # In order no prefetch scan is offered: what is counted is what watching it costs.
  [ "$prefetch" != on ] || [ "$name" = order ] || grep -qE 'Prefetch|Batch' "$dir/c/out" || die "planned without reading ahead: $(cat "$dir/c/out")"
  as_server_user "$bindir/pg_ctl" -D "$dir/c/data" -w -s -m fast stop
  wait "$server" || true
  server=
  least=$(for run in 7 8 9 10 11 12; do sed -n 's/^totals: //p' "$dir/c/cg.$pid.$run"; done | sort -n | head -n 1)
  [ -z "${KEEP:-}" ] || cp "$dir/c/cg.$pid.12" "$dir/cg.$name.${prefetch:-stock}"
  echo "$least"
}

missed=0
for name in "${names[@]}"; do
  stock=$(count "$name" "" "")
  off=$(count "$name" query_shaper off)
  on=$(count "$name" query_shaper on)
  most=1.02
  [ "$name" != join ] || most=1.05
  awk -v name="$name" -v stock="$stock" -v off="$off" -v on="$on" -v most="$most" 'BEGIN {
    met = on / stock <= most
    printf "%s: instructions of stock %d, prefetch off %.4f of it, on %.4f (to off %.4f; target %s) %s\n",
      name, stock, off / stock, on / stock, on / off, most, met ? "met" : "MISSED"
    exit !met }' || missed=1
done
exit $missed
