-- data: errorprone
SELECT u.rating, count(*), sum(s.amount)
FROM customer c JOIN sale s ON s.customer_id = c.id JOIN product p ON p.id = s.product_id
  JOIN supplier u ON u.id = p.supplier_id JOIN shipment t ON t.sale_id = s.id JOIN review r ON r.product_id = p.id
WHERE c.country = 6 AND c.currency = 106 AND c.region = 26 AND c.segment = 2 AND p.category = 0 AND p.brand = 1
  AND t.carrier = 1 AND t.service = 5 AND r.language = 6 AND r.currency = 106 AND s.status = 1
GROUP BY 1;
