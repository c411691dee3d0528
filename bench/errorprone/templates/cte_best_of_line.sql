-- data: errorprone
WITH earned AS (
  SELECT p.id, p.category, sum(s.amount) AS total
  FROM sale s JOIN product p ON p.id = s.product_id WHERE s.campaign = 3 GROUP BY 1, 2)
SELECT e.category, count(*)
FROM earned e
WHERE e.total > 2 * (SELECT avg(x.total) FROM earned x WHERE x.category = e.category)
GROUP BY 1;
