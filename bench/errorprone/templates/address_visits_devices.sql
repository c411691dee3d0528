-- data: errorprone
SELECT p.category, count(*), count(DISTINCT c.id)
FROM customer c JOIN visit v ON v.customer_id = c.id JOIN product p ON p.id = v.product_id
WHERE c.country = 3 AND c.region = 14 AND c.city = 141 AND c.area_code = 1987 AND c.currency = 103
  AND v.device = 4 AND v.system = 8 AND v.browser = 12 AND v.engine = 54
GROUP BY 1;
