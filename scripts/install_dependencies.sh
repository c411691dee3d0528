#!/usr/bin/env bash
# Installs the Debian 12 packages that building, testing and the demo need; returns at once when all are there.
# What each is for stands in CONTRIBUTING.md.
set -euo pipefail
. "$(dirname "$0")/common.sh"

packages=(
  postgresql-15 postgresql-server-dev-15 postgresql-15-pg-stat-kcache
  gcc g++ make cmake libeigen3-dev libboost-test-dev libpqxx-dev
  libipc-run-perl perl python3 sqlite3 clang-format-14
  dpkg-dev bison flex bzip2 xz-utils zlib1g-dev libicu-dev libxml2-dev libssl-dev libreadline-dev pkg-config
  debian-archive-keyring ca-certificates util-linux procps git
  fio fuse3 libfuse3-dev
)

missing() {
  local package
  for package in "${packages[@]}"; do
    if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
      echo "$package"
    fi
  done
}

command -v dpkg-query >/dev/null || die "this script knows Debian only; CONTRIBUTING.md lists what is needed"
mapfile -t wanted < <(missing)
if [ ${#wanted[@]} = 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || die "packages are missing and neither root nor sudo is at hand: ${wanted[*]}"
  as_root=(sudo)
fi

# A server package installed for the first time makes and starts a default cluster unless told not to.
no_cluster=/etc/postgresql-common/createcluster.d/query_shaper_no_cluster.conf
if [ ! -e "$no_cluster" ]; then
  "${as_root[@]}" mkdir -p "$(dirname "$no_cluster")"
  echo 'create_main_cluster = false' | "${as_root[@]}" tee "$no_cluster" >/dev/null
  trap '"${as_root[@]}" rm -f "$no_cluster"' EXIT
fi

echo "installing ${wanted[*]}"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 update </dev/null ||
  echo "apt-get update failed; trying with the lists at hand" >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get -q -y -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 --no-install-recommends install "${wanted[@]}" </dev/null

mapfile -t wanted < <(missing)
if [ ${#wanted[@]} != 0 ]; then
  die "still missing after installation: ${wanted[*]}"
fi
