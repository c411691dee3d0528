# Shared by the scripts of this directory: sourced, never run.

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ -z "${PG_CONFIG:-}" ]; then
  PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config
  [ -x "$PG_CONFIG" ] || PG_CONFIG=pg_config
fi
export PG_CONFIG

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# PostgreSQL refuses to run as root: as root, server commands run as user postgres.
as_server_user() {
  if [ "$(id -u)" = 0 ]; then
    runuser -u postgres -- env HOME="${SERVER_USER_HOME:-/tmp}" "$@"
  else
    "$@"
  fi
}

own_by_server_user() {
  if [ "$(id -u)" = 0 ]; then
    chown -R postgres:postgres "$@"
  fi
}

# root's home is closed to user postgres, who must run what is cached there.
cache_dir() {
  if [ -n "${QUERY_SHAPER_CACHE:-}" ]; then
    echo "$QUERY_SHAPER_CACHE"
  elif [ "$(id -u)" = 0 ]; then
    echo /var/cache/query_shaper
  else
    echo "${XDG_CACHE_HOME:-$HOME/.cache}/query_shaper"
  fi
}

pg_bindir() {
  if [ -n "${PG_BINDIR:-}" ]; then
    echo "$PG_BINDIR"
  else
    "$PG_CONFIG" --bindir
  fi
}

# Keeps the tests of a TAP log that failed, and what they say, for the end of test.sh.
note_failures() {
  local name=$1 log=$2
  [ -n "${QUERY_SHAPER_RESULTS:-}" ] || return 0
  {
    echo "-- $name"
    grep -A 8 '^not ok ' "$log" | cut -c 1-300 | head -n 60
  } >>"$QUERY_SHAPER_RESULTS/.failures"
}

# Closes a suite: prints its counts, leaves them for test.sh and exits non-zero when something failed.
report_suite() {
  local suite=$1 passed=$2 failed=$3
  echo "$suite: $passed passed, $failed failed"
  if [ -n "${QUERY_SHAPER_RESULTS:-}" ]; then
    echo "$passed $failed" >"$QUERY_SHAPER_RESULTS/$suite"
  fi
  [ "$failed" = 0 ]
  exit
}
