-- data: tpch
SELECT count(*), min(o_comment) FROM (
  SELECT o_comment, o_clerk, o_totalprice FROM orders ORDER BY o_clerk, o_comment OFFSET 0) s;
