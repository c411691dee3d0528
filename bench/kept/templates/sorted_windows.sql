-- data: errorprone
-- The sort below a window is finished before its filter turns out wrong.
WITH ranked AS MATERIALIZED (
  SELECT customer_id, product_id, channel, amount, row_number() OVER (PARTITION BY customer_id ORDER BY amount DESC, id) AS place
  FROM sale WHERE sold_on >= '2021-09-01')
SELECT count(*), sum(a.amount)
FROM ranked a JOIN ranked b ON b.customer_id = a.customer_id AND b.channel = a.channel
WHERE a.place = 1 AND b.place = 2 AND a.amount > b.amount + b.channel;
