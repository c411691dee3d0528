-- data: errorprone
SELECT count(*)
FROM customer c
WHERE c.country = 9 AND c.currency = 109 AND c.region = 38 AND c.city = 385 AND c.area_code = 3695 AND NOT EXISTS (
  SELECT FROM visit v WHERE v.customer_id = c.id AND v.device = 1 AND v.browser = 4 AND v.system = 2 AND v.engine = 51);
