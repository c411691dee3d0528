-- data: tpch
SELECT max(place), count(*) FROM (
  SELECT rank() OVER (PARTITION BY l_suppkey ORDER BY l_extendedprice DESC) AS place, l_shipmode
  FROM lineitem WHERE l_shipdate >= '1995-06-01') s;
