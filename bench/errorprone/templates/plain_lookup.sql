-- data: errorprone
-- Nothing to correct here.
SELECT s.id, p.name, t.sent_on FROM sale s JOIN product p ON p.id = s.product_id LEFT JOIN shipment t ON t.sale_id = s.id
WHERE s.customer_id = 60000;
