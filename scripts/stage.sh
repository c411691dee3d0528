#!/usr/bin/env bash
# Builds the extension in a copy of the tree and installs it under DIR, leaving the tree and the server untouched.
#   stage.sh NAME DIR [make variable...]
# NAME keeps apart the object files of builds with other flags or another server (build/stage/NAME).
# cluster.sh takes DIR as QUERY_SHAPER_STAGE.
set -euo pipefail
. "$(dirname "$0")/common.sh"

[ $# -ge 2 ] || die "needs a name and a directory"
name=$1
dir=$2
shift 2
copy=$root_dir/build/stage/$name
mkdir -p "$copy" "$dir"
exec 9>"$copy/lock"
flock 9
cd "$root_dir"
rm -rf "$copy/sql"
if [ -d "$copy/src" ]; then
  # Sources that are gone, so that no object of theirs is linked.
  (cd "$copy" && find src -name '*.cpp' -o -name '*.h') | while read -r file; do
    if [ ! -e "$file" ]; then
      rm -f "$copy/$file" "$copy/${file%.cpp}.o"
    fi
  done
fi
mkdir -p "$copy/src"
find src \( -name '*.cpp' -o -name '*.h' \) -print0 | while IFS= read -r -d '' file; do
  mkdir -p "$copy/$(dirname "$file")"
  cp -pu "$file" "$copy/$file"
done
mkdir -p "$copy/sql"
cp -p sql/query_shaper.sql "$copy/sql/"
cp -pu Makefile query_shaper.control "$copy/"
log=$copy/build.log
env -u MAKEFLAGS -u MAKELEVEL make -C "$copy" -j"$(nproc)" "DESTDIR=$dir" "$@" install >"$log" 2>&1 </dev/null || {
  grep -E 'error: |Error [0-9]' -A3 "$log" | sed -n 1,40p >&2
  die "building the extension failed; the log is $log"
}
chmod -R a+rX "$dir"
