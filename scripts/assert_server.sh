#!/usr/bin/env bash
# Builds, once, an assert-enabled PostgreSQL from Debian's source package and prints the directory that holds it:
#   pgsql/    the installed server   src/  its built source tree   version  its version
# The directory lies in the cache and is reused while the build options stay the same.
set -euo pipefail
. "$(dirname "$0")/common.sh"

major=15
configure_options=(--enable-cassert --enable-debug --without-readline --with-icu --with-libxml)
cflags="-O1 -g1"
jobs=${JOBS:-$(nproc)}

cache=$(cache_dir)
options_hash=$(echo "$major ${configure_options[*]} $cflags pgsql" | sha256sum | cut -c1-12)

find_built() {
  local stamp
  for stamp in "$cache"/pg-"$major".*-cassert-"$options_hash"/complete; do
    if [ -e "$stamp" ]; then
      dirname "$stamp"
      return
    fi
  done
}

built=$(find_built)
if [ -n "$built" ] && [ "${REBUILD:-0}" != 1 ]; then
  echo "$built"
  exit
fi

mkdir -p "$cache"
exec 9>"$cache/assert_server.lock"
flock 9
built=$(find_built)
if [ -n "$built" ] && [ "${REBUILD:-0}" != 1 ]; then
  echo "$built"
  exit
fi

work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$cache" "$work"

# A private list and list directory: the machine's own apt sources stay as they are.
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
mkdir -p "$work/lists/partial" "$work/package"
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" >"$work/sources.list"
apt_options=(
  -o "Dir::Etc::SourceList=$work/sources.list"
  -o Dir::Etc::SourceParts=-
  -o "Dir::State::Lists=$work/lists"
  -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
  -o APT::Sandbox::User=root
)
started=$SECONDS
(
  cd "$work/package"
  apt-get "${apt_options[@]}" -qq update
  apt-get "${apt_options[@]}" -qq --download-only source "postgresql-$major"
) >&2
dsc=$(echo "$work"/package/postgresql-"$major"_*.dsc)
dpkg-source --no-check -x "$dsc" "$work/src" >&2
version=$("$work/src/configure" --version | sed -n '1s/.* //p')
target="$cache/pg-$version-cassert-$options_hash"
echo "source of PostgreSQL $version fetched in $((SECONDS - started)) s" >&2

# The install prefix is compiled in, so the tree is built where it stays; only the stamp makes it count.
started=$SECONDS
rm -rf "$target"
mkdir -p "$target"
mv "$work/src" "$target/src"
cd "$target/src"
# PostgreSQL makes its generated headers at level 0 alone: a make above this script must not show through.
unset MAKELEVEL MAKEFLAGS MFLAGS
log="$target/build.log"

# Debian's patches turn the module directory into the system's own, unless the prefix has "pgsql" in it: installing there
# would overwrite the machine's server. Nothing is installed before every directory is known to lie under the prefix.
check_install_directories() {
  local directory path
  for directory in bindir libdir pkglibdir datadir includedir includedir_server includedir_internal pgxsdir sysconfdir \
    docdir mandir localedir; do
    path=$(printf 'subdir = .\ntop_builddir = .\ninclude src/Makefile.global\nshow: ; @echo $(%s)\n' "$directory" |
      make -s -f - show)
    case $path in
      "$target"/pgsql/*) ;;
      *)
        echo "$directory would be \"$path\", outside of $target/pgsql"
        return 1
        ;;
    esac
  done
}

# A chain of &&, because the shell heeds no set -e in a command whose failure is handled.
build() {
  local contrib=(contrib/pg_stat_statements contrib/postgres_fdw contrib/auto_explain contrib/spi) part
  CC=gcc CFLAGS="$cflags" ./configure --prefix="$target/pgsql" "${configure_options[@]}" &&
    check_install_directories &&
    make -j"$jobs" all &&
    make -j"$jobs" install || return
  for part in "${contrib[@]}" src/test/isolation; do
    make -j"$jobs" -C "$part" all && make -C "$part" install || return
  done
  make -j"$jobs" -C src/test/regress all
}

if ! build >"$log" 2>&1 </dev/null; then
  tail -n 40 "$log" >&2
  die "building the assert-enabled server failed; the log is $log"
fi
chmod -R a+rX "$target"
echo "$version" >"$target/version"
touch "$target/complete"
echo "PostgreSQL $version with assertions built in $((SECONDS - started)) s" >&2
echo "$target"
