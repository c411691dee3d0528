#!/usr/bin/env bash
# Differences between PostgreSQL versions live in src/pg/compat.h, and the extension's version is one.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
bad=0

if [ -d src ] && grep -rnE '\bPG_VERSION_NUM\b|\bPG_MAJORVERSION_NUM\b' src --include='*.h' --include='*.cpp' |
  grep -v '^src/pg/compat\.h:' | sed 's/$/   <- version differences belong in src\/pg\/compat.h/'; then
  bad=1
fi

control=$(sed -nE "s/^default_version = '(.*)'/\1/p" query_shaper.control)
make=$(sed -nE 's/^version = (.*)/\1/p' Makefile)
cmake=$(sed -nE 's/^project\(.* VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
if [ "$control" != "$make" ] || [ "$control" != "$cmake" ]; then
  echo "query_shaper.control:2: version $control, but Makefile says $make and CMakeLists.txt $cmake"
  bad=1
fi
exit "$bad"
