-- data: errorprone
SELECT count(*)
FROM customers_of(4) f JOIN customers_of(4) g ON g.city = f.city AND g.segment = f.segment
WHERE f.customer_id % 3 = 0 AND g.customer_id % 3 = 1 AND f.segment > 1 AND g.segment > 1 AND f.customer_id < g.customer_id;
