#!/usr/bin/env bash
# Fetches the gene annotation database out of Debian's packages and loads it through psql's environment.
#   load.sh fetch DIR    puts the SQLite files into DIR
#   load.sh load DIR     makes the tables from them, two at a time
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
verb=${1:?fetch or load}
dir=${2:?a directory for the SQLite files}
packages=(r-bioc-org.hs.eg.db r-bioc-go.db)

# Largest first, so that the two jobs end together.
tables=(go_bp_all pubmed go_bp_offspring go_cc_all accessions go_mf_all refseq go_term go_bp alias pfam genes gene_info
  genetype chromosome_locations go_bp_parents kegg)

download() {
  # apt drops to user _apt for downloads, who may not write into a directory of ours.
  (cd "$dir" && apt-get -q -q -o APT::Sandbox::User=root -o Acquire::Retries=3 download "${packages[@]}" </dev/null)
}

download_or_update() {
  if ! download 2>"$dir/fetch.log"; then
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get -q -q -o Acquire::Retries=3 update </dev/null
    download
  fi
}

unpack() {
  local package
  for package in "${packages[@]}"; do
    dpkg -x "$dir/$package"_*.deb "$dir/$package" &
  done
  wait
  find "$dir" -name '*.sqlite' -exec mv {} "$dir/" \;
  [ -f "$dir/org.Hs.eg.sqlite" ] && [ -f "$dir/GO.sqlite" ] || {
    echo "load.sh: the packages no longer hold the SQLite files this demo reads" >&2
    exit 1
  }
}

# COPY into a table made in the same transaction writes no WAL and needs no VACUUM afterwards.
load_table() {
  local table=$1 dir=$2 here=$3 file=org.Hs.eg.sqlite
  case $table in go_term | go_*_offspring | go_*_parents) file=GO.sqlite ;; esac
  {
    echo "BEGIN;"
    grep -E "^CREATE TABLE $table " "$here/schema.sql"
    echo "COPY $table FROM STDIN WITH (FORMAT csv, FREEZE);"
    sqlite3 -readonly -batch -csv "$dir/$file" "SELECT * FROM $table"
    echo '\.'
    echo "COMMIT;"
    grep -E " $table (\(|ADD )" "$here/index.sql" || true
    echo "VACUUM ANALYZE $table;"
  } | psql -X -q -v ON_ERROR_STOP=1
}
export -f load_table

case $verb in
  fetch)
    download_or_update
    unpack
    ;;
  load)
    printf '%s\n' "${tables[@]}" |
      xargs -P 2 -I TABLE bash -c 'set -euo pipefail; load_table "$@"' load_table TABLE "$dir" "$here"
    ;;
  *)
    echo "load.sh: unknown verb $verb" >&2
    exit 2
    ;;
esac
