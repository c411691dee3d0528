-- data: errorprone
SELECT t.carrier, count(*)
FROM shipment t JOIN sale s ON s.id = t.sale_id JOIN customer c ON c.id = s.customer_id JOIN review r ON r.customer_id = c.id
WHERE t.hub = 200 + t.depot / 4 AND t.tariff = 500 + t.service AND t.service / 4 = t.carrier AND s.status = 3
  AND r.product_id = s.product_id
GROUP BY 1;
