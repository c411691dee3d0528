-- data: errorprone
SELECT count(*), sum(g.n)
FROM (SELECT s.product_id, s.channel, count(*) AS n FROM sale s GROUP BY 1, 2
      HAVING count(*) > 3 AND sum(s.amount) BETWEEN 100 AND 900 AND max(s.status) = 3 AND min(s.status) = 1) g
  JOIN price_list l ON l.product_id = g.product_id AND l.country = g.channel
WHERE l.price + l.country = 17;
