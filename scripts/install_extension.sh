#!/usr/bin/env bash
# Builds the extension and installs it into the server of PG_CONFIG, if what is installed there is not what the tree says.
set -euo pipefail
. "$(dirname "$0")/common.sh"

cd "$root_dir"
unset MAKEFLAGS MAKELEVEL
mkdir -p build
log=build/install.log
make -j"$(nproc)" all >"$log" 2>&1 </dev/null || {
  grep -E 'error: |Error [0-9]' -A3 "$log" | sed -n 1,40p >&2
  die "building the extension failed; the log is $log"
}

pkglibdir=$("$PG_CONFIG" --pkglibdir)
extension_dir=$("$PG_CONFIG" --sharedir)/extension
stale=0
cmp -s query_shaper.so "$pkglibdir/query_shaper.so" || stale=1
for file in query_shaper.control query_shaper--*.sql; do
  cmp -s "$file" "$extension_dir/$file" || stale=1
done
[ "$stale" = 1 ] || exit 0

as_root=()
if [ ! -w "$pkglibdir" ]; then
  command -v sudo >/dev/null || die "no right to write to $pkglibdir, and no sudo; run make install as root"
  as_root=(sudo)
fi
"${as_root[@]}" make install >>"$log" 2>&1 </dev/null || {
  tail -n 20 "$log" >&2
  die "installing the extension failed; the log is $log"
}
