-- data: errorprone
SELECT count(*), sum(t.weight)
FROM customer c JOIN visit v ON v.customer_id = c.id JOIN product p ON p.id = v.product_id
  JOIN price_list l ON l.product_id = p.id AND l.country = 1 JOIN sale s ON s.customer_id = c.id
  JOIN shipment t ON t.sale_id = s.id
WHERE c.country = 2 AND c.currency = 102 AND c.region = 8 AND c.city = 81 AND c.area_code = 1567
  AND v.device = 1 AND v.system = 3 AND v.engine = 51 AND v.browser = 3;
