-- data: errorprone
SELECT count(*), sum(t.weight)
FROM shipment t JOIN sale s ON s.id = t.sale_id JOIN visit v ON v.customer_id = s.customer_id
WHERE t.carrier = 6 AND t.service = 25 AND t.depot = 77 AND t.hub = 219 AND t.tariff = 525
  AND v.device = 3 AND v.system = 6 AND v.browser = 10 AND v.engine = 53 AND s.status = 3;
