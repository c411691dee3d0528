-- data: errorprone
SELECT count(*)
FROM (SELECT DISTINCT ON (product_id) product_id, status, channel, amount FROM sale ORDER BY product_id, sold_on DESC, id) d
  JOIN price_list l ON l.product_id = d.product_id
WHERE d.status = 1 AND d.channel = 2 AND d.amount % 3 = 0 AND l.price + l.country = 23;
