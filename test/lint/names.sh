#!/usr/bin/env bash
# Base names are unique tree-wide (dependency files and readers go by them), no file passes 600 lines, none is a drawer.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
bad=0

sources() {
  local dir
  for dir in src test bench demo; do
    if [ -d "$dir" ]; then
      find "$dir" -name '*.h' -o -name '*.cpp'
    fi
  done
}

# A header and its source share a name and a directory.
twice=$(sources | sed -E 's/\.(h|cpp)$//' | sort -u | awk -F/ '{
  if ($NF in seen) { print $0 ": base name already taken by " seen[$NF] } else { seen[$NF] = $0 }
}')
if [ -n "$twice" ]; then
  echo "$twice"
  bad=1
fi

drawers=$(sources | grep -E '(^|[/_])(utils?|helpers?|misc|common)\.(h|cpp)$')
if [ -n "$drawers" ]; then
  sed 's/$/:1: a name that says nothing; split by what the code does/' <<<"$drawers"
  bad=1
fi

long=$({
  sources
  for dir in sql scripts test bench demo; do
    if [ -d "$dir" ]; then
      find "$dir" -name '*.sql' -o -name '*.sh' -o -name '*.pl' -o -name '*.pm' -o -name '*.spec' -o -name '*.py'
    fi
  done
} | grep -v '^sql/query_shaper\.sql$' | sort -u | while read -r file; do
  lines=$(wc -l <"$file")
  if [ "$lines" -gt 600 ]; then
    echo "$file:$lines: more than 600 lines"
  fi
done)
if [ -n "$long" ]; then
  echo "$long"
  bad=1
fi
exit "$bad"
