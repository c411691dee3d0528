#!/usr/bin/env bash
# Settings are defined in order of their names, and everything a user can set, read or call stands in README.md.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
bad=0
settings=src/server/settings.cpp
schema=sql/query_shaper.sql

complain() {
  echo "$1"
  bad=1
}

in_readme() {
  grep -qE "(^|[^A-Za-z0-9_])$1([^A-Za-z0-9_]|\$)" README.md 2>/dev/null
}

if [ -f "$settings" ]; then
  # The first mention of a name is its definition, later ones are messages; test builds have settings of their own.
  defined=$(awk '
    /^#if.*QUERY_SHAPER_FAULT_POINTS/ { hidden = 1 }
    /^#endif/ { hidden = 0 }
    !hidden {
      rest = $0
      while (match(rest, /"query_shaper\.[a-z_]+"/)) {
        name = substr(rest, RSTART + 1, RLENGTH - 2)
        if (!(name in seen)) { seen[name] = 1; print NR " " name }
        rest = substr(rest, RSTART + RLENGTH)
      }
    }' "$settings")
  previous=
  while read -r line name; do
    [ -n "$name" ] || continue
    if [[ -n $previous && $name < $previous ]]; then
      complain "$settings:$line: $name stands after $previous; settings are sorted by name"
    fi
    previous=$name
    in_readme "${name/./\\.}" || complain "$settings:$line: $name is missing in README.md"
  done <<<"$defined"
fi

if [ -f "$schema" ]; then
  # Functions whose name ends in an underscore-led internal mark or that only feed a view are not called by users.
  while IFS=: read -r line kind name; do
    [ -n "$name" ] || continue
    case $name in _*) continue ;; esac
    in_readme "$name" || complain "$schema:$line: $kind $name is missing in README.md"
  done < <(grep -niE '^create (or replace )?(view|function|procedure|aggregate) ' "$schema" |
    sed -E 's/^([0-9]+):create (or replace )?(view|function|procedure|aggregate) (query_shaper\.|@extschema@\.)?"?([A-Za-z0-9_]+).*/\1:\3:\5/I')
fi
exit "$bad"
