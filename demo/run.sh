#!/usr/bin/env bash
# The demo: builds the extension, loads real data into a throwaway cluster and shows what Query Shaper sees in it.
# Nothing stays behind but installed packages and the object files in build/: the extension goes into a staged
# installation beside the cluster, and both are removed at the end, also after a failure or an interrupt.
set -Eeuo pipefail

here=$(cd "$(dirname "$0")" && pwd)
scripts=$(cd "$here/.." && pwd)/scripts
started=$SECONDS
step='starting'
work=
jobs_running=()

say() {
  printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi
}

note() {
  printf '  %s\n' "$*"
}

# Opens a step of the narration; a failure names the step it happened in.
open_step() {
  step=$1
  say "[$((SECONDS - started)) s] $1"
}

fail() {
  echo "demo: $*" >&2
  exit 1
}

finish() {
  local status=$? pid
  trap - EXIT INT TERM ERR
  set +e
  for pid in "${jobs_running[@]}"; do
    # A job may have children of its own, such as the lanes of the workload: set -m gave each job its own group.
    kill -- "-$pid" 2>/dev/null || kill "$pid" 2>/dev/null
  done
  # What still writes would keep rm from emptying the directory.
  wait "${jobs_running[@]}" 2>/dev/null
  if [ -n "$work" ]; then
    if [ "$status" != 0 ] && [ "$status" -le 128 ]; then
      show_server_log
    fi
    [ ! -d "$work/cluster" ] || "$scripts/cluster.sh" stop "$work/cluster"
    rm -rf "$work"
  fi
  if [ "$status" -gt 128 ]; then
    echo "demo: interrupted; everything it had made is removed" >&2
  elif [ "$status" != 0 ]; then
    echo "demo: failed at: $step; everything it had made is removed" >&2
  fi
  exit "$status"
}

show_server_log() {
  if [ -f "$work/cluster/log" ] && grep -qE 'ERROR|FATAL|PANIC|WARNING|signal' "$work/cluster/log"; then
    echo 'demo: from the server log:' >&2
    grep -E 'ERROR|FATAL|PANIC|WARNING|signal' "$work/cluster/log" | tail -n 10 | sed 's/^/  /' >&2
  fi
}

sql() {
  psql -X -q -At -v ON_ERROR_STOP=1 -c "$1" </dev/null
}

# Polls until a query says t: wait_until SECONDS WHAT QUERY
wait_until() {
  local deadline=$((SECONDS + $1)) answer
  while :; do
    answer=$(sql "$3") || fail "could not find out whether $2"
    [ "$answer" != t ] || return 0
    [ "$SECONDS" -lt "$deadline" ] || fail "waited $1 s in vain until $2"
    sleep 0.1
  done
}

# Starts a command in its own process group; its id is then in $job.
start_job() {
  set -m
  "$@" &
  job=$!
  set +m
  jobs_running+=("$job")
}

