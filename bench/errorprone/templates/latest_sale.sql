-- data: errorprone
-- The first row of each window, twice, joined: one in 200 by default, here one in 4.
WITH ranked AS (
  SELECT customer_id, channel, amount, row_number() OVER (PARTITION BY customer_id ORDER BY sold_on DESC, id DESC) AS place
  FROM sale WHERE sold_on >= '2021-12-10')
SELECT count(*), sum(a.amount), sum(b.amount)
FROM ranked a JOIN ranked b ON b.customer_id = a.customer_id AND b.channel = a.channel
WHERE a.place = 1 AND b.place = 2 AND a.amount > 2 * b.channel AND b.amount > a.channel;
