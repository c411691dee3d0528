-- data: errorprone
-- Five columns of one address: the planner expects one customer, some 140 live there. So with the visits.
SELECT count(*), count(DISTINCT v.product_id)
FROM customer c JOIN visit v ON v.customer_id = c.id
WHERE c.country = 8 AND c.region = 35 AND c.city = 352 AND c.area_code = 3464 AND c.currency = 108
  AND v.device = 2 AND v.system = 5 AND v.browser = 7 AND v.engine = 52;
