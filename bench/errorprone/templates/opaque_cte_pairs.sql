-- data: errorprone
WITH sold AS MATERIALIZED (
  SELECT product_id, channel, status, count(*) AS sales, sum(amount) AS total FROM sale
  WHERE sold_on >= '2021-09-01' GROUP BY 1, 2, 3)
SELECT count(*)
FROM sold a JOIN sold b ON b.product_id = a.product_id
WHERE a.channel = 1 AND a.status = 2 AND a.sales = 2 AND b.channel = 2 AND b.status = 3 AND b.sales = 2 AND b.total > a.total;
