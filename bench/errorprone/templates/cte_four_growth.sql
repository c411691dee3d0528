-- data: errorprone
-- Two channels in two years: who grew faster in the one than in the other.
WITH yearly AS (
  SELECT s.product_id, p.brand, date_part('year', s.sold_on) AS year, s.channel, sum(s.amount) AS total
  FROM sale s JOIN product p ON p.id = s.product_id WHERE p.line < 25 GROUP BY 1, 2, 3, 4)
SELECT a.brand, count(*)
FROM yearly a JOIN yearly b ON b.product_id = a.product_id JOIN yearly c ON c.product_id = a.product_id
  JOIN yearly d ON d.product_id = a.product_id
WHERE a.year = 2018 AND a.channel = 0 AND a.total > 0 AND b.year = 2019 AND b.channel = 0
  AND c.year = 2018 AND c.channel = 4 AND c.total > 0 AND d.year = 2019 AND d.channel = 4
  AND b.total * c.total > d.total * a.total
GROUP BY 1;
