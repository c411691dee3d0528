-- data: errorprone
-- Each expression passes for one row in 200.
SELECT count(*), sum(v.product_id)
FROM customer c JOIN visit v ON v.customer_id = c.id
WHERE c.id % 10 = 3 AND length(c.email) = 43 AND c.area_code % 7 = 6 AND c.id % 11 = 4
  AND v.customer_id % 10 = 3 AND v.screen % 8 = 1 AND v.product_id % 4 = 1;
