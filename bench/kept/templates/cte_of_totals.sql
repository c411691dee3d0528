-- data: errorprone
WITH totals AS MATERIALIZED (
  SELECT customer_id, channel, count(*) AS sales, sum(amount) AS total FROM sale WHERE sold_on >= '2020-07-01' GROUP BY 1, 2)
SELECT count(*), sum(b.total)
FROM totals a JOIN totals b ON b.customer_id = a.customer_id
WHERE a.channel = 1 AND a.sales = 2 AND a.total > 400 AND b.channel = 3 AND b.sales = 2 AND b.total > 400;
