-- data: errorprone
SELECT count(*)
FROM customer c
WHERE c.country = 7 AND c.region = 28 AND c.city = 283 AND c.area_code = 2981 AND c.currency = 107 AND c.id IN (
  SELECT v.customer_id FROM visit v WHERE v.device = 3 AND v.system = 6 AND v.browser = 11 AND v.engine = 53);
