-- data: errorprone
SELECT count(*)
FROM customer c JOIN sale s ON s.customer_id = c.id JOIN review r ON r.customer_id = c.id JOIN shipment t ON t.sale_id = s.id
WHERE c.joined = '2012-01-01' AND t.carrier = 5 AND r.stars = 2;
