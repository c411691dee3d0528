-- data: errorprone
-- A correlated aggregate over a CTE: the whole CTE is read once for every row of it, for ten countries.
WITH returned AS (
  SELECT s.customer_id, c.country, sum(s.amount) AS total
  FROM sale s JOIN customer c ON c.id = s.customer_id
  WHERE s.status = 3 AND s.sold_on BETWEEN '2020-03-01' AND '2020-05-10' GROUP BY 1, 2)
SELECT r.country, count(*), sum(r.total)
FROM returned r
WHERE r.total > (SELECT avg(x.total) * 1.2 FROM returned x WHERE x.country = r.country)
GROUP BY 1;
