-- data: errorprone
-- Year over year: a CTE joined to itself, each scan of it estimated at one row or few.
WITH yearly AS (
  SELECT customer_id, date_part('year', sold_on) AS year, channel, sum(amount) AS total
  FROM sale WHERE customer_id < 6000 GROUP BY 1, 2, 3)
SELECT count(*), sum(b.total - a.total)
FROM yearly a JOIN yearly b ON b.customer_id = a.customer_id
WHERE a.year = 2019 AND a.channel = 3 AND a.total > 2400 AND b.year = 2020 AND b.channel = 3 AND b.total > a.total;
