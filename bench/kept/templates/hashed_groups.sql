-- data: errorprone
SELECT g.category, count(*), sum(g.n)
FROM (SELECT s.product_id, p.category, count(*) AS n FROM sale s JOIN product p ON p.id = s.product_id
      GROUP BY 1, 2 HAVING count(*) > 20 AND max(s.status) = 3 AND min(s.status) = 0 AND max(s.channel) = 4) g
  JOIN price_list l ON l.product_id = g.product_id JOIN visit v ON v.product_id = g.product_id
WHERE l.price + l.country > 100 AND v.device = 5 AND v.engine = 55
GROUP BY 1;
