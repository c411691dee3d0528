-- data: errorprone
SELECT c.country, count(*), sum(t.weight)
FROM shipment t JOIN sale s ON s.id = t.sale_id JOIN customer c ON c.id = s.customer_id
WHERE t.carrier = 6 AND t.service = 25 AND t.depot = 77
GROUP BY 1;
