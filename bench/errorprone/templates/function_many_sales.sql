-- data: errorprone
SELECT f.segment, count(*), sum(s.amount)
FROM customers_of(1) f JOIN sale s ON s.customer_id = f.customer_id
GROUP BY 1;
