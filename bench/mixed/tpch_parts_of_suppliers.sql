-- data: tpch
SELECT count(*), max(n), sum(quantity) FROM (
  SELECT l_partkey, l_suppkey, count(*) AS n, sum(l_quantity) AS quantity FROM lineitem GROUP BY l_partkey, l_suppkey OFFSET 0) s;
