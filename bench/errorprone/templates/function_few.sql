-- data: errorprone
-- Planned at 1,000 rows, gives 3.
SELECT f.product_id, count(*), sum(s.amount)
FROM best_sellers(3) f JOIN sale s ON s.product_id = f.product_id JOIN shipment t ON t.sale_id = s.id
GROUP BY 1;
