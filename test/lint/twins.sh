#!/usr/bin/env bash
# Every regression input has its expected output and every expected output its input; so for isolation specs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
shopt -s nullglob
bad=0

complain() {
  echo "$1:1: $2"
  bad=1
}

for input in sql/*.sql; do
  name=$(basename "$input" .sql)
  if [ "$name" != query_shaper ] && [ ! -f "expected/$name.out" ]; then
    complain "$input" "no expected/$name.out"
  fi
done
# pg_regress takes alternatives as name_1.out to name_9.out.
for output in expected/*.out; do
  name=$(basename "$output" .out)
  [ -f "sql/$name.sql" ] || [ -f "sql/${name%_[0-9]}.sql" ] || complain "$output" "no sql/$name.sql"
done
for input in test/isolation/specs/*.spec; do
  name=$(basename "$input" .spec)
  [ -f "test/isolation/expected/$name.out" ] || complain "$input" "no test/isolation/expected/$name.out"
done
for output in test/isolation/expected/*.out; do
  name=$(basename "$output" .out)
  [ -f "test/isolation/specs/$name.spec" ] || [ -f "test/isolation/specs/${name%_[0-9]}.spec" ] ||
    complain "$output" "no test/isolation/specs/$name.spec"
done
exit "$bad"
