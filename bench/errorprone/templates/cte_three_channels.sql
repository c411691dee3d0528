-- data: errorprone
WITH by_channel AS (
  SELECT product_id, channel, status, sum(amount) AS total
  FROM sale WHERE sold_on BETWEEN '2020-07-01' AND '2020-07-31' GROUP BY 1, 2, 3)
SELECT count(*), sum(a.total), sum(b.total), sum(c.total)
FROM by_channel a JOIN by_channel b ON b.product_id = a.product_id JOIN by_channel c ON c.product_id = a.product_id
WHERE a.channel = 0 AND b.channel = 1 AND c.channel = 2 AND a.status = 1 AND b.status = 1 AND c.status = 1
  AND a.total > 100 AND b.total > 100 AND c.total > 100;
