-- data: errorprone
SELECT count(*)
FROM (SELECT DISTINCT ON (customer_id, product_id) * FROM visit ORDER BY customer_id, product_id, at DESC) v
  JOIN customer c ON c.id = v.customer_id JOIN price_list l ON l.product_id = v.product_id AND l.country = c.country
WHERE v.engine = 50 + v.device AND v.system / 2 = v.device AND v.browser / 3 = v.device AND l.price < 20;