# Waits for a job of start_job and forgets it; fails as the job failed.
end_job() {
  local pid kept=() status=0
  wait "$1" || status=$?
  for pid in "${jobs_running[@]}"; do
    [ "$pid" = "$1" ] || kept+=("$pid")
  done
  jobs_running=("${kept[@]}")
  return "$status"
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Statements are stored without their constants and comments, so templates are told apart by query_id.
record_templates() {
  local template variables variable text
  while read -r _ _ template variables; do
    text=$(sed -e '/^--/d' -e 's/;$//' "$here/workload/$template.sql")
    for variable in $variables; do
      text=$(sed -e "s/:'${variable%%=*}'/'${variable#*=}'/g" -e "s/:${variable%%=*}\\b/${variable#*=}/g" <<<"$text")
    done
    sql "INSERT INTO demo_template SELECT query_id, '$template' FROM query_shaper.fingerprint(\$text\$$text\$text\$)"
  done < <(grep '^1 ' "$here/workload/statements" | sort -u -k3,3)
}

run_pass() {
  local pass=$1 done_file=$work/done.$1 watcher lanes recorded statements
  : >"$done_file"
  sql "INSERT INTO demo_pass VALUES ($pass, clock_timestamp(), NULL)"
  start_job "$here/watch.sh" "$done_file"
  watcher=$job
  start_job "$here/workload.sh" "$pass" "$done_file"
  lanes=$job
  end_job "$lanes" || fail "a statement of the workload failed"
  echo end >>"$done_file"
  end_job "$watcher" || fail "the watcher failed"
  sql "UPDATE demo_pass SET ended = clock_timestamp() WHERE pass = $pass"
  sql 'SELECT query_shaper.flush()' >/dev/null
  recorded=$(sql "SELECT count(*) FROM query_shaper.predictions p, demo_pass w
    WHERE w.pass = $pass AND p.at BETWEEN w.started AND w.ended AND p.query_id IN
      (SELECT query_id FROM demo_template)")
  statements=$(($(wc -l <"$done_file") - 1))
  [ "$recorded" -gt 0 ] || fail "no prediction was recorded for the $statements statements of pass $pass"
  note "$statements statements ran, $recorded predictions are recorded with their outcomes."
}

# Starts a statement with its own application name and waits until Query Shaper sees it; its server process is $pid.
start_statement() {
  local name=$1
  shift
  start_job env PGAPPNAME="$name" psql -X -q -At -v ON_ERROR_STOP=1 -o "$work/$name.out" "$@"
  wait_until 30 "$name appears in query_shaper.activity" "SELECT EXISTS ($(activity_of "$name"))"
  pid=$(sql "SELECT pid FROM ($(activity_of "$name")) a")
}

activity_of() {
  echo "SELECT a.* FROM query_shaper.activity a JOIN pg_stat_activity s USING (pid)
    WHERE s.application_name = '$1' AND s.backend_type = 'client backend' AND a.nest_level = 0"
}

show_bar() {
  local line
  line=$(sql "SELECT bar FROM query_shaper.activity WHERE pid = $pid AND nest_level = 0")
  if [ -n "$line" ]; then
    note "$line"
  fi
}

stall_on_lock() {
  local statement holder
  sql 'CREATE TABLE demo_score AS SELECT gid, 0::bigint AS processes, 0::bigint AS components, 0::bigint AS functions,
         0::bigint AS papers FROM genes ORDER BY hashint4(gid);
       CREATE INDEX ON demo_score (gid); ANALYZE demo_score'
  coproc HOLDER { exec psql -X -q -At -v ON_ERROR_STOP=1 2>&1; }
  holder=$HOLDER_PID
  jobs_running+=("$holder")
  echo "BEGIN; SELECT 'held' FROM demo_score WHERE gid = (SELECT gid FROM demo_score OFFSET 35000 LIMIT 1) FOR UPDATE;" \
    >&"${HOLDER[1]}"
  read -r -t 30 -u "${HOLDER[0]}" _ || fail "the row to wait for could not be locked"
  start_statement demo_stalled -f "$here/workload/score_update.sql"
  statement=$job
  wait_until 60 'the statement waits for the row lock' \
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Lock')"
  note 'It has reached a row that another transaction holds. Its time left grows:'
  local first
  first=$(sql "SELECT coalesce(extract(epoch FROM eta), 0) FROM query_shaper.activity WHERE pid = $pid AND nest_level = 0")
  for _ in 1 2 3 4; do
    show_bar
    sleep 1
  done
  wait_until 20 'the time left of the stalled statement grows' \
    "SELECT extract(epoch FROM eta) > $first + 1 FROM query_shaper.activity WHERE pid = $pid AND nest_level = 0"
  show_bar
  echo 'ROLLBACK;' >&"${HOLDER[1]}"
  note 'The other transaction ends:'
  sleep 0.7
  show_bar
  echo '\q' >&"${HOLDER[1]}"
  wait "$holder" || true
  end_job "$statement" || fail "the stalled statement failed"
  note 'finished.'
}

pause_and_resume() {
  local statement
  start_statement demo_paused -v first_domain=PF00001 -v last_domain=PF00080 -f "$here/workload/domain_terms.sql"
  statement=$job
  wait_until 30 'a tenth is done' "SELECT coalesce(bool_or(progress > 0.1), true) FROM ($(activity_of demo_paused)) a"
  show_bar
  note "query_shaper.pause($pid): $(sql "SELECT query_shaper.pause($pid)")"
  wait_until 30 'the statement is paused' "SELECT state = 'paused' FROM query_shaper.activity WHERE pid = $pid AND nest_level = 0"
  for _ in 1 2 3; do
    show_bar
    sleep 0.7
  done
  note "query_shaper.resume($pid): $(sql "SELECT query_shaper.resume($pid)")"
  sleep 0.5
  show_bar
  end_job "$statement" || fail "the paused statement failed"
  note 'finished.'
}

"$scripts/install_dependencies.sh" || fail "packages could not be installed"
work=$(mktemp -d /tmp/qs-demo.XXXXXX)
chmod 755 "$work"
mkdir "$work/data"

open_step 'Building the extension and installing it beside a throwaway cluster'
start_job "$here/load.sh" fetch "$work/data"
fetching=$job
"$scripts/stage.sh" demo "$work/stage" QUERY_SHAPER_PRELUDE=1
export QUERY_SHAPER_STAGE=$work/stage
exports=$("$scripts/cluster.sh" start "$work/cluster" "shared_buffers = '256MB'" 'wal_level = minimal' 'max_wal_senders = 0' \
  "max_wal_size = '4GB'" "maintenance_work_mem = '128MB'" 'jit = off' \
  "statement_timeout = '120s'")
eval "$exports"
sql 'CREATE EXTENSION query_shaper; CREATE TABLE demo_pass (pass int, started timestamptz, ended timestamptz);
     CREATE TABLE demo_template (query_id bigint, template text)'
note "PostgreSQL $(sql 'SHOW server_version'), listening in $PGHOST only."

open_step 'Loading human genes, their publications and the Gene Ontology from Debian packages'
end_job "$fetching" || fail 'the packages with the data could not be fetched'
"$here/load.sh" load "$work/data" || fail 'the tables could not be loaded'
rm -rf "$work/data"
note "$(sql "SELECT format('%s rows in %s tables, %s', to_char(sum(reltuples), 'FM999,999,999'), count(*),
  pg_size_pretty(sum(pg_total_relation_size(oid)))) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
  AND relname NOT LIKE 'demo_%'")"
record_templates

open_step 'First pass: two sessions of analytic joins, watched through query_shaper.activity'
note 'Query Shaper has seen none of these. First predictions come from the plan cost, then it learns.'
run_pass 1

open_step 'A statement that stalls on a lock'
stall_on_lock

open_step 'Pausing a running statement and resuming it'
pause_and_resume

open_step 'Second pass: the same kinds of statement with other constants'
sql 'SELECT query_shaper.train()' >/dev/null
run_pass 2

open_step 'Predictions against outcomes'
psql -X -q -v ON_ERROR_STOP=1 -f "$here/outcomes.sql" </dev/null
"$scripts/cluster.sh" check "$work/cluster"

say "Done in $((SECONDS - started)) s. The cluster and everything in it are now removed."
