#!/usr/bin/env bash
# load.sh KIT DATABASE [SCALE]: generates TPC-H's tables with a built kit (gregrahn/tpch-kit, its folder dbgen, made with
# MACHINE=LINUX DATABASE=POSTGRESQL), loads them through psql's environment, adds keys and indexes of foreign keys.
set -euo pipefail
kit=$(cd "${1:?folder of the kit}" && pwd)
database=${2:?database}
scale=${3:-1}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

(cd "$kit" && DSS_PATH=$tmp ./dbgen -q -f -s "$scale")
createdb "$database"
run() { psql -X -q -v ON_ERROR_STOP=1 -d "$database" "$@"; }
run -f "$kit/dss.ddl"
for file in "$tmp"/*.tbl; do
  # Kits made for another database end each line with a separator.
  sed 's/|$//' "$file" | run -c "\\copy $(basename "$file" .tbl) FROM STDIN (DELIMITER '|')"
  rm -f "$file"
done
run <<'SQL'
ALTER TABLE region ADD PRIMARY KEY (r_regionkey);
ALTER TABLE nation ADD PRIMARY KEY (n_nationkey);
ALTER TABLE part ADD PRIMARY KEY (p_partkey);
ALTER TABLE supplier ADD PRIMARY KEY (s_suppkey);
ALTER TABLE partsupp ADD PRIMARY KEY (ps_partkey, ps_suppkey);
ALTER TABLE customer ADD PRIMARY KEY (c_custkey);
ALTER TABLE orders ADD PRIMARY KEY (o_orderkey);
ALTER TABLE lineitem ADD PRIMARY KEY (l_orderkey, l_linenumber);
CREATE INDEX ON nation (n_regionkey);
CREATE INDEX ON supplier (s_nationkey);
CREATE INDEX ON customer (c_nationkey);
CREATE INDEX ON partsupp (ps_suppkey);
CREATE INDEX ON orders (o_custkey);
CREATE INDEX ON lineitem (l_partkey, l_suppkey);
CREATE INDEX ON lineitem (l_suppkey);
CREATE INDEX ON lineitem (l_shipdate);
VACUUM (FREEZE, ANALYZE);
SQL
