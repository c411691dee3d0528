#!/usr/bin/env bash
# Throwaway clusters with query_shaper preloaded, for tests, benches and the demo.
#
#   cluster.sh start DIR [LINE...]            starts a cluster in DIR (new or empty) with extra lines for postgresql.conf
#                                             and prints shell exports of PGHOST, PGPORT, PGUSER, PGDATABASE
#   cluster.sh stop DIR                       stops it and removes DIR
#   cluster.sh save DIR TARGET                stops it, moves its data directory to TARGET and removes DIR
#   cluster.sh restart DIR [MODE]             restarts it (mode fast, smart or immediate)
#   cluster.sh check DIR                      fails and shows the lines when the server log tells of a crash
#   cluster.sh run [LINE...] -- COMMAND...    runs COMMAND beside a cluster of its own, then checks and removes it
#
# Environment: PG_CONFIG or PG_BINDIR choose the server; QUERY_SHAPER_STAGE names a staged installation (stage.sh) to be
# used in place of the server's own; PRELOAD replaces the list of preloaded libraries; TEMPLATE names a data directory that
# was saved, of which the new cluster becomes a copy.
set -euo pipefail
. "$(dirname "$0")/common.sh"

# The server's user may have no way into the caller's directory.
server_command() {
  (cd / && as_server_user "$@")
}

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 40000))
    if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
}

stage_settings() {
  local pkglibdir
  pkglibdir=$("$bindir/pg_config" --pkglibdir)
  echo "extension_destdir = '$QUERY_SHAPER_STAGE'"
  echo "dynamic_library_path = '$QUERY_SHAPER_STAGE$pkglibdir:\$libdir'"
}

start_cluster() {
  local dir=$1 bindir port line
  shift
  # A socket's path may have 107 bytes.
  [ ${#dir} -le 80 ] || die "path too long for a unix socket: $dir"
  case $dir in /*) ;; *) die "the directory must be an absolute path: $dir" ;; esac
  bindir=$(pg_bindir)
  [ -x "$bindir/initdb" ] || die "no server programs in $bindir"
  mkdir -p "$dir"
  [ -z "$(ls -A "$dir")" ] || die "not empty: $dir"
  chmod 755 "$dir"
  own_by_server_user "$dir"
  port=$(free_port)
  echo "$bindir" >"$dir/bindir"
  if [ -n "${TEMPLATE:-}" ]; then
    cp -a "$TEMPLATE" "$dir/data"
  else
    server_command "$bindir/initdb" -D "$dir/data" -A trust -U postgres -N -E UTF8 --no-locale >"$dir/initdb.log" 2>&1 || {
      cat "$dir/initdb.log" >&2
      die "initdb failed in $dir"
    }
  fi
  {
    echo "port = $port"
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$dir'"
    echo "fsync = off"
    echo "max_connections = 60"
    echo "max_worker_processes = 24"
    echo "log_line_prefix = '%m [%p] %b %d '"
    echo "shared_preload_libraries = '${PRELOAD-query_shaper}'"
    if [ -n "${QUERY_SHAPER_STAGE:-}" ]; then
      stage_settings
    fi
    for line in "$@"; do
      echo "$line"
    done
  } >>"$dir/data/postgresql.conf"
  # No descriptor of the caller may stay open in the server, or a pipe to the caller would never end. With PGHOST in its
  # environment the server's own clients (dblink, postgres_fdw without a host) find the cluster itself.
  server_command env "PGHOST=$dir" "$bindir/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 120 -s start </dev/null >"$dir/pg_ctl.log" 2>&1 || {
    cat "$dir/pg_ctl.log" "$dir/log" >&2
    die "the server did not start in $dir"
  }
  echo "export PGHOST='$dir' PGPORT='$port' PGUSER='postgres' PGDATABASE='postgres'"
}

stop_cluster() {
  local dir=$1 bindir
  [ -f "$dir/bindir" ] || die "no cluster in $dir"
  bindir=$(cat "$dir/bindir")
  if [ -f "$dir/data/postmaster.pid" ]; then
    server_command "$bindir/pg_ctl" -D "$dir/data" -w -t 60 -s -m fast stop </dev/null ||
      server_command "$bindir/pg_ctl" -D "$dir/data" -w -t 30 -s -m immediate stop </dev/null || true
  fi
  rm -rf "$dir"
}

save_cluster() {
  local dir=$1 target=${2:?save needs a target}
  [ ! -e "$target" ] || die "exists already: $target"
  server_command "$(cat "$dir/bindir")/pg_ctl" -D "$dir/data" -w -t 300 -s -m fast stop </dev/null
  mv "$dir/data" "$target"
  rm -rf "$dir"
}

restart_cluster() {
  local dir=$1 bindir
  bindir=$(cat "$dir/bindir")
  server_command env "PGHOST=$dir" "$bindir/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 120 -s -m "${2:-fast}" restart \
    </dev/null >"$dir/pg_ctl.log" 2>&1 || {
    cat "$dir/pg_ctl.log" >&2
    die "the server did not restart in $dir"
  }
}

check_cluster() {
  if grep -nE 'TRAP:|PANIC: |was terminated by signal|terminating connection because of crash' "$1/log" >&2; then
    die "the server crashed (its log's lines stand above)"
  fi
}

run_beside_cluster() {
  local lines=() dir exports status=0
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    lines+=("$1")
    shift
  done
  [ $# -gt 1 ] || die "run needs -- and a command"
  shift
  dir=$(mktemp -d /tmp/qs.XXXXXX)
  # shellcheck disable=SC2064
  trap "stop_cluster '$dir' 2>/dev/null || rm -rf '$dir'" EXIT
  exports=$(start_cluster "$dir" "${lines[@]}")
  (
    eval "$exports"
    export QUERY_SHAPER_CLUSTER=$dir
    "$@"
  ) || status=$?
  (check_cluster "$dir") || [ "$status" != 0 ] || status=1
  exit "$status"
}

verb=${1:-}
shift || true
case $verb in
  start)
    [ $# -ge 1 ] || die "start needs a directory"
    start_cluster "$@"
    ;;
  stop | check | restart | save)
    [ $# -ge 1 ] || die "$verb needs a directory"
    "${verb}_cluster" "$@"
    ;;
  run) run_beside_cluster "$@" ;;
  *) sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "$0" >&2; exit 2 ;;
esac
