-- data: errorprone
-- Nothing is known of a materialised aggregate's columns: filters on them leave one row, says the planner.
WITH spent AS MATERIALIZED (
  SELECT customer_id, count(*) AS sales, sum(amount) AS total, max(amount) AS highest, count(DISTINCT status) AS kinds
  FROM sale WHERE sold_on < '2020-01-01' GROUP BY 1)
SELECT count(*), sum(s.total)
FROM spent s JOIN visit v ON v.customer_id = s.customer_id
WHERE s.sales = 4 AND s.kinds = 3 AND s.total BETWEEN 700 AND 1400 AND s.highest > 930
  AND v.device = 3 AND v.system = 7 AND v.browser = 9 AND v.engine = 53;
