-- data: errorprone
-- Groups of an expression: 200 by default where there are 100,000.
SELECT count(*), max(g.n)
FROM (SELECT customer_id * 31 % 1000003 AS key, count(*) AS n FROM sale GROUP BY customer_id * 31 % 1000003) g
  JOIN visit v ON v.customer_id * 31 % 1000003 = g.key
WHERE g.n = 40 AND v.device = 5 AND v.system = 11 AND v.browser = 15 AND v.engine = 55;
