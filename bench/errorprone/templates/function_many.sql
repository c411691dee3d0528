-- data: errorprone
-- Planned at 1,000 rows, gives 38,000; the filters make it one.
SELECT count(*)
FROM customers_of(0) f JOIN visit v ON v.customer_id = f.customer_id
WHERE f.city = 38 AND f.segment = 0 AND f.customer_id % 4 = 1 AND v.device = 4 AND v.system = 9 AND v.browser = 13 AND v.engine = 54;
